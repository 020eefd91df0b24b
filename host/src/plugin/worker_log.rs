//! What a worker prints: kept in a file, and its last lines quoted when the worker dies.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

const QUOTED_BYTES: u64 = 4096;
const QUOTED_LINES: usize = 6;
const QUOTED_CHARS: usize = 800;

/// The file that a worker's standard output and standard error go to.
pub struct WorkerLog {
    file: File,
    path: Option<PathBuf>,
    /// Where this worker's part begins; an earlier one may have written to the same file.
    start: u64,
}

impl WorkerLog {
    /// Opens a log for appending, with its directory; without a path, a temporary file without a name.
    ///
    /// # Errors
    /// When the file cannot be opened or made.
    pub fn open(path: Option<&Path>) -> io::Result<Self> {
        let Some(path) = path else {
            return Ok(Self { file: tempfile::tempfile()?, path: None, start: 0 });
        };
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory)?;
        }
        let file = OpenOptions::new().create(true).append(true).read(true).open(path)?;
        let start = file.metadata()?.len();
        Ok(Self { file, path: Some(path.to_owned()), start })
    }

    /// The log as an output of a process to start.
    ///
    /// # Errors
    /// When the descriptor cannot be duplicated.
    pub fn output(&self) -> io::Result<Stdio> {
        self.file.try_clone().map(Stdio::from)
    }

    /// Where the log is, if it has a name.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// The last lines of this worker's output, in one line.
    pub fn last_words(&self) -> String {
        let Ok(metadata) = self.file.metadata() else { return String::new() };
        let from = metadata.len().saturating_sub(QUOTED_BYTES).max(self.start);
        let mut bytes = vec![0; usize::try_from(metadata.len().saturating_sub(from)).unwrap_or(0)];
        let read = self.file.read_at(&mut bytes, from).unwrap_or(0);
        let text = String::from_utf8_lossy(&bytes[..read]);
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| says_something(line)).collect();
        let words = lines[lines.len().saturating_sub(QUOTED_LINES)..].join(" / ");
        let skip = words.chars().count().saturating_sub(QUOTED_CHARS);
        words.chars().skip(skip).map(|c| if c.is_control() { ' ' } else { c }).collect()
    }
}

/// Rust's own advice to programmers takes the place of a line that says what happened.
fn says_something(line: &str) -> bool {
    !line.is_empty() && !line.starts_with("note: run with `RUST_BACKTRACE")
}

impl Drop for WorkerLog {
    /// A worker that said nothing leaves no file behind.
    fn drop(&mut self) {
        let silent = self.file.metadata().is_ok_and(|m| m.len() == 0);
        if let Some(path) = self.path.as_ref().filter(|_| silent) {
            let _ = std::fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn only_the_end_of_this_workers_output_is_quoted() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("logs/worker.log");
        writeln!(&WorkerLog::open(Some(&path)).unwrap().file, "of an earlier worker").unwrap();
        let log = WorkerLog::open(Some(&path)).unwrap();
        assert_eq!(log.last_words(), "");
        for line in 0..2000 {
            writeln!(&log.file, "line {line}\n").unwrap();
        }
        writeln!(&log.file, "note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace")
            .unwrap();
        assert_eq!(log.last_words(), "line 1994 / line 1995 / line 1996 / line 1997 / line 1998 / line 1999");
        assert!(std::fs::read_to_string(&path).unwrap().starts_with("of an earlier worker\nline 0\n"));
    }
}
