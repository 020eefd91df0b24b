//! `metrics.jsonl` and `TensorBoard`'s event files: what a training was like, step by step.
//!
//! `metrics.jsonl` holds nothing that depends on the clock, so that a training that was interrupted ends with the same bytes.

use super::TrainError;
use super::tensorboard::EventFile;
use crate::bench::BenchError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// What a line is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Of {
    /// One optimizer step.
    Step,
    /// A whole epoch.
    Epoch,
}

/// One line of `metrics.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MetricsLine {
    /// What it is of.
    pub of: Of,
    /// Optimizer steps that were taken so far.
    pub step: u64,
    /// The epoch, from 1; 0 is before the first step.
    pub epoch: u32,
    /// Values by name.
    pub metrics: BTreeMap<String, f64>,
}

/// Writes both.
pub struct MetricsLog {
    path: PathBuf,
    file: File,
    length: u64,
    /// Made with the first line: a training that has nothing left to do leaves no empty file.
    events: Option<EventFile>,
}

impl MetricsLog {
    /// Opens the log in a training's directory at a known length: lines after it are of steps that are taken anew.
    ///
    /// # Errors
    /// [`TrainError::Bench`] when it cannot be written.
    pub fn open(dir: &Path, length: u64) -> Result<Self, TrainError> {
        let path = dir.join("metrics.jsonl");
        let open = || {
            let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(&path)?;
            file.set_len(length)?;
            file.seek(SeekFrom::End(0))?;
            Ok(file)
        };
        let file = open().map_err(BenchError::write(&path))?;
        Ok(Self { path, file, length, events: None })
    }

    /// Adds a line. Values that are not finite are left out: neither reader takes them.
    ///
    /// # Errors
    /// As above.
    pub fn add(&mut self, mut line: MetricsLine) -> Result<(), TrainError> {
        line.metrics.retain(|_, value| value.is_finite());
        let text = serde_json::to_string(&line).unwrap_or_default() + "\n";
        self.file.write_all(text.as_bytes()).map_err(BenchError::write(&self.path))?;
        let folder = self.path.with_file_name("tensorboard");
        let events = match &mut self.events {
            Some(events) => events,
            none => none.insert(EventFile::create(&folder).map_err(BenchError::write(&folder))?),
        };
        events.scalars(line.step, &line.metrics).map_err(BenchError::write(&folder))?;
        self.length += text.len() as u64;
        Ok(())
    }

    /// Brings all lines to the disk, and gives their length.
    ///
    /// # Errors
    /// As above.
    pub fn commit(&mut self) -> Result<u64, TrainError> {
        self.file.sync_data().map_err(BenchError::write(&self.path))?;
        Ok(self.length)
    }
}

/// The lines of a training's log.
///
/// # Errors
/// [`TrainError::Bench`] when it cannot be read.
pub fn read(dir: &Path) -> Result<Vec<MetricsLine>, TrainError> {
    let path = dir.join("metrics.jsonl");
    let text = std::fs::read_to_string(&path).map_err(BenchError::read(&path))?;
    Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_after_the_known_length_are_written_anew() {
        let room = tempfile::tempdir().unwrap();
        let line = |step| MetricsLine {
            of: Of::Step,
            step,
            epoch: 1,
            metrics: BTreeMap::from([("loss".into(), step as f64), ("nothing".into(), f64::NAN)]),
        };
        let mut log = MetricsLog::open(room.path(), 0).unwrap();
        log.add(line(1)).unwrap();
        let known = log.commit().unwrap();
        log.add(line(2)).unwrap();
        let mut log = MetricsLog::open(room.path(), known).unwrap();
        log.add(line(3)).unwrap();
        let steps: Vec<u64> = read(room.path()).unwrap().iter().map(|line| line.step).collect();
        assert_eq!(steps, [1, 3]);
        assert_eq!(read(room.path()).unwrap()[0].metrics.len(), 1, "no NaN");
    }
}
