//! The index of a sharded checkpoint: which file holds which tensor.

use crate::{CheckpointError, Result};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// Whether the name is that of an index: `model.safetensors.index.json`, also with a variant before `json`.
pub fn is_index(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    name.ends_with(".json") && name.contains(".index.")
}

/// The shards of an index, each once, in the order of their names.
///
/// # Errors
/// For an index that cannot be read, that leads out of its folder, or whose files are not all there (all are named).
pub fn shards(path: &Path) -> Result<Vec<PathBuf>> {
    let text = std::fs::read(path).map_err(|error| CheckpointError::io(path, &error))?;
    let index: Index = serde_json::from_slice(&text)
        .map_err(|error| CheckpointError::malformed(path, format!("not an index of shards: {error}")))?;
    let names: BTreeSet<String> = index.weight_map.into_values().collect();
    let folder = path.parent().unwrap_or(Path::new(""));
    if let Some(name) = names.iter().find(|name| !is_below(name)) {
        return Err(CheckpointError::malformed(path, format!("the shard {name} is outside its folder")));
    }
    let missing: Vec<&str> =
        names.iter().filter(|name| !folder.join(name).is_file()).map(String::as_str).collect();
    if !missing.is_empty() {
        let message = format!("{} lists shards that are not there: {}", path.display(), missing.join(", "));
        return Err(CheckpointError::missing(message, "download the missing files into the same folder"));
    }
    Ok(names.iter().map(|name| folder.join(name)).collect())
}

/// A relative path that does not climb.
pub(crate) fn is_below(name: &str) -> bool {
    !name.is_empty() && Path::new(name).components().all(|part| matches!(part, Component::Normal(_)))
}
