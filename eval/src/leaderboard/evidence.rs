//! What the host knows after a run.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Everything that a board is made of.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// The board's title: the suite's name.
    pub title: String,
    /// Ids of all products of the suite, done or not.
    pub products: Vec<String>,
    /// The entries that compete.
    pub entries: Vec<EntryEvidence>,
    /// The judges (reward models); the first by id ranks unless [`Options::primary_judge`] says otherwise.
    pub judges: Vec<JudgeEvidence>,
    /// Features of the reference set, one for each encoder.
    pub references: Vec<ReferenceFeatures>,
    /// What a reader must know beside the numbers (synthetic data, a judge trained on an entry's outputs, ...).
    pub notes: Vec<String>,
}

/// One entry: a prompt generator and a background generator with their parameters.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct EntryEvidence {
    /// Unique id.
    pub id: String,
    /// What it is, in a few words; may be empty.
    pub description: String,
    /// How many creatives were planned (products x samples).
    pub planned: usize,
    /// The creatives that were made.
    pub items: Vec<Item>,
    /// What failed.
    pub failures: Vec<Failure>,
    /// Largest resident memory of the entry's workers, in bytes; `None` when unknown.
    pub peak_memory_bytes: Option<u64>,
}

/// One creative that was made, and what was measured on it. Whatever was not measured is absent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// Id of the product.
    pub product: String,
    /// Which of the samples for this product; 0 when there is one.
    pub sample: u32,
    /// Wall time that the entry's plugins took for it, in seconds.
    pub seconds: Option<f64>,
    /// [`crate::Fidelity::product_fidelity`], in [0, 1].
    pub fidelity: Option<f64>,
    /// [`mod@crate::consistency`], in short.
    pub consistency: Option<Consistent>,
    /// Features by encoder name.
    pub features: BTreeMap<String, Vec<f32>>,
}

/// Whether a creative's product is still the same, and whether the creative can be used.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Consistent {
    /// [`crate::consistency::Consistency::score`], in [0, 1].
    pub score: f64,
    /// [`crate::consistency::Verdict::available`].
    pub available: bool,
}

/// One thing that went wrong: a creative that was not made, or a measurement of it that failed.
#[derive(
    Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
pub struct Failure {
    /// Id of the product; empty when the whole entry failed.
    pub product: String,
    /// Which of the samples for this product.
    pub sample: u32,
    /// The step: `prompt`, `background`, `judge`, `embed`, ...
    pub stage: String,
    /// The message.
    pub message: String,
}

/// What one judge said.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct JudgeEvidence {
    /// Unique id.
    pub id: String,
    /// One record for each order that was asked.
    pub comparisons: Vec<Comparison>,
    /// Predicted click-through rates of single creatives.
    pub scores: Vec<Score>,
}

/// One question to a judge: two creatives of one product, in one order.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Id of the product that both creatives show.
    pub product: String,
    /// Which of the samples (both entries' creatives are of the same sample number).
    pub sample: u32,
    /// Id of the entry whose creative was shown left.
    pub left: String,
    /// Id of the entry whose creative was shown right.
    pub right: String,
    /// The judge's probability that the left one is preferred, in [0, 1].
    pub p_left: f64,
}

/// A judge's predicted click-through rate for one creative.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Id of the entry.
    pub entry: String,
    /// Id of the product.
    pub product: String,
    /// Which of the samples.
    pub sample: u32,
    /// Predicted CTR, in [0, 1].
    pub ctr: f64,
}

/// Features of the reference images under one encoder.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ReferenceFeatures {
    /// The encoder's short name; the column is called `FD-<encoder>`.
    pub encoder: String,
    /// One vector for each reference image, all of one length.
    pub rows: Vec<Vec<f32>>,
}

/// How a board is computed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Seed of the bootstrap.
    pub seed: u64,
    /// Bootstrap resamples, 100 to 1,000,000.
    pub resamples: u32,
    /// Confidence level of the intervals, in (0, 1); ties are decided at 1 - level.
    pub level: f64,
    /// Id of the judge that ranks; the first in the evidence by id when absent.
    pub primary_judge: Option<String>,
    /// A pair whose symmetrised probability is within this distance of 0.5 is a tie, in [0, 0.5).
    pub tie_margin: f64,
    /// Distances between the creatives and the reference images, where there are features of both.
    pub distances: Vec<Distance>,
}

/// A way to compare two sets of features.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Distance {
    /// [`crate::frechet_estimate`].
    Frechet,
    /// [`crate::distribution::kid`].
    Kernel,
    /// [`crate::distribution::manifolds`]: precision and recall with k = 3, density and coverage with k = 5.
    Manifolds,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 0,
            resamples: 10_000,
            level: 0.95,
            primary_judge: None,
            tie_margin: 1e-6,
            distances: vec![Distance::Frechet],
        }
    }
}
