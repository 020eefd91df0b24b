//! `result.json`: what became of a pre-training.

use crate::train::{TrainError, checkpoint};
use adeval_eval::Estimate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Instructions and products of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    /// Instructions.
    pub instructions: usize,
    /// Different products among them.
    pub products: usize,
}

/// A pre-training's result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PretrainResult {
    /// Name of the recipe.
    pub name: String,
    /// The component that was trained.
    pub component: String,
    /// That the lessons are synthetic, where a market made them.
    pub synthetic: Option<String>,
    /// What was trained on.
    pub training: Counts,
    /// What decided when to stop.
    pub validation: Counts,
    /// What was looked at before and after only.
    pub held_out: Counts,
    /// Lessons about products that are not in the list.
    pub strangers: usize,
    /// Products that cannot be used.
    pub unusable_products: usize,
    /// Epochs that were trained.
    pub epochs: u32,
    /// The epoch of the lowest loss on the validation instructions, which is kept.
    pub best_epoch: u32,
    /// Optimizer steps.
    pub steps: u64,
    /// Loss on the validation instructions at that epoch, nats a token.
    pub validation_loss: Option<f64>,
    /// Loss on the held-out instructions before the first step, nats a token; the mean of products' means, with its interval.
    pub held_out_before: Option<Estimate>,
    /// The same of what is kept.
    pub held_out_after: Option<Estimate>,
    /// The trained generator, below the training's directory: give it to `--prompt-model`.
    pub weights: String,
}

impl PretrainResult {
    /// Writes it into the training's directory.
    pub fn write(&self, dir: &Path) -> Result<(), TrainError> {
        let text = serde_json::to_string_pretty(self).unwrap_or_default() + "\n";
        checkpoint::replace(&dir.join("result.json"), text.as_bytes())
    }
}
