//! The run store: a directory in which nothing that was computed is lost or computed twice.
//!
//! `run.json` says what the run is of; `records.jsonl` grows by one line for each result, keyed by a hash of everything
//! that the result depends on; `images/` and `features/` hold the pixels and vectors. A file appears under its name only
//! when it is whole. `result.json`, `LEADERBOARD.md` and `sheets/` can be made again from the rest.

mod adopt;
mod files;
mod listing;
mod manifest;
mod record;

use crate::bench::BenchError;
use adeval_sdk::Placement;
pub(crate) use files::sharded;
pub use files::{encode_png, write_whole};
pub(crate) use listing::read_json;
pub use listing::{Run, RunSummary, list, open_manifest, open_read};
pub use manifest::{ComponentUse, FORMAT_VERSION, ProductList, RunManifest};
pub use record::{Outcome, Record};
use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A run directory, held by this process alone until dropped.
#[derive(Debug)]
pub struct Store {
    dir: PathBuf,
    inner: Mutex<Inner>,
    /// Its lock ends with the file; a copy that is only read may have none.
    _lock: Option<File>,
}

#[derive(Debug)]
struct Inner {
    file: File,
    records: HashMap<String, Record>,
    appended: usize,
}

impl Store {
    /// Opens or makes a run directory; a torn last line is cut off, and results whose files are missing or damaged are
    /// forgotten, so that they are computed again.
    ///
    /// # Errors
    /// [`BenchError::Locked`] when another process has it, [`BenchError::Write`] when it cannot be written.
    pub fn open(dir: &Path) -> Result<Self, BenchError> {
        for folder in ["images", "features", "logs", "sheets"] {
            let folder = dir.join(folder);
            std::fs::create_dir_all(&folder).map_err(BenchError::write(&folder))?;
        }
        let lock = lock(dir)?;
        let path = dir.join("records.jsonl");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(BenchError::write(&path))?;
        let (mut records, whole) = record::read(&path)?;
        file.set_len(whole).map_err(BenchError::write(&path))?;
        file.seek(SeekFrom::End(0)).map_err(BenchError::write(&path))?;
        files::forget_damaged(dir, &mut records);
        let inner = Mutex::new(Inner { file, records, appended: 0 });
        Ok(Self { dir: dir.to_owned(), inner, _lock: Some(lock) })
    }

    /// Opens a run directory to read it, and keeps others from writing there. Nothing in it is changed; results whose files
    /// are missing or damaged are left out.
    ///
    /// # Errors
    /// [`BenchError::Locked`] when another process writes there, [`BenchError::Read`] when it cannot be read.
    pub fn open_read(dir: &Path) -> Result<Self, BenchError> {
        let lock = share_lock(dir)?;
        let path = dir.join("records.jsonl");
        let file = File::open(&path).map_err(BenchError::read(&path))?;
        let (mut records, _) = record::read(&path)?;
        for (key, _) in files::damaged(dir, &records) {
            records.remove(&key);
        }
        let inner = Mutex::new(Inner { file, records, appended: 0 });
        Ok(Self { dir: dir.to_owned(), inner, _lock: lock })
    }

    /// The run directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The result under a key, a failure too.
    pub fn get(&self, key: &str) -> Option<Record> {
        self.inner().records.get(key).cloned()
    }

    /// Whether there is a result under a key.
    pub fn has(&self, key: &str) -> bool {
        self.inner().records.contains_key(key)
    }

    /// All results, in no order.
    pub fn records(&self) -> Vec<Record> {
        self.inner().records.values().cloned().collect()
    }

    /// Number of results.
    pub fn len(&self) -> usize {
        self.inner().records.len()
    }

    /// Whether there is no result yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of results that were added since it was opened; costs are not counted.
    pub fn appended(&self) -> usize {
        self.inner().appended
    }

    /// Forgets failures, so that they are tried again. The file keeps them until a new result stands after them.
    pub fn forget_failures(&self) {
        self.inner().records.retain(|_, r| !matches!(r.outcome, Outcome::Failed { .. }));
    }

