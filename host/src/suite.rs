//! Suites: what is compared, on which products, by which judges and metrics; a TOML file.

mod bandit;
mod locate;
mod names;
mod numbers;
mod steps;

use crate::bench::BenchError;
use crate::consistency::ConsistencyOptions;
use adeval_eval::leaderboard::Distance;
pub use bandit::{Bandit, Optimizer};
pub use locate::{find_default, find_shipped};
pub use names::nearest;
pub use numbers::must_be_finite;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
pub use steps::{BackgroundStep, Component, Entry, Judge, PromptStep};

/// The largest side of a creative in pixels.
pub const MAX_CREATIVE_SIDE: u32 = 8192;

/// A benchmark suite.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Suite {
    /// Name of the suite; also the start of the run directory's name.
    pub name: String,
    /// Seed of all randomness: prompts, creatives and the bootstrap.
    #[serde(default)]
    pub seed: u64,
    /// Width and height of the creatives in pixels, 1 to 8192.
    #[serde(default = "default_size")]
    pub size: [u32; 2],
    /// Prompts, and so creatives, for each product and entry.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 4096))]
    pub samples: u32,
    /// What is advertised; a suite without entries needs none.
    #[serde(default)]
    pub products: ProductSource,
    /// The competitors.
    #[serde(rename = "entry", default)]
    pub entries: Vec<Entry>,
    /// The reward models; the first ranks.
    #[serde(rename = "judge", default)]
    pub judges: Vec<Judge>,
    /// RL optimizers, which are tried in a synthetic world of their own.
    #[serde(rename = "optimizer", default)]
    pub optimizers: Vec<Optimizer>,
    /// How the optimizers are tried.
    #[serde(default)]
    pub bandit: Bandit,
    /// The encoder of the distribution metrics.
    #[serde(default)]
    pub embedder: Option<Component>,
    /// Real or rendered scenes that creatives are compared with as a distribution.
    #[serde(default)]
    pub reference: Option<Reference>,
    /// The metrics to compute; all of them when absent.
    #[serde(default = "all_metrics")]
    pub metrics: Vec<Metric>,
    /// How product consistency is measured.
    #[serde(default)]
    pub consistency: ConsistencyOptions,
    /// Confidence level of the intervals, in (0, 1).
    #[serde(default = "default_level")]
    pub level: f64,
    /// Bootstrap resamples, 100 to 1,000,000.
    #[serde(default = "default_resamples")]
    #[schemars(range(min = 100, max = 1_000_000))]
    pub resamples: u32,
    /// What a reader of the board must know, e.g. that data are synthetic.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Where the suite was read from; relative paths start at its folder.
    #[serde(skip)]
    pub file: PathBuf,
    /// The suite's text as read.
    #[serde(skip)]
    pub text: String,
}

/// Where the products come from.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProductSource {
    /// A `products.json`, an image, or a folder of images; relative to the suite's file.
    pub path: PathBuf,
    /// Use only the first so many.
    #[serde(default)]
    pub limit: Option<usize>,
}

/// The scenes that creatives are compared with as a distribution.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// A folder of images; relative to the suite's file.
    pub path: PathBuf,
}

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// How often a judge prefers the entry's creative; both orders of each pair are asked.
    WinRate,
    /// The click-through rate that a judge predicts.
    PredictedCtr,
    /// Whether the product's own pixels are kept.
    ProductFidelity,
    /// Whether it is still the same product, and whether the creative can be used.
    ProductConsistency,
    /// Frechet distance between the features of the creatives and of the reference scenes.
    FrechetDistance,
    /// Kernel distance (KID's) between the same features.
    KernelDistance,
    /// Precision, recall, density and coverage of the same features.
    PrecisionRecall,
}

fn default_size() -> [u32; 2] {
    [512, 512]
}
fn one() -> u32 {
    1
}
fn default_level() -> f64 {
    0.95
}
fn default_resamples() -> u32 {
    10_000
}
fn all_metrics() -> Vec<Metric> {
    vec![
        Metric::WinRate,
        Metric::PredictedCtr,
        Metric::ProductFidelity,
        Metric::ProductConsistency,
        Metric::FrechetDistance,
        Metric::KernelDistance,
        Metric::PrecisionRecall,
    ]
}

impl Suite {
    /// Reads and checks a suite.
    ///
    /// # Errors
    /// [`BenchError::Suite`], naming the file, the line and the key, and the nearest known name of an unknown one.
    pub fn load(file: &Path) -> Result<Self, BenchError> {
        let text = std::fs::read_to_string(file).map_err(|e| {
            BenchError::Suite(format!("{}: the suite cannot be read: {e}; check the path", file.display()))
        })?;
        Self::parse(&text, file)
    }

    /// Checks a suite's text; `file` is what relative paths and messages start from.
    ///
    /// # Errors
    /// As [`Suite::load`].
    pub fn parse(text: &str, file: &Path) -> Result<Self, BenchError> {
        let mut suite: Self = toml::from_str(text)
            .map_err(|e| BenchError::Suite(format!("{}{}", file.display(), names::explain(&e, text))))?;
        let wrong = |message: String| BenchError::Suite(format!("{}: {message}", file.display()));
        numbers::must_be_finite(&toml::from_str(text).unwrap_or_default()).map_err(wrong)?;
        suite.file = file.to_owned();
        text.clone_into(&mut suite.text);
        suite.check().map_err(wrong)?;
        Ok(suite)
    }

    /// A path of the suite: absolute as it is, relative from the suite's folder.
    pub fn resolve(&self, path: &Path) -> PathBuf {
        self.file.parent().map_or_else(|| path.to_owned(), |folder| folder.join(path))
    }

