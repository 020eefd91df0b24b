//! `result.json`: reward models on the same test pairs.

use super::plan::PartCounts;
use crate::train::{TrainError, checkpoint};
use adeval_eval::Estimate;
use adeval_eval::pairs::Report;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// A training's result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RewardResult {
    /// Name of the recipe.
    pub name: String,
    /// That the clicks are simulated, where they are.
    pub synthetic: Option<String>,
    /// Seed of the recipe.
    pub seed: u64,
    /// What was trained on.
    pub training: PartCounts,
    /// What decided when to stop, and what probabilities are calibrated on.
    pub validation: PartCounts,
    /// What all figures are of.
    pub test: PartCounts,
    /// Products of the totals that the list of products does not have.
    pub unlisted_products: usize,
    /// Confidence level of intervals.
    pub level: f64,
    /// The models, by accuracy on the test pairs.
    pub models: Vec<ModelResult>,
    /// Models that could not be trained or tested.
    pub failed: Vec<FailedModel>,
}

/// A model that stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FailedModel {
    /// Its id.
    pub id: String,
    /// Why.
    pub error: String,
}

/// Numbers in a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Parameters {
    /// Those that were trained.
    pub trained: u64,
    /// All.
    pub total: u64,
}

/// Time inside a model for 1000 questions, a question being a pair in one order.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Seconds {
    /// Of training; absent for a model that was not trained.
    pub training: Option<f64>,
    /// Of comparing.
    pub comparing: Option<f64>,
}

/// A model on the test pairs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ModelResult {
    /// Its id in the recipe.
    pub id: String,
    /// Its component.
    pub component: String,
    /// Numbers in it, where it says so.
    pub parameters: Option<Parameters>,
    /// Epochs that were trained.
    pub epochs: u32,
    /// The epoch of the lowest loss on the validation pairs, which was tested; 0 is the model as it was.
    pub best_epoch: u32,
    /// Optimizer steps.
    pub steps: u64,
    /// Cross-entropy on the validation pairs at that epoch, in nats; ln 2 is what chance has. Absent for a model that was not trained.
    pub validation_loss: Option<f64>,
    /// What log-odds are divided by, fitted on the validation pairs; above 1 for a model that promises too much.
    pub temperature: f64,
    /// Accuracy, ceiling, swap consistency, calibration with that temperature: of the test pairs.
    pub report: Report,
    /// Expected calibration error before the temperature.
    pub uncalibrated_ece: Estimate,
    /// Test pairs without an answer.
    pub unanswered: usize,
    /// Accuracy on the true order of the test pairs: **synthetic** markets alone know it.
    pub true_order: Option<Estimate>,
    /// Models whose accuracy is lower beyond chance: symmetric bootstrap-t over products, Holm over all pairs of models.
    pub beats: Vec<String>,
    /// Cost.
    pub seconds: Seconds,
    /// The trained model, below the training's directory: give it to a judge as `weights`.
    pub weights: String,
}

impl RewardResult {
    /// Writes it into the training's directory.
    pub fn write(&self, dir: &Path) -> Result<(), TrainError> {
        let text = serde_json::to_string_pretty(self).unwrap_or_default() + "\n";
        checkpoint::replace(&dir.join("result.json"), text.as_bytes())
    }
}
