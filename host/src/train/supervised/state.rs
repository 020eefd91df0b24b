//! Where a training is.

use crate::train::{TrainError, checkpoint};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Replaced as a whole after what it refers to is on the disk.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Epochs that are done.
    pub epoch: u32,
    /// Optimizer steps.
    pub steps: u64,
    /// The epoch of the lowest loss on the validation examples, 0 for the model as it was.
    pub best_epoch: u32,
    /// That loss; `None` before the first look.
    pub best_loss: Option<f64>,
    /// Length of `metrics.jsonl` up to there.
    pub metrics_bytes: u64,
    /// Examples that were trained on, each as often as it was.
    pub examples: u64,
    /// Time inside the model while training, in seconds.
    pub training_seconds: f64,
    /// Numbers that the model learns, and all that it has, where it says so.
    pub parameters: Option<[u64; 2]>,
}

impl State {
    /// What stands in a training's directory, if it has begun.
    pub fn read(dir: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(dir.join("state.json")).ok()?).ok()
    }

    /// Replaces it.
    ///
    /// # Errors
    /// [`TrainError::Save`].
    pub fn write(&self, dir: &Path) -> Result<(), TrainError> {
        let text = serde_json::to_string_pretty(self).unwrap_or_default() + "\n";
        checkpoint::replace(&dir.join("state.json"), text.as_bytes())
    }

    /// The checkpoint of an epoch, below `checkpoints`.
    pub fn checkpoint(epoch: u32) -> String {
        format!("epoch-{epoch:04}")
    }
}
