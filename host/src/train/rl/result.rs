//! `result.json`: what became of a training, epoch by epoch.

use super::plan::Plan;
use super::state::State;
use crate::train::metrics::{self, Of};
use crate::train::{TrainError, checkpoint};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// A training's result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RlResult {
    /// Name of the recipe.
    pub name: String,
    /// Components by their place.
    pub components: BTreeMap<String, String>,
    /// Products that were trained on.
    pub training_products: usize,
    /// Products that were only looked at.
    pub held_out_products: usize,
    /// Products that cannot be used.
    pub unusable_products: usize,
    /// Optimizer steps.
    pub steps: u64,
    /// The adapter of the last epoch, below the training's directory.
    pub adapter: String,
    /// The start (epoch 0) and each epoch.
    pub epochs: Vec<EpochResult>,
}

/// What an epoch was like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EpochResult {
    /// From 1; 0 is the policy before the first.
    pub epoch: u32,
    /// Values by name, as in `metrics.jsonl`.
    pub metrics: BTreeMap<String, f64>,
}

/// The result that a training's log tells.
pub fn of(plan: &Plan<'_>, dir: &Path, state: &State) -> Result<RlResult, TrainError> {
    let lines = metrics::read(dir)?.into_iter().filter(|line| line.of == Of::Epoch);
    let components = [&plan.prompt, &plan.background, &plan.judge, &plan.optimizer];
    Ok(RlResult {
        name: plan.recipe.name.clone(),
        components: components.iter().map(|c| (c.user.clone(), c.usage.component.clone())).collect(),
        training_products: plan.training.len(),
        held_out_products: plan.held_out.len(),
        unusable_products: plan.unusable,
        steps: state.steps,
        adapter: format!("adapters/{}", state.adapter),
        epochs: lines.map(|line| EpochResult { epoch: line.epoch, metrics: line.metrics }).collect(),
    })
}

impl RlResult {
    /// Writes it into the training's directory.
    pub fn write(&self, dir: &Path) -> Result<(), TrainError> {
        let text = serde_json::to_string_pretty(self).unwrap_or_default() + "\n";
        checkpoint::replace(&dir.join("result.json"), text.as_bytes())
    }

    /// Products of an epoch that were left out for want of creatives, in any epoch.
    pub fn lost(&self) -> bool {
        let lost = |e: &EpochResult| {
            e.metrics.get("judge/products_with_too_few_creatives").is_some_and(|n| *n > 0.0)
        };
        self.epochs.iter().any(lost)
    }
}
