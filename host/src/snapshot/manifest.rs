//! `manifest.json`: where a snapshot comes from, and which file is what.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Version of the folder's layout.
pub const FORMAT_VERSION: u32 = 1;

/// The description of a snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Layout of the folder.
    pub format_version: u32,
    /// Version of adeval that wrote it.
    pub adeval_version: String,
    /// Class of the machine that made it, e.g. `x86_64-linux-avx2`.
    pub machine: String,
    /// Name of the suite.
    pub suite: String,
    /// The first so many products of the suite are in it.
    pub products: usize,
    /// `COMPONENT (LIBRARY VERSION)` by its place in the suite.
    pub components: BTreeMap<String, String>,
    /// Length of the feature vectors; 0 without an embedder.
    pub embedding_length: usize,
    /// Keys of the vectors in `embeddings.f32`, in its order.
    pub embeddings: Vec<String>,
    /// Creatives by key.
    pub images: BTreeMap<String, ImageOf>,
}

/// A creative's file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageOf {
    /// Relative to the snapshot's folder.
    pub file: String,
    /// Class of the machine that made it.
    pub machine: String,
}
