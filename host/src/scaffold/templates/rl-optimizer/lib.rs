//! `{{name}}`: an RL optimizer for adeval.
//!
//! REINFORCE with a leave-one-out baseline (RLOO; Ahmadian et al., 2024): a sample's advantage is its
//! reward minus the mean reward of the product's other samples, and the loss is minus the mean of
//! advantage times log-probability. An optimizer never sees a model: it turns rewards and
//! log-probabilities into derivatives, and the prompt generator carries those into its parameters.

use adeval_sdk::prelude::*;
use std::collections::BTreeMap;

/// What a training run may set. Doc comments become the descriptions of `adeval plugin inspect`; the
/// host checks the ranges and refuses names that are not here, before it creates the component.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Parameters {
    /// Samples a product, from 2 to 64: more make a better baseline and cost more creatives.
    #[schemars(range(min = 2, max = 64))]
    pub samples: u32,
}

impl Default for Parameters {
    fn default() -> Self {
        Self { samples: 4 }
    }
}

/// The component.
pub struct Optimizer {
    parameters: Parameters,
}

impl Component for Optimizer {
    type Parameters = Parameters;

    /// What `adeval plugin list` shows. It must load nothing: discovery calls it for every plugin.
    fn info() -> ComponentInfo {
        ComponentInfo::new(
            "{{name}}",
            "REINFORCE with a leave-one-out baseline over each product's samples",
        )
    }

    fn create(parameters: Parameters, _: &Environment) -> Result<Self> {
        Ok(Self { parameters })
    }
}

impl RlOptimizer for Optimizer {
    /// What the host is to bring: so many samples a product, and log-probabilities under corrupted
    /// conditions too where a loss wants them (`Corruption`, as PCPO does).
    fn needs(&self) -> OptimizerNeeds {
        OptimizerNeeds {
            samples_per_product: self.parameters.samples,
            corruptions: Vec::new(),
        }
    }

    /// The loss and its exact derivatives by each token's current log-probability. A pure function.
    fn loss(&self, batch: &PreferenceBatch, cx: &CallContext<'_>) -> Result<LossAndGradient> {
        batch.validate(&self.needs())?;
        let mut loss = 0.0;
        let mut spread = 0.0;
        let mut groups = Vec::with_capacity(batch.groups.len());
        for group in &batch.groups {
            // In every loop that takes time: this is what makes Ctrl-C and timeouts polite.
            cx.check()?;
            let share = 1.0 / (batch.groups.len() * group.len()) as f64;
            let advantages = advantages(group);
            let gradients = group.iter().zip(&advantages).map(|(sample, advantage)| {
                loss -= share * advantage * sample.clean.current.iter().sum::<f64>();
                spread += share * advantage.abs();
                // d loss / d log p(token) is the same for all tokens of an answer.
                let clean = vec![-share * advantage; sample.clean.current.len()];
                SampleGradient {
                    clean,
                    corrupted: Vec::new(),
                }
            });
            groups.push(gradients.collect());
        }
        let metrics = BTreeMap::from([("rewards/advantage".into(), spread)]);
        Ok(LossAndGradient {
            loss,
            groups,
            metrics,
        })
    }
}

/// Each sample's reward minus the mean of the others'; `group` has at least two samples.
fn advantages(group: &[SampleEvidence]) -> Vec<f64> {
    let total: f64 = group.iter().map(|sample| sample.reward).sum();
    let others = (group.len() - 1) as f64;
    group
        .iter()
        .map(|sample| sample.reward - (total - sample.reward) / others)
        .collect()
}

export_plugin! { rl_optimizer: [Optimizer] }

#[cfg(test)]
mod tests;
