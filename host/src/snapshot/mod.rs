//! Snapshots of a suite: what its first products gave when somebody looked and agreed, kept beside the suite's file.
//!
//! Four layers, from the cheapest to explain to the dearest: prompts (exact), metrics (numbers with a tolerance, nothing
//! that a clock measures), embeddings (relative distance) and pixels (the perceptual comparison of
//! [`adeval_sdk::testkit`]). A change in an upper layer explains one in a lower.
//!
//! [`take`] runs the suite; [`Snapshot::load`] and [`Snapshot::save`] keep it; [`compare`] finds the differences and
//! [`Snapshot::adopt`] takes over those that are accepted.

mod differences;
mod evidence;
mod files;
mod json;
mod manifest;
mod metrics;
mod take;

pub use differences::{Change, Difference, Layer, compare};
pub use evidence::illustrate;
pub use json::JsonChange;
pub use manifest::{FORMAT_VERSION, ImageOf, Manifest};
pub use take::{Taken, take};

use std::collections::BTreeMap;
use std::path::PathBuf;

/// Products of a suite that a new snapshot holds, unless the user says otherwise: enough to see a change, few enough to
/// commit.
pub const PRODUCTS: usize = 4;

/// What a suite gave. Keys are `ENTRY/PRODUCT/SAMPLE`, and `ENTRY` or `board` in the metrics.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// Where it comes from.
    pub manifest: Manifest,
    /// Prompts.
    pub prompts: BTreeMap<String, String>,
    /// Rows of the board without costs, and the rest of the board.
    pub metrics: BTreeMap<String, serde_json::Value>,
    /// Feature vectors of one length.
    pub embeddings: BTreeMap<String, Vec<f32>>,
    /// PNGs of creatives.
    pub images: BTreeMap<String, Vec<u8>>,
}

/// Why a snapshot cannot be read, written or compared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// A file cannot be read.
    #[error("{}: {reason}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What is wrong, and the mend.
        reason: String,
    },
    /// A file cannot be written.
    #[error("{}: cannot be written: {source}", .path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The suite cannot be run.
    #[error(transparent)]
    Bench(#[from] crate::bench::BenchError),
}

impl SnapshotError {
    fn read(path: &std::path::Path, reason: impl std::fmt::Display) -> Self {
        Self::Read { path: path.to_owned(), reason: reason.to_string() }
    }

    fn write(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        |source| Self::Write { path: path.to_owned(), source }
    }
}

#[cfg(test)]
mod tests;