    /// Adds results and makes sure that they are on the disk.
    ///
    /// # Errors
    /// [`BenchError::Write`]; the file then ends as it did before.
    pub fn append(&self, records: &[Record]) -> Result<(), BenchError> {
        if records.is_empty() {
            return Ok(());
        }
        let path = self.dir.join("records.jsonl");
        let mut lines = Vec::new();
        let mut read_back = Vec::with_capacity(records.len());
        for record in records {
            let line = serde_json::to_string(record).map_err(|e| BenchError::write(&path)(e.into()))?;
            // What a later process will read, to the last bit of every number, is what this one uses.
            read_back.push(serde_json::from_str(&line).unwrap_or_else(|_| record.clone()));
            lines.extend_from_slice(line.as_bytes());
            lines.push(b'\n');
        }
        let mut inner = self.inner();
        let before = inner.file.stream_position().map_err(BenchError::write(&path))?;
        let written = inner.file.write_all(&lines).and_then(|()| inner.file.sync_data());
        if let Err(error) = written {
            // Best effort: a torn line that stays is cut off at the next opening.
            let _ = inner.file.set_len(before).and_then(|()| inner.file.seek(SeekFrom::Start(before)));
            return Err(BenchError::write(&path)(error));
        }
        // A larger peak of memory is a cost of the results, not one of them.
        inner.appended += read_back.iter().filter(|r| !matches!(r.outcome, Outcome::Memory(_))).count();
        inner.records.extend(read_back.into_iter().map(|r| (r.key.clone(), r)));
        Ok(())
    }

    /// Keeps an encoded image under the hash of its bytes, and gives the hash.
    ///
    /// # Errors
    /// [`BenchError::Write`].
    pub fn put_image(&self, png: &[u8]) -> Result<String, BenchError> {
        let hash = blake3::hash(png).to_hex().to_string();
        let path = self.image_path(&hash);
        if !path.exists() {
            write_whole(&path, png)?;
        }
        Ok(hash)
    }

    /// Where an image is.
    pub fn image_path(&self, hash: &str) -> PathBuf {
        files::sharded(&self.dir.join("images"), hash, "png")
    }

    /// Keeps a feature vector under a key.
    ///
    /// # Errors
    /// [`BenchError::Write`].
    pub fn put_features(&self, key: &str, vector: &[f32]) -> Result<(), BenchError> {
        let bytes: Vec<u8> = vector.iter().flat_map(|v| v.to_le_bytes()).collect();
        write_whole(&files::sharded(&self.dir.join("features"), key, "f32"), &bytes)
    }

    /// The feature vector under a key.
    pub fn features(&self, key: &str) -> Option<Vec<f32>> {
        let bytes = std::fs::read(files::sharded(&self.dir.join("features"), key, "f32")).ok()?;
        let (floats, _) = bytes.as_chunks::<4>();
        Some(floats.iter().map(|b| f32::from_le_bytes(*b)).collect())
    }

    /// Writes the run's description.
    ///
    /// # Errors
    /// [`BenchError::Write`].
    pub fn write_manifest(&self, manifest: &RunManifest) -> Result<(), BenchError> {
        write_json(&self.dir.join("run.json"), manifest)
    }

    /// The image and placement of a creative, when the key holds one.
    pub fn creative(&self, key: &str) -> Option<(String, Placement, Option<f64>)> {
        match self.get(key)? {
            Record { outcome: Outcome::Creative { image, placement }, seconds, .. } => {
                Some((image, placement, seconds))
            }
            _ => None,
        }
    }
}

/// Writes a value as indented JSON with a newline at its end; whole or not at all.
///
/// # Errors
/// [`BenchError::Write`].
pub fn write_json<T: serde::Serialize>(path: &Path, value: &T) -> Result<(), BenchError> {
    let mut text = serde_json::to_string_pretty(value).map_err(|e| BenchError::write(path)(e.into()))?;
    text.push('\n');
    write_whole(path, text.as_bytes())
}

fn lock(dir: &Path) -> Result<File, BenchError> {
    let path = dir.join("lock");
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(BenchError::write(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(BenchError::Locked(dir.to_owned())),
        Err(TryLockError::Error(error)) => Err(BenchError::write(&path)(error)),
    }
}

/// A lock that other readers share; none when the directory was copied without it.
fn share_lock(dir: &Path) -> Result<Option<File>, BenchError> {
    let path = dir.join("lock");
    let file = match File::open(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(BenchError::read(&path))?,
    };
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => Err(BenchError::Locked(dir.to_owned())),
        Err(TryLockError::Error(error)) => Err(BenchError::read(&path)(error)),
        Ok(()) => Ok(Some(file)),
    }
}

#[cfg(test)]
mod tests;
