//! Where a training is: one small file that is replaced as a whole after what it refers to is on the disk.

use crate::train::{TrainError, checkpoint};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Everything that is not in the run store and not in an adapter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// The outer epoch at work, from 1.
    pub epoch: u32,
    /// Steps of it that are taken.
    pub step: u64,
    /// Steps that are taken in all.
    pub steps: u64,
    /// The adapter that holds the policy after them.
    pub adapter: String,
    /// Length of `metrics.jsonl` up to there.
    pub metrics_bytes: u64,
}

/// The adapter before the first step.
pub const FIRST: &str = "epoch-0000";

impl State {
    /// Before the first step.
    pub fn new() -> Self {
        Self { epoch: 1, step: 0, steps: 0, adapter: FIRST.into(), metrics_bytes: 0 }
    }

    /// What stands in a training's directory, if it has begun.
    pub fn read(dir: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(dir.join("state.json")).ok()?).ok()
    }

    /// Replaces it.
    pub fn write(&self, dir: &Path) -> Result<(), TrainError> {
        let text = serde_json::to_string_pretty(self).unwrap_or_default() + "\n";
        checkpoint::replace(&dir.join("state.json"), text.as_bytes())
    }
}