    /// Whether a metric is wanted.
    pub fn wants(&self, metric: Metric) -> bool {
        self.metrics.contains(&metric)
    }

    /// Whether creatives are compared with a reference set.
    pub fn has_distribution(&self) -> bool {
        self.compares_features() && self.embedder.is_some() && self.reference.is_some()
    }

    /// The suite's JSON schema.
    pub fn schema() -> serde_json::Value {
        schemars::schema_for!(Self).to_value()
    }

    /// A suite of entries without judges and metrics, to render with. [`Suite::check`] is to follow.
    pub fn of_entries(name: &str, products: &Path, entries: Vec<Entry>) -> Self {
        Self {
            name: name.into(),
            seed: 0,
            size: default_size(),
            samples: one(),
            products: ProductSource { path: products.to_owned(), limit: None },
            entries,
            judges: Vec::new(),
            optimizers: Vec::new(),
            bandit: Bandit::default(),
            embedder: None,
            reference: None,
            metrics: Vec::new(),
            consistency: ConsistencyOptions::default(),
            level: default_level(),
            resamples: default_resamples(),
            notes: Vec::new(),
            file: PathBuf::new(),
            text: String::new(),
        }
    }

    /// Checks all values.
    ///
    /// # Errors
    /// One sentence that names the key, its value and what is allowed.
    pub fn check(&self) -> Result<(), String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if self.name.is_empty() || self.name.starts_with('.') || !self.name.chars().all(plain) {
            return Err(format!(
                "name = \"{}\": a suite's name is one word of letters, digits, '-', '_' and '.'",
                self.name
            ));
        }
        if self.size.iter().any(|side| !(1..=MAX_CREATIVE_SIDE).contains(side)) {
            let [w, h] = self.size;
            return Err(format!(
                "size = [{w}, {h}]: each side must be between 1 and {MAX_CREATIVE_SIDE} pixels"
            ));
        }
        if self.samples == 0 || self.samples > 4096 {
            return Err(format!("samples = {}: it must be between 1 and 4096", self.samples));
        }
        if self.products.limit == Some(0) {
            return Err(
                "products.limit = 0: a suite needs at least one product; leave limit out for all".into()
            );
        }
        if !(self.level > 0.0 && self.level < 1.0) {
            return Err(format!("level = {}: it must lie in (0, 1), e.g. 0.95", self.level));
        }
        if !(100..=1_000_000).contains(&self.resamples) {
            return Err(format!("resamples = {}: it must be between 100 and 1000000", self.resamples));
        }
        if self.entries.is_empty() && self.optimizers.is_empty() {
            return Err(
                "there is no [[entry]]: a suite needs at least one competitor and [products], or an [[optimizer]]"
                    .into(),
            );
        }
        if !self.entries.is_empty() && self.products.path.as_os_str().is_empty() {
            return Err("there is no [products] with a path: it says what the entries advertise".into());
        }
        unique("entry", self.entries.iter().map(|e| e.id.as_str()))?;
        unique("judge", self.judges.iter().map(|j| j.id.as_str()))?;
        unique("optimizer", self.optimizers.iter().map(|o| o.id.as_str()))?;
        self.entries.iter().try_for_each(check_entry)?;
        self.optimizers.iter().try_for_each(Optimizer::check)?;
        self.bandit.check()?;
        self.metrics_have_what_they_need()
    }

    /// The distances between sets of features that the suite wants.
    pub fn distances(&self) -> Vec<Distance> {
        let known = [
            (Metric::FrechetDistance, Distance::Frechet),
            (Metric::KernelDistance, Distance::Kernel),
            (Metric::PrecisionRecall, Distance::Manifolds),
        ];
        known.into_iter().filter(|(metric, _)| self.wants(*metric)).map(|(_, distance)| distance).collect()
    }

    /// Whether features of creatives and references are needed.
    pub fn compares_features(&self) -> bool {
        !self.distances().is_empty()
    }

    fn metrics_have_what_they_need(&self) -> Result<(), String> {
        if self.entries.is_empty() {
            return Ok(());
        }
        let judged = self.wants(Metric::WinRate) || self.wants(Metric::PredictedCtr);
        if judged && self.judges.is_empty() {
            return Err(
                "the metrics win-rate and predicted-ctr need a [[judge]]; add one or list other metrics"
                    .into(),
            );
        }
        if self.compares_features() && (self.embedder.is_none() || self.reference.is_none()) {
            return Err(
                "the metrics frechet-distance, kernel-distance and precision-recall need an [embedder] and a [reference]; add both or list other metrics"
                    .into(),
            );
        }
        Ok(())
    }
}

fn check_entry(entry: &Entry) -> Result<(), String> {
    let prompt = &entry.prompt;
    if !(prompt.temperature > 0.0 && prompt.temperature.is_finite()) {
        return Err(format!(
            "entry \"{}\": temperature must be above 0, not {}",
            entry.id, prompt.temperature
        ));
    }
    if !(prompt.top_p > 0.0 && prompt.top_p <= 1.0) {
        return Err(format!("entry \"{}\": top_p must be in (0, 1], not {}", entry.id, prompt.top_p));
    }
    Ok(())
}

/// Ids name files, so they are plain words.
fn unique<'a>(what: &str, ids: impl Iterator<Item = &'a str>) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for id in ids {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if id.is_empty() || id.starts_with('.') || !id.chars().all(plain) {
            return Err(format!(
                "{what} id \"{id}\": an id is one word of letters, digits, '-', '_' and '.'"
            ));
        }
        if !seen.insert(id) {
            return Err(format!("two {what} tables have the id \"{id}\"; each needs its own"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
