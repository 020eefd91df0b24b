//! What ends a bench, in sentences.

use adeval_sdk::PluginError;
use std::path::{Path, PathBuf};

/// Why a suite cannot be run, or its run not be kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BenchError {
    /// The suite's file is wrong.
    #[error("{0}")]
    Suite(String),
    /// The products cannot be used.
    #[error("{0}")]
    Products(String),
    /// The reference set cannot be used.
    #[error("{0}")]
    Reference(String),
    /// A component of the suite does not exist or refuses its parameters.
    #[error("{user}: {error}")]
    Plugin {
        /// Who uses it: `entry "a", background`, `judge "j"`, ...
        user: String,
        /// What is wrong.
        error: PluginError,
    },
    /// Another process works in the run directory.
    #[error("{} is in use by another adeval process; wait for it, or stop it, and run the same command again", .0.display())]
    Locked(PathBuf),
    /// A file of the run cannot be written.
    #[error("{}: {}; what was computed before is kept, and the same command goes on from there", .path.display(), reason(.source))]
    Write {
        /// The file or directory.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A file of the run cannot be read.
    #[error("{}: {reason}", .path.display())]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// What is wrong, and the mend.
        reason: String,
    },
    /// The user asked to stop.
    #[error("stopped; {done} results are kept in {}, and the same command goes on from there", .run_dir.display())]
    Interrupted {
        /// Where the run is.
        run_dir: PathBuf,
        /// Number of records so far.
        done: usize,
    },
    /// `rescore` of a run that lacks something.
    #[error("{0}")]
    Incomplete(String),
    /// A shard that cannot be merged with the others.
    #[error("{}: {reason}", .dir.display())]
    Shard {
        /// Its run directory.
        dir: PathBuf,
        /// What is wrong, and the mend.
        reason: String,
    },
    /// The numbers do not make a board.
    #[error("the board cannot be computed: {0}")]
    Eval(#[from] adeval_eval::EvalError),
}

impl BenchError {
    /// A failed write.
    pub(crate) fn write(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        |source| Self::Write { path: path.to_owned(), source }
    }

    /// A failed read.
    pub(crate) fn read(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        |source| Self::Read { path: path.to_owned(), reason: format!("cannot be read: {source}") }
    }
}

fn reason(error: &std::io::Error) -> String {
    use std::io::ErrorKind as K;
    match error.kind() {
        K::StorageFull | K::QuotaExceeded => "the disk is full; free some space".into(),
        K::PermissionDenied | K::ReadOnlyFilesystem => {
            "cannot be written (no permission); choose another directory with --runs".into()
        }
        _ => format!("cannot be written: {error}"),
    }
}
