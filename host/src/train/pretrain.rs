//! Supervised training of a prompt generator, as CAIG pre-trains its own (arXiv 2502.06823, section 3.2): questions about products with
//! answers in words, of which a background prompt is one. Early stopping by products that are not trained on; the held-out products of
//! `adeval train rl` (same seed, same share) are looked at before and after only.

mod apprentice;
mod lessons;
mod recipe;
mod result;

pub use recipe::{Data, Recipe, Task};
pub use result::{Counts, PretrainResult};

use super::calls::{Calls, is_trainable};
use super::supervised::{Fit, State};
use super::{TrainError, binding, checkpoint, split};
use crate::bench::{Clock, PlannedComponent, Services};
use crate::market::{DESIGNS, SYNTHETIC, products_of};
use crate::products;
use crate::records::Lesson;
use adeval_eval::{Bootstrap, ClusterTable, Estimate};
use adeval_sdk::{Instruction, Kind, Product};
use apprentice::{Apprentice, Parts};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// A finished pre-training.
#[derive(Debug, Clone)]
pub struct PretrainOutcome {
    /// What `result.json` holds.
    pub result: PretrainResult,
    /// Where the training is.
    pub dir: PathBuf,
    /// Wall time of this call in seconds, and of it that inside the generator.
    pub seconds: (f64, f64),
}

/// What a recipe amounts to.
struct Plan {
    component: PlannedComponent,
    parts: Parts,
    strangers: usize,
    unusable: usize,
    synthetic: bool,
}

/// Follows a recipe in a directory, or what is left of it.
///
/// # Errors
/// [`TrainError`].
pub fn run(recipe: &Recipe, dir: &Path, services: &Services<'_>) -> Result<PretrainOutcome, TrainError> {
    let (started, clock) = (Instant::now(), Clock::default());
    let plan = Plan::new(recipe, services)?;
    std::fs::create_dir_all(dir).map_err(crate::bench::BenchError::write(dir))?;
    plan.bind(recipe, dir)?;
    let calls = Calls { services, clock: &clock, dir };
    let mut apprentice = Apprentice::open(recipe, &plan.component, calls, &plan.parts)?;
    let before = before(&apprentice, dir)?;
    let state = Fit { learner: &mut apprentice, dir }.run()?;
    let after = apprentice.losses(&plan.parts.held_out)?;
    let result = plan.result(recipe, &state, &before, &after)?;
    result.write(dir)?;
    Ok(PretrainOutcome {
        result,
        dir: dir.to_owned(),
        seconds: (started.elapsed().as_secs_f64(), clock.seconds()),
    })
}

/// Losses on the held-out products before the first step, which a training that goes on has noted.
fn before(apprentice: &Apprentice<'_>, dir: &Path) -> Result<Vec<f64>, TrainError> {
    let path = dir.join("before.json");
    if let Some(known) = std::fs::read(&path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()) {
        return Ok(known);
    }
    let losses = apprentice.losses(&apprentice.parts.held_out)?;
    checkpoint::replace(&path, serde_json::to_string(&losses).unwrap_or_default().as_bytes())?;
    Ok(losses)
}

impl Plan {
    fn new(recipe: &Recipe, services: &Services<'_>) -> Result<Self, TrainError> {
        let suite = recipe.as_suite();
        let component = PlannedComponent::new(
            &suite,
            Kind::PromptGenerator,
            "prompt generator".into(),
            &recipe.prompt,
            services,
        )?;
        if !is_trainable(&component, services)? {
            return Err(recipe.wrong(&format!(
                "{} is not trainable; choose a prompt generator that learns",
                recipe.prompt.plugin
            )));
        }
        let listed = &recipe.products.path;
        let market = recipe.data.market.as_ref().map(|market| suite.resolve(market));
        let source = match (&market, listed.as_os_str().is_empty()) {
            (_, false) => suite.resolve(listed),
            (Some(market), true) => products_of(market)?,
            (None, true) => {
                return Err(
                    recipe.wrong("there is no products.path: name a products.json, or give data.market")
                );
            }
        };
        let lessons = match (&market, &recipe.data.lessons) {
            (Some(_), Some(_)) => {
                return Err(recipe.wrong("data.market and data.lessons are both given: name one"));
            }
            (Some(market), None) => lessons::read(&market.join(DESIGNS))?,
            (None, Some(path)) => lessons::read(&suite.resolve(path))?,
            (None, None) => Vec::new(),
        };
        let read = products::load(&source, recipe.products.limit, services.matting)?;
        read.warnings.iter().for_each(|warning| services.progress.warn(warning));
        read.bad.iter().for_each(|bad| services.progress.warn(&bad.message));
        let (parts, strangers) = parts(recipe, &lessons, &read.good)?;
        Ok(Self { component, parts, strangers, unusable: read.bad.len(), synthetic: market.is_some() })
    }

