//! What can be wrong with a checkpoint: a kind for programs, a sentence and its mend for people.

use std::fmt::{Display, Formatter};
use std::path::Path;

/// Result with a [`CheckpointError`].
pub type Result<T> = std::result::Result<T, CheckpointError>;

/// What sort of fault it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A file cannot be read or written.
    Io,
    /// A file is shorter than it says it is.
    Truncated,
    /// A file does not keep its format.
    Malformed,
    /// A pickle asks for something that loading weights never needs, or is of a kind that is not read.
    Refused,
    /// A file, a component or a tensor that is asked for is not there.
    Missing,
    /// A whole and sound checkpoint, of another model than the one that is wanted.
    Mismatch,
    /// The hub did not give what was asked of it.
    Hub,
    /// The network would be needed, and offline mode is on.
    Offline,
}

/// A fault that names the file (and the key, where there is one), and says what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointError {
    kind: ErrorKind,
    message: String,
    mend: String,
}

impl CheckpointError {
    /// `message` is a sentence without its end that names what is wrong; `mend` says what to do about it.
    pub fn new(kind: ErrorKind, message: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { kind, message: message.into(), mend: mend.into() }
    }

    /// What sort of fault it is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What is wrong, without the mend.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do about it.
    pub fn mend(&self) -> &str {
        &self.mend
    }

    pub(crate) fn io(path: &Path, source: &std::io::Error) -> Self {
        let message = format!("{}: {source}", path.display());
        Self::new(ErrorKind::Io, message, "check the path and its permissions")
    }

    pub(crate) fn truncated(path: &Path, expected: u64, found: u64) -> Self {
        let message = format!("{} is truncated: {expected} bytes expected, {found} found", path.display());
        Self::new(ErrorKind::Truncated, message, "download it once more; the transfer was cut off")
    }

    pub(crate) fn malformed(path: &Path, reason: impl Display) -> Self {
        let message = format!("{}: {reason}", path.display());
        Self::new(ErrorKind::Malformed, message, "the file is damaged: download it once more")
    }

    pub(crate) fn missing(message: impl Into<String>, mend: impl Into<String>) -> Self {
        Self::new(ErrorKind::Missing, message, mend)
    }
}

impl Display for CheckpointError {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}; {}", self.message, self.mend)
    }
}

impl std::error::Error for CheckpointError {}
