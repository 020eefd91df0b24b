//! Creatives on disk: pictures with a JSON sidecar each, as `adeval render` writes them.

use adeval_sdk::Placement;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// A creative, and what was placed on it. A sidecar needs these four fields; it may have others.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Finished {
    /// Which system made it; creatives of one entry are summed up together.
    #[serde(default = "unnamed")]
    pub entry: String,
    /// Id of the product.
    pub product: String,
    /// The picture: as written, or beside the sidecar under its file name.
    pub image: PathBuf,
    /// Where the product's alpha box was put.
    pub placement: Placement,
}

fn unnamed() -> String {
    "creatives".into()
}

/// The creatives of a folder, in the order of their sidecars' names, and a sentence for each sidecar that names none.
///
/// # Errors
/// One sentence, when the folder cannot be read.
pub fn finished(folder: &Path) -> Result<(Vec<Finished>, Vec<String>), String> {
    let cannot = |e: std::io::Error| format!("{}: cannot be read: {e}", folder.display());
    let entries = std::fs::read_dir(folder).map_err(cannot)?;
    let mut sidecars =
        entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, _>>().map_err(cannot)?;
    sidecars.retain(|path| path.extension().is_some_and(|e| e.eq_ignore_ascii_case("json")));
    sidecars.sort();
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for sidecar in sidecars {
        match read(&sidecar) {
            Ok(one) => good.push(one),
            Err(reason) => bad.push(format!("{}: {reason}", sidecar.display())),
        }
    }
    Ok((good, bad))
}

fn read(sidecar: &Path) -> Result<Finished, String> {
    let text = std::fs::read_to_string(sidecar).map_err(|e| format!("cannot be read: {e}"))?;
    let value: serde_json::Value = serde_json::from_str(&text).map_err(|e| format!("is no JSON: {e}"))?;
    if let Some(error) = value.get("error").and_then(|error| error.as_str()) {
        return Err(format!("this creative was not made: {error}"));
    }
    let mut one: Finished = serde_json::from_value(value)
        .map_err(|e| format!("is no sidecar of a creative (product, image, placement): {e}"))?;
    let beside = one.image.file_name().map(|name| sidecar.with_file_name(name)).filter(|path| path.exists());
    if let Some(beside) = beside {
        one.image = beside;
    } else if !one.image.exists() {
        return Err(format!("{} does not exist; keep it beside its sidecar", one.image.display()));
    }
    Ok(one)
}
