//! What a run holds, item by item, for those who look at more than its board.

use super::plan::{Plan, features_key};
use super::{Bench, BenchError, BenchOptions, Broken, Ledger, Services, Silent, open_store, pump};
use crate::store::{Outcome, Store};
use crate::suite::Suite;
use adeval_sdk::{Placement, Product};
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
    /// Where the product is in it; absent with the PNG.
    pub placement: Option<Placement>,
    /// Its features, when the suite has an embedder and it could embed it.
    pub features: Option<Vec<f32>>,
}

/// Creatives of a suite, with what they advertise.
#[derive(Debug, Clone)]
pub struct Creatives {
    /// The products, in the order of their list.
    pub products: Vec<Product>,
    /// Products of the list that cannot be used.
    pub unusable: usize,
    /// Prompts and creatives in the order of entries, products and samples.
    pub artifacts: Vec<Artifact>,
}

/// Makes the prompts and creatives of a suite, or what is missing of them, and judges none. What fails is told to
/// [`Services::progress`], and has no image.
///
/// # Errors
/// As [`super::run`].
pub fn creatives(
    suite: &Suite,
    options: &BenchOptions,
    services: &Services<'_>,
) -> Result<Creatives, BenchError> {
    let plan = Plan::new(suite, options.limit, None, services)?;
    let store = open_store(&plan, options)?;
    let bench = Bench { plan: &plan, store: &store, services, clock: &pump::Clock::default() };
    let mut broken = Broken::new();
    for entry in &plan.cast.entries {
        bench.generate(entry, &mut broken)?;
    }
    let artifacts = all(&plan, &store);
    let products = plan.products.iter().filter_map(|planned| planned.product.clone()).collect();
    Ok(Creatives { products, unusable: plan.bad.len(), artifacts })
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
    Ok(all(&plan, &store))
}

fn all(plan: &Plan<'_>, store: &Store) -> Vec<Artifact> {
    let ledger = Ledger { plan, store };
    let mut artifacts = Vec::new();
    for entry in &plan.cast.entries {
        for product in &plan.products {
            for (sample, prompt) in (0..).zip(ledger.prompts(entry, product).0) {
                let made = store.creative(&plan.creative_key(entry, product, sample, &prompt));
                let placement = made.as_ref().map(|(_, placement, _)| *placement);
                let hash = made.map(|(hash, ..)| hash);
                artifacts.push(Artifact {
                    entry: entry.entry.id.clone(),
                    product: product.id.clone(),
                    sample,
                    prompt,
                    features: hash.as_ref().and_then(|hash| ledger.features(hash)),
                    image: hash.map(|hash| store.image_path(&hash)),
                    placement,
                });
            }
        }
    }
    artifacts
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
