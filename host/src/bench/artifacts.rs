//! What a run holds, item by item, for those who look at more than its board.

use super::plan::{Plan, features_key};
use super::{BenchError, BenchOptions, Ledger, Services, Silent};
use crate::store::{Outcome, Store};
use crate::suite::Suite;
use std::path::PathBuf;

/// One creative with what belongs to it.
#[derive(Debug, Clone)]
pub struct Artifact {
    /// Id of the entry.
    pub entry: String,
    /// Id of the product.
    pub product: String,
    /// Which of the samples.
    pub sample: u32,
    /// Its prompt.
    pub prompt: String,
    /// Its PNG; absent when it could not be made.
    pub image: Option<PathBuf>,
    /// Its features, when the suite has an embedder and it could embed it.
    pub features: Option<Vec<f32>>,
}

/// The prompts and creatives of a run that [`super::run`] has finished, in the order of entries, products and samples.
/// Calls no component.
///
/// # Errors
/// As [`super::run`]; `options.run_dir` must be set.
pub fn artifacts(
    suite: &Suite,
    options: &BenchOptions,
    services: &Services<'_>,
) -> Result<Vec<Artifact>, BenchError> {
    // What is to be warned of was said by the run itself.
    let services = &Services { progress: &Silent, ..*services };
    let plan = Plan::new(suite, options.limit, None, services)?;
    let dir = options.run_dir.clone().unwrap_or_else(|| options.runs.join(plan.run_name()));
    let store = Store::open(&dir)?;
    let ledger = Ledger { plan: &plan, store: &store };
    let mut artifacts = Vec::new();
    for entry in &plan.cast.entries {
        for product in &plan.products {
            for (sample, prompt) in (0..).zip(ledger.prompts(entry, product).0) {
                let made = store.creative(&plan.creative_key(entry, product, sample, &prompt));
                let hash = made.map(|(hash, ..)| hash);
                artifacts.push(Artifact {
                    entry: entry.entry.id.clone(),
                    product: product.id.clone(),
                    sample,
                    prompt,
                    features: hash.as_ref().and_then(|hash| ledger.features(hash)),
                    image: hash.map(|hash| store.image_path(&hash)),
                });
            }
        }
    }
    Ok(artifacts)
}

impl Ledger<'_> {
    fn features(&self, image: &str) -> Option<Vec<f32>> {
        let key = features_key(self.plan.cast.embedder.as_ref()?, image);
        match self.store.get(&key)?.outcome {
            Outcome::Features(_) => self.store.features(&key),
            _ => None,
        }
    }
}
