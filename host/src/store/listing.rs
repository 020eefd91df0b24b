//! Runs of a folder, read without disturbing a process that works in them.

use super::{RunManifest, record};
use crate::bench::{BenchError, RunResult, Shard, ShardReport};
use serde::{Serialize, de::DeserializeOwned};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// One run in a list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunSummary {
    /// Name of its directory.
    pub name: String,
    /// Its directory.
    pub dir: PathBuf,
    /// Name of its suite.
    pub suite: String,
    /// Number of results so far.
    pub records: usize,
    /// Which part of its suite; absent when it is of the whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shard: Option<Shard>,
    /// Whether it has a board, or a shard's report.
    pub finished: bool,
    /// The best entry of the board, or the best optimizer where there is no entry.
    pub leader: Option<String>,
    /// Last change, in seconds since 1970.
    pub modified: u64,
}

/// A run, read only.
#[derive(Debug, Clone)]
pub struct Run {
    /// Its directory.
    pub dir: PathBuf,
    /// What it is of.
    pub manifest: RunManifest,
    /// Number of results so far.
    pub records: usize,
    /// Its board, when it is finished.
    pub result: Option<RunResult>,
    /// Its report, when it is a finished shard.
    pub shard: Option<ShardReport>,
}

/// The runs of a folder, newest first; an absent folder has none.
///
/// # Errors
/// [`BenchError::Read`] when the folder cannot be listed. A directory that is no run is passed over.
pub fn list(root: &Path) -> Result<Vec<RunSummary>, BenchError> {
    let entries = match std::fs::read_dir(root) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(BenchError::read(root)(e)),
    };
    let mut runs = Vec::new();
    for entry in entries {
        let dir = entry.map_err(BenchError::read(root))?.path();
        let Ok(run) = open_read(&dir) else { continue };
        let modified = std::fs::metadata(dir.join("records.jsonl")).and_then(|m| m.modified());
        runs.push(RunSummary {
            name: dir.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            suite: run.manifest.suite.clone(),
            records: run.records,
            shard: run.manifest.shard,
            finished: run.result.is_some() || run.shard.is_some(),
            leader: run.result.as_ref().and_then(RunResult::leader).map(str::to_owned),
            modified: modified.ok().map_or(0, seconds),
            dir,
        });
    }
    runs.sort_by(|a, b| b.modified.cmp(&a.modified).then_with(|| a.name.cmp(&b.name)));
    Ok(runs)
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs())
}

/// Reads a run.
///
/// # Errors
/// [`BenchError::Read`] when the directory is no run or its files are damaged.
pub fn open_read(dir: &Path) -> Result<Run, BenchError> {
    let manifest = open_manifest(dir)?;
    let (records, _) = record::read(&dir.join("records.jsonl"))?;
    let result = read_json(&dir.join("result.json"))?;
    let shard = ShardReport::read(dir)?;
    Ok(Run { dir: dir.to_owned(), manifest, records: records.len(), result, shard })
}

/// Reads what a run is of.
///
/// # Errors
/// As [`open_read`].
pub fn open_manifest(dir: &Path) -> Result<RunManifest, BenchError> {
    read_json(&dir.join("run.json"))?.ok_or_else(|| BenchError::Read {
        path: dir.to_owned(),
        reason: "is no run directory (it has no run.json); `adeval runs list` shows the runs".into(),
    })
}

/// A JSON file's value; `None` when there is no such file.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, BenchError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(BenchError::read(path)(e)),
    };
    serde_json::from_str(&text).map(Some).map_err(|e| BenchError::Read {
        path: path.to_owned(),
        reason: format!("is damaged or of another version ({e}); remove it and run the bench again"),
    })
}
