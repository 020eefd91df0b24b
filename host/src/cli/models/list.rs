//! What is there.

use crate::cli::exit::{Finish, Stop};
use crate::cli::{Session, output};
use adeval_checkpoints::hub::Id;
use adeval_checkpoints::plan::size;
use adeval_checkpoints::{Base, Hub, Layout};
use serde::Serialize;
use serde_json::json;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  adeval models list
  adeval models list --dir ~/checkpoints
  ADEVAL_MODELS=~/checkpoints adeval models list --json | jq '.models[].path'";

#[derive(clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", super::PLACES))]
pub struct ListArgs {
    /// A folder of models, files or folders; may be repeated. ADEVAL_MODELS names one, too.
    #[arg(long = "dir", value_name = "DIR")]
    dirs: Vec<PathBuf>,
}

/// One model.
#[derive(Serialize)]
struct Row {
    /// Its id on the hub, or its name in the folder.
    name: String,
    /// `hub`, or the folder that it is in.
    place: String,
    path: PathBuf,
    /// What it is; null where it was not recognised.
    what: Option<String>,
    base: Option<Base>,
    bytes: u64,
    /// Downloads that were cut off.
    unfinished: usize,
    /// Why it was not recognised.
    problem: Option<String>,
}

pub fn run(args: &ListArgs, session: Session) -> Result<Finish, Stop> {
    let hub = Hub::from_env();
    let mut rows = cached(&hub)?;
    let own = std::env::var_os("ADEVAL_MODELS").filter(|dir| !dir.is_empty()).map(PathBuf::from);
    let dirs: Vec<PathBuf> = args.dirs.iter().cloned().chain(own).collect();
    for dir in &dirs {
        rows.extend(in_folder(dir)?);
    }
    if session.json {
        return output::print_json(&json!({ "cache": hub.cache(), "directories": dirs, "models": rows }));
    }
    if rows.is_empty() {
        let places: Vec<String> = dirs
            .iter()
            .map(PathBuf::as_path)
            .chain([hub.cache()])
            .map(|dir| dir.display().to_string())
            .collect();
        return output::print(&format!(
            "no models in {}\n`adeval models pull ID` downloads one; --dir names a folder of your own",
            places.join(" and ")
        ));
    }
    let line = |row: &Row| {
        let what = row.what.clone().unwrap_or_else(|| "not recognised".into());
        let unfinished = if row.unfinished > 0 { "\n(a download was cut off)" } else { "" };
        [row.name.clone(), what + unfinished, size(row.bytes), row.place.clone()]
    };
    output::print(&output::table(["MODEL", "WHAT IT IS", "SIZE", "PLACE"], rows.iter().map(line)))?;
    for row in &rows {
        if let Some(problem) = &row.problem {
            output::warn(&format!("{}: {problem}", row.name));
        }
    }
    Ok(Finish::Done)
}

/// Models of the hub's cache, at the revision that was pulled last: `main`, or the only one.
fn cached(hub: &Hub) -> Result<Vec<Row>, Stop> {
    let mut rows = Vec::new();
    for model in hub.list()? {
        let revision = match model.revisions.iter().find(|(revision, _)| revision == "main") {
            Some(_) => None,
            None => model.revisions.first().map(|(revision, _)| revision.clone()),
        };
        let snapshot = hub.snapshot(&Id { name: model.id.clone(), revision });
        let path = snapshot.map_or_else(|| model.path.clone(), |snapshot| snapshot.path);
        let mut row = recognised(model.id, "hub".into(), path);
        row.bytes = model.bytes;
        row.unfinished = model.unfinished;
        rows.push(row);
    }
    Ok(rows)
}

/// Files of weights, folders of models, and folders of such folders (`org/name`).
fn in_folder(dir: &Path) -> Result<Vec<Row>, Stop> {
    let place = dir.display().to_string();
    let mut rows = Vec::new();
    for path in entries(dir)? {
        let name = |path: &Path| path.strip_prefix(dir).unwrap_or(path).display().to_string();
        let row = recognised(name(&path), place.clone(), path.clone());
        let inner = if row.what.is_none() && path.is_dir() { entries(&path)? } else { Vec::new() };
        let inner: Vec<Row> = inner
            .into_iter()
            .map(|path| recognised(name(&path), place.clone(), path))
            .filter(|row| row.what.is_some())
            .collect();
        if inner.is_empty() && is_model(&row) {
            rows.push(row);
        }
        rows.extend(inner);
    }
    Ok(rows)
}

/// Other files than weights lie in such folders too, and are of no interest.
fn is_model(row: &Row) -> bool {
    let ending = row.path.extension().unwrap_or_default().to_string_lossy().into_owned();
    row.what.is_some()
        || row.path.join("model_index.json").exists()
        || row.path.join("config.json").exists()
        || ["safetensors", "ckpt", "bin", "pth", "pt"].contains(&ending.as_str())
}

fn entries(dir: &Path) -> Result<Vec<PathBuf>, Stop> {
    let read = std::fs::read_dir(dir).map_err(|error| {
        Stop::new(format!("{}: {error}", dir.display())).help("name a folder that is there")
    })?;
    let mut paths: Vec<PathBuf> = read.filter_map(|entry| entry.ok()).map(|entry| entry.path()).collect();
    paths.sort();
    Ok(paths)
}

fn recognised(name: String, place: String, path: PathBuf) -> Row {
    let layout = Layout::recognise(&path);
    let bytes = bytes_of(&path);
    let (what, base, problem) = match layout {
        Ok(layout) => (Some(layout.describe()), layout.base, None),
        Err(error) => (None, None, Some(error.message().to_owned())),
    };
    Row { name, place, path, what, base, bytes, unfinished: 0, problem }
}

/// Bytes of a file, or of all files in and below a folder; links out of it are not followed.
fn bytes_of(path: &Path) -> u64 {
    let Ok(metadata) = path.symlink_metadata() else { return 0 };
    if !metadata.is_dir() {
        return path.metadata().map_or(0, |metadata| metadata.len());
    }
    let entries = std::fs::read_dir(path).into_iter().flatten().filter_map(|entry| entry.ok());
    entries.map(|entry| bytes_of(&entry.path())).sum()
}
