//! The cache as Python's library lays it out: `models--org--name/{refs,snapshots,blobs}`.
//!
//! `refs/main` holds a commit, `snapshots/COMMIT` the files of it as links into `blobs`, whose names are the files' sums.

use super::{Hub, Id};
use crate::{CheckpointError, Result};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// One commit of a model in the cache; files that were never asked for may be missing in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The commit.
    pub commit: String,
    /// The folder with the files.
    pub path: PathBuf,
}

/// A model in the cache.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CachedModel {
    /// `org/name`.
    pub id: String,
    /// Branches and tags that were asked for, with the commits that they were.
    pub revisions: Vec<(String, String)>,
    /// Commits that files are there of.
    pub commits: Vec<String>,
    /// Bytes on disk.
    pub bytes: u64,
    /// Downloads that were cut off.
    pub unfinished: usize,
    /// Its folder in the cache.
    pub path: PathBuf,
}

impl Hub {
    /// The commit of an id's revision, if any of its files are in the cache.
    pub fn snapshot(&self, id: &Id) -> Option<Snapshot> {
        let folder = self.cache.join(id.folder());
        let commit = std::fs::read_to_string(folder.join("refs").join(id.revision()))
            .map(|commit| commit.trim().to_owned())
            .unwrap_or_else(|_| id.revision().to_owned());
        let path = folder.join("snapshots").join(&commit);
        (!commit.is_empty() && path.is_dir()).then_some(Snapshot { commit, path })
    }

    /// All models in the cache, by name. A cache that is not there holds none.
    ///
    /// # Errors
    /// For folders that cannot be read.
    pub fn list(&self) -> Result<Vec<CachedModel>> {
        let mut models = Vec::new();
        for name in names(&self.cache)? {
            let Some(id) = name.strip_prefix("models--") else { continue };
            models.push(model(id.replacen("--", "/", 1), self.cache.join(&name))?);
        }
        Ok(models)
    }
}

fn model(id: String, path: PathBuf) -> Result<CachedModel> {
    let mut revisions = Vec::new();
    collect_refs(&path.join("refs"), "", &mut revisions)?;
    let (mut bytes, mut unfinished) = (0, 0);
    let blobs = path.join("blobs");
    for name in names(&blobs)? {
        if name.ends_with(".lock") {
            continue;
        }
        unfinished += usize::from(name.ends_with(".incomplete") || name.ends_with(".part"));
        bytes += std::fs::metadata(blobs.join(&name)).map_or(0, |metadata| metadata.len());
    }
    Ok(CachedModel { id, revisions, commits: names(&path.join("snapshots"))?, bytes, unfinished, path })
}

/// Revisions may have slashes in them (`refs/pr/1`), and so folders.
fn collect_refs(folder: &Path, prefix: &str, found: &mut Vec<(String, String)>) -> Result<()> {
    for name in names(folder)? {
        let (path, revision) = (folder.join(&name), format!("{prefix}{name}"));
        if path.is_dir() {
            collect_refs(&path, &format!("{revision}/"), found)?;
        } else if let Ok(commit) = std::fs::read_to_string(&path) {
            found.push((revision, commit.trim().to_owned()));
        }
    }
    Ok(())
}

/// Names in a folder, sorted; none where it is not there.
fn names(folder: &Path) -> Result<Vec<String>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|error| CheckpointError::io(folder, &error))?,
    };
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    Ok(names)
}
