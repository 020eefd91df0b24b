//! `run.json`: what a run is of.

use crate::bench::Shard;
use adeval_sdk::Determinism;
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
    /// Which part of the suite, when it is not the whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<Shard>,
    /// Seed of the suite.
    pub seed: u64,
    /// Components by the place where the suite uses them, e.g. `entry studio-scene: prompt`.
    pub components: BTreeMap<String, ComponentUse>,
    /// Hash of each product (its data and its pixels) by id.
    pub products: BTreeMap<String, String>,
    /// Products that could not be used, with the reason.
    pub unusable_products: BTreeMap<String, String>,
    /// Ids of both, in the order of the list.
    #[serde(default)]
    pub product_order: Vec<String>,
    /// The list that they are of, which a shard has a part of.
    #[serde(default)]
    pub product_list: ProductList,
    /// Products that came without alpha and were cut out.
    #[serde(default)]
    pub cut_out: usize,
    /// BLAKE3 of all reference images, in the order of their files' names.
    #[serde(default)]
    pub references: Vec<String>,
}

/// A list of products, up to the limit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProductList {
    /// Number of products.
    pub count: usize,
    /// BLAKE3 of all that it says, pictures by their names.
    pub digest: String,
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
    /// How exactly it repeats itself; runs of older versions do not say it.
    #[serde(default)]
    pub determinism: Option<Determinism>,
    /// Its parameters as given.
    pub parameters: serde_json::Value,
    /// Hash of all of this, its device and its weights: part of every key.
    pub fingerprint: String,
}
