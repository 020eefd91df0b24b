//! RL optimizers in a suite: they have no creatives of their own, so they are tried in a synthetic world.

use super::Component;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// An RL optimizer that competes with others in the synthetic world.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Optimizer {
    /// Unique id.
    pub id: String,
    /// What it is, in a few words.
    #[serde(default)]
    pub description: String,
    /// Id of the component.
    pub plugin: String,
    /// Its parameters.
    #[serde(default)]
    pub parameters: serde_json::Map<String, serde_json::Value>,
    /// `cpu`, `cuda:N` or `metal`.
    #[serde(default = "cpu")]
    pub device: String,
    /// A weight file or directory in place of the default one.
    #[serde(default)]
    pub weights: Option<PathBuf>,
    /// Learning rate of the policy that it trains (Adam), above 0.
    #[serde(default = "default_rate")]
    pub learning_rate: f64,
}

/// How optimizers are tried: a small policy learns in synthetic worlds whose truth is known; see docs/metrics.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Bandit {
    /// Worlds, each with a starting policy: the same for all optimizers.
    #[schemars(range(min = 2, max = 1000))]
    pub seeds: u32,
    /// Answers that a run may sample, each of which would be a creative: what optimizers are to be compared at.
    #[schemars(range(min = 160, max = 10_000_000))]
    pub creatives: u32,
}

impl Default for Bandit {
    fn default() -> Self {
        Self { seeds: 20, creatives: 6400 }
    }
}

fn cpu() -> String {
    "cpu".into()
}
fn default_rate() -> f64 {
    0.05
}

impl Optimizer {
    /// The component alone.
    pub fn component(&self) -> Component {
        Component {
            plugin: self.plugin.clone(),
            parameters: self.parameters.clone(),
            device: self.device.clone(),
            weights: self.weights.clone(),
        }
    }

    pub(super) fn check(&self) -> Result<(), String> {
        if self.learning_rate > 0.0 && self.learning_rate.is_finite() {
            return Ok(());
        }
        Err(format!("optimizer \"{}\": learning_rate must be above 0, not {}", self.id, self.learning_rate))
    }
}

impl Bandit {
    pub(super) fn check(self) -> Result<(), String> {
        if !(2..=1000).contains(&self.seeds) {
            return Err(format!("bandit.seeds = {}: it must be between 2 and 1000", self.seeds));
        }
        if !(160..=10_000_000).contains(&self.creatives) {
            return Err(format!(
                "bandit.creatives = {}: it must be between 160 and 10000000",
                self.creatives
            ));
        }
        Ok(())
    }
}
