//! Whether files are whole and their values finite: every byte is read.

mod hash;
mod values;

use crate::format::{is_index, shards};
use crate::layout::is_weights;
use crate::{CheckpointError, Layout, Result, TensorFile};
use serde::Serialize;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What was looked at, and what is wrong with it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// Weight files, by path.
    pub files: Vec<VerifiedFile>,
    /// All faults; none for a sound checkpoint.
    pub problems: Vec<Problem>,
}

/// A weight file that was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VerifiedFile {
    /// The file.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// Tensors in it.
    pub tensors: usize,
    /// The sum of its bytes.
    pub sha256: String,
    /// The sum that the hub gave it, where the file lies in the hub's cache; it was held against it.
    pub expected_sha256: Option<String>,
}

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The file or folder.
    pub path: PathBuf,
    /// The tensor, for a fault of one.
    pub tensor: Option<String>,
    /// What is wrong.
    pub problem: String,
    /// What to do about it.
    pub mend: String,
}

impl Verification {
    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }

    fn fault(&mut self, path: &Path, error: &CheckpointError) {
        let problem = error.message().to_owned();
        if self.problems.iter().all(|known| known.problem != problem) {
            self.problems.push(Problem {
                path: path.to_owned(),
                tensor: None,
                problem,
                mend: error.mend().to_owned(),
            });
        }
    }
}

/// Reads all weight files at and below `path`: headers and lengths, shards that an index lists, every value, every byte's
/// sum; and whether the components that a directory lists are there. `progress` is told the bytes that were read, which
/// come to twice the size of the files ([`bytes_to_read`]). Faults are listed, not returned one by one.
pub fn verify(path: &Path, progress: &mut dyn FnMut(u64)) -> Verification {
    let mut report = Verification::default();
    for file in files(path) {
        if is_index(&file) {
            if let Err(error) = shards(&file) {
                report.fault(&file, &error);
            }
        } else if file.extension().is_some_and(|ending| ending == "json") {
            check_json(&file, &mut report);
        } else {
            check_weights(&file, &mut report, progress);
        }
    }
    if let Err(error) = Layout::recognise(path) {
        report.fault(path, &error);
    }
    report
}

/// The SHA-256 of a file, in lower-case hexadecimal digits.
///
/// # Errors
/// For a file that cannot be read.
pub fn sha256(path: &Path) -> Result<String> {
    Ok(hash::sha256(path, &mut |_| ())?.1)
}

/// Bytes of which [`verify`] will tell.
pub fn bytes_to_read(path: &Path) -> u64 {
    let size = |file: &PathBuf| file.metadata().map_or(0, |metadata| metadata.len());
    2 * files(path).iter().filter(|file| is_weight_file(file)).map(size).sum::<u64>()
}

fn is_weight_file(path: &Path) -> bool {
    path.file_name().is_some_and(|name| is_weights(&name.to_string_lossy()))
}

/// The path itself, or weights, indices and other JSON files below it, sorted.
fn files(path: &Path) -> Vec<PathBuf> {
    if !path.is_dir() {
        return vec![path.to_owned()];
    }
    let (mut found, mut folders, mut seen) = (BTreeSet::new(), vec![path.to_owned()], BTreeSet::new());
    while let Some(folder) = folders.pop() {
        // Links may lead back up.
        if !folder.canonicalize().is_ok_and(|real| seen.insert(real)) {
            continue;
        }
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries.filter_map(|entry| entry.ok()).map(|entry| entry.path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else if is_weight_file(&entry) || entry.extension().is_some_and(|ending| ending == "json") {
                found.insert(entry);
            }
        }
    }
    found.into_iter().collect()
}

fn check_json(file: &Path, report: &mut Verification) {
    let parsed = std::fs::read(file).map_err(|error| CheckpointError::io(file, &error)).and_then(|text| {
        serde_json::from_slice::<serde::de::IgnoredAny>(&text)
            .map_err(|error| CheckpointError::malformed(file, format!("not JSON: {error}")))
    });
    if let Err(error) = parsed {
        report.fault(file, &error);
    }
}

fn check_weights(path: &Path, report: &mut Verification, progress: &mut dyn FnMut(u64)) {
    let expected_sha256 = hash::expected(path);
    let (bytes, sha256) = match hash::sha256(path, progress) {
        Ok(hashed) => hashed,
        Err(error) => return report.fault(path, &error),
    };
    if let Some(expected) = expected_sha256.as_ref().filter(|expected| **expected != sha256) {
        report.problems.push(Problem {
            path: path.to_owned(),
            tensor: None,
            problem: format!("{} has the sum {sha256}, but the hub's is {expected}", path.display()),
            mend: "remove it from the cache and pull it once more".into(),
        });
    }
    let mut tensors = 0;
    match TensorFile::open(path) {
        Ok(file) => {
            tensors = file.tensors().len();
            check_values(&file, report, progress);
        }
        Err(error) => report.fault(path, &error),
    }
    report.files.push(VerifiedFile { path: path.to_owned(), bytes, tensors, sha256, expected_sha256 });
}

fn check_values(file: &TensorFile, report: &mut Verification, progress: &mut dyn FnMut(u64)) {
    for info in file.tensors() {
        let found = match file.read(&info.name) {
            Ok(bytes) => values::count(info.dtype, &bytes),
            Err(error) => {
                report.fault(file.path(), &error);
                continue;
            }
        };
        progress(info.bytes);
        if found.nan + found.infinite > 0 {
            report.problems.push(Problem {
                path: file.path().to_owned(),
                tensor: Some(info.name.clone()),
                problem: format!(
                    "{}: tensor {} holds {} NaN and {} infinite of {} values",
                    file.path().display(),
                    info.name,
                    found.nan,
                    found.infinite,
                    info.elements()
                ),
                mend: "no trained model holds one: take the checkpoint from its source again, or another"
                    .into(),
            });
        }
    }
}
