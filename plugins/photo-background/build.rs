//! Turns `assets/index.json` into a static table that holds the pictures themselves, so that the plugin is one file.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    println!("cargo:rerun-if-changed=assets");
    let folder = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?).join("assets");
    let index = std::fs::read_to_string(folder.join("index.json"))?;
    let rows: Vec<serde_json::Value> = serde_json::from_str(&index)?;
    let mut table = format!("pub(crate) static ASSETS: [Asset; {}] = [\n", rows.len());
    for row in &rows {
        entry(&mut table, row, &folder).map_err(|e| {
            format!("assets/index.json, {}: {e}", row["id"].as_str().unwrap_or("a row without id"))
        })?;
    }
    table.push_str("];\n");
    std::fs::write(PathBuf::from(std::env::var("OUT_DIR")?).join("assets.rs"), table)?;
    Ok(())
}

fn entry(out: &mut String, row: &serde_json::Value, folder: &Path) -> Result<(), Failure> {
    let file = folder.join(text(row, "file")?);
    if !file.is_file() {
        return Err(format!("{} is missing: run fixtures/scripts/photo_assets.py", file.display()).into());
    }
    let role = match text(row, "kind")? {
        "backdrop" => {
            let light = floats(row, "light")?;
            let ground = row["ground"].as_f64().map_or("None".to_owned(), |g| format!("Some({g:?})"));
            format!(
                "Role::Backdrop(Backdrop {{ horizon: {:?}, light: {light:?}, ground: {ground}, blurred: {}, floor: &{:?} }})",
                number(row, "horizon")?,
                row["blurred"].as_bool().ok_or("`blurred` is not a boolean")?,
                strings(row, "floor")?,
            )
        }
        "surface" => format!(
            "Role::Surface(Surface {{ tile: {:?}, gloss: {:?}, wall: {}, loose: {} }})",
            number(row, "tile")?,
            number(row, "gloss")?,
            row["wall"].as_bool().ok_or("`wall` is not a boolean")?,
            row["loose"].as_bool().ok_or("`loose` is not a boolean")?,
        ),
        other => return Err(format!("kind \"{other}\" is neither backdrop nor surface").into()),
    };
    writeln!(out, "    Asset {{ id: {:?}, file: {:?},", text(row, "id")?, text(row, "file")?)?;
    for field in ["sha256", "licence", "author", "package", "version", "source"] {
        writeln!(out, "        {field}: {:?},", text(row, field)?)?;
    }
    for field in ["names", "words", "places"] {
        writeln!(out, "        {field}: &{:?},", strings(row, field)?)?;
    }
    writeln!(out, "        role: {role}, jpeg: include_bytes!({file:?}) }},")?;
    Ok(())
}

fn text<'a>(row: &'a serde_json::Value, field: &str) -> Result<&'a str, Failure> {
    let value = row[field].as_str().filter(|v| !v.is_empty());
    value.ok_or_else(|| format!("`{field}` is missing or empty").into())
}

fn number(row: &serde_json::Value, field: &str) -> Result<f64, Failure> {
    row[field].as_f64().ok_or_else(|| format!("`{field}` is not a number").into())
}

fn strings(row: &serde_json::Value, field: &str) -> Result<Vec<String>, Failure> {
    Ok(serde_json::from_value(row[field].clone()).map_err(|e| format!("`{field}`: {e}"))?)
}

fn floats(row: &serde_json::Value, field: &str) -> Result<[f64; 3], Failure> {
    Ok(serde_json::from_value(row[field].clone()).map_err(|e| format!("`{field}`: {e}"))?)
}
