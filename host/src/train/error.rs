//! What ends a training, in sentences.

use crate::bench::BenchError;
use adeval_sdk::PluginError;
use std::path::PathBuf;

/// Why a training cannot begin or go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The recipe is wrong.
    #[error("{0}")]
    Recipe(String),
    /// The directory holds a training of other parameters.
    #[error(
        "{} holds a training of other parameters ({}); go on with those, or name another directory with --out",
        .dir.display(),
        .differences.join("; ")
    )]
    Changed {
        /// The training's directory.
        dir: PathBuf,
        /// One a line: the key, what is there, what was asked for.
        differences: Vec<String>,
    },
    /// No group of samples tells what is better.
    #[error("epoch {epoch}: {message}")]
    NoPreference {
        /// The outer epoch.
        epoch: u32,
        /// What was found, and the mend.
        message: String,
    },
    /// A component failed in a way that training cannot go on from.
    #[error("{user}: {error}")]
    Component {
        /// Who uses it: `prompt generator`, `judge`, ...
        user: String,
        /// What is wrong.
        error: PluginError,
    },
    /// A step of the policy failed: its loss or gradient is no number, most likely.
    #[error("epoch {epoch}, step {step}, on {products}: {error}; the policy before this step's last checkpoint is kept in {}", .kept.display())]
    Step {
        /// The outer epoch.
        epoch: u32,
        /// The step of the epoch, from 1.
        step: u64,
        /// The products of its batch.
        products: String,
        /// What is wrong.
        error: PluginError,
        /// The last good adapter.
        kept: PathBuf,
    },
    /// A checkpoint cannot be saved.
    #[error("{}: the checkpoint cannot be saved: {reason}; the one before it is untouched, and the same command goes on from there", .path.display())]
    Save {
        /// Where it was to be.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The user asked to stop.
    #[error("stopped; what was computed is kept in {}, and the same command goes on from there", .0.display())]
    Interrupted(PathBuf),
    /// A file or the products, as in a bench.
    #[error(transparent)]
    Bench(#[from] BenchError),
}