    /// More epochs are another schedule of the learning rate, and so another training.
    fn bind(&self, recipe: &Recipe, dir: &Path) -> Result<(), TrainError> {
        let hash = |part: &[Instruction]| {
            let mut hasher = blake3::Hasher::new();
            for one in part {
                hasher.update(crate::bench::product_hash(&one.condition).as_bytes());
                hasher.update(one.question.as_deref().unwrap_or("").as_bytes());
                hasher.update(format!("\n{}\n", one.answer).as_bytes());
            }
            hasher.finalize().to_hex().to_string()
        };
        let Parts { training, validation, held_out } = &self.parts;
        let description = json!({
            "recipe": { "seed": recipe.seed, "held_out": recipe.held_out, "validation": recipe.validation, "training": recipe.training },
            "component": self.component.usage,
            "instructions": { "training": hash(training), "validation": hash(validation), "held_out": hash(held_out) },
        });
        binding::bind(dir, &description, &[&["recipe", "component"], &["instructions"]])
    }

    fn result(
        &self,
        recipe: &Recipe,
        state: &State,
        before: &[f64],
        after: &[f64],
    ) -> Result<PretrainResult, TrainError> {
        let Parts { training, validation, held_out } = &self.parts;
        let estimate = |losses: &[f64]| mean_of_products(held_out, losses, recipe.seed);
        let wrong = |error: adeval_eval::EvalError| recipe.wrong(&format!("the held-out losses: {error}"));
        Ok(PretrainResult {
            name: recipe.name.clone(),
            component: self.component.usage.component.clone(),
            synthetic: self.synthetic.then(|| SYNTHETIC.to_owned()),
            training: counts(training),
            validation: counts(validation),
            held_out: counts(held_out),
            strangers: self.strangers,
            unusable_products: self.unusable,
            epochs: state.epoch,
            best_epoch: state.best_epoch,
            steps: state.steps,
            validation_loss: state.best_loss,
            held_out_before: estimate(before).map_err(wrong)?,
            held_out_after: estimate(after).map_err(wrong)?,
            weights: "best".into(),
        })
    }
}

/// Instructions divided by their products.
fn parts(recipe: &Recipe, lessons: &[Lesson], products: &[Product]) -> Result<(Parts, usize), TrainError> {
    let ids: Vec<&str> = products.iter().map(|product| product.id.as_str()).collect();
    // The rule of `adeval train rl`, so that its held-out products are these.
    let held_out = split::parts(&ids, &[recipe.held_out], recipe.seed, "held-out");
    let validation = split::parts(&ids, &[recipe.validation], recipe.seed, "validation");
    let place: BTreeMap<&str, usize> = ids
        .iter()
        .zip(held_out.iter().zip(&validation))
        .map(|(id, (held, judge))| {
            (
                *id,
                match (held, judge) {
                    (0, _) => 2,
                    (_, 0) => 1,
                    _ => 0,
                },
            )
        })
        .collect();
    let (all, strangers) = lessons::instructions(recipe, lessons, products)?;
    let mut parts = [Vec::new(), Vec::new(), Vec::new()];
    for one in all {
        let part = place.get(one.condition.id.as_str()).copied().unwrap_or(0);
        parts[part].push(one);
    }
    let [training, validation, held_out] = parts;
    if training.is_empty() || validation.is_empty() {
        return Err(recipe.wrong(&format!(
            "{} instructions are left to train on and {} to stop by; both need some, so give more lessons or change held_out and validation",
            training.len(),
            validation.len()
        )));
    }
    Ok((Parts { training, validation, held_out }, strangers))
}

fn counts(part: &[Instruction]) -> Counts {
    let mut products: Vec<&str> = part.iter().map(|one| one.condition.id.as_str()).collect();
    products.sort_unstable();
    products.dedup();
    Counts { instructions: part.len(), products: products.len() }
}

/// The mean of products' mean losses, with an interval over products; `None` without an instruction.
fn mean_of_products(
    part: &[Instruction],
    losses: &[f64],
    seed: u64,
) -> Result<Option<Estimate>, adeval_eval::EvalError> {
    let mut of: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    for (one, loss) in part.iter().zip(losses) {
        let sums = of.entry(one.condition.id.as_str()).or_default();
        *sums = (sums.0 + loss, sums.1 + 1.0);
    }
    let mut table = ClusterTable::new(of.len(), 1);
    for (cluster, (sum, count)) in of.values().enumerate() {
        table.set(cluster, 0, sum / count);
    }
    let found = table.means(&Bootstrap { seed, ..Bootstrap::default() }, false)?;
    Ok(found.into_iter().next().flatten())
}
