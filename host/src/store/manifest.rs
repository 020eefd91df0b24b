//! `run.json`: what a run is of.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Version of the run directory's layout.
pub const FORMAT_VERSION: u32 = 1;

/// The description of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunManifest {
    /// Layout of the directory.
    pub format_version: u32,
    /// Version of adeval that wrote it last.
    pub adeval_version: String,
    /// Name of the suite.
    pub suite: String,
    /// Where the suite was read from.
    pub suite_file: PathBuf,
    /// Its text.
    pub suite_text: String,
    /// Only the first so many products, when the command line said so.
    pub limit: Option<usize>,
    /// Seed of the suite.
    pub seed: u64,
    /// Components by the place where the suite uses them, e.g. `entry studio-scene: prompt`.
    pub components: BTreeMap<String, ComponentUse>,
    /// Hash of each product (its data and its pixels) by id.
    pub products: BTreeMap<String, String>,
    /// Products that could not be used, with the reason.
    pub unusable_products: BTreeMap<String, String>,
}

/// A component as it is used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComponentUse {
    /// Id of the component.
    pub component: String,
    /// Name of its library.
    pub library: String,
    /// Version of its library.
    pub version: String,
    /// BLAKE3 of the library's file.
    pub library_hash: String,
    /// SPDX expression of the component and its weights.
    pub license: String,
    /// Its parameters as given.
    pub parameters: serde_json::Value,
    /// Hash of all of this, its device and its weights: part of every key.
    pub fingerprint: String,
}
