//! RL optimizers: a pure function from rewards and log-probabilities to a loss and its gradient.
//!
//! The optimizer never sees a model. It says what it needs (samples a product, corrupted conditions), the host asks
//! the prompt generator for those log-probabilities, and hands the gradient back to it. So one DPO or PCPO plugin
//! serves any prompt generator in any framework.

use crate::{CallContext, Component, PluginError, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A way to corrupt a condition `x` into `x'` (PCPO, CAIG section 3.4).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Corruption {
    /// The image with a share of its square patches set to zero in all channels, and the same text (paper: 32 pixels,
    /// 0.75). The host chooses the patches by its own seed.
    MaskedImage {
        /// Side of a patch in pixels of the product's image as the host passes it, before any resizing by the model.
        patch: u32,
        /// Share of the patches that are zeroed, [0, 1].
        share: f64,
    },
    /// The same image with another product's text.
    SwappedText,
    /// The same image with another product's text **and that product's best answer** (the highest reward; the first of
    /// equal ones): what the paper's released code does instead of [`Corruption::SwappedText`]. The log-probabilities and
    /// their derivatives are then those of the other product's answer, and may differ from the clean ones in number.
    SwappedPair,
}

/// What an optimizer needs before it can compute a loss.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OptimizerNeeds {
    /// Samples a product, at least 1 (2 for preference pairs).
    pub samples_per_product: u32,
    /// The corrupted conditions under which it wants log-probabilities; empty for plain DPO.
    #[serde(default)]
    pub corruptions: Vec<Corruption>,
}

/// Token log-probabilities of one answer under one condition, by the current policy and by the reference.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LogProbs {
    /// log pi(token), one a token.
    pub current: Vec<f64>,
    /// log ref(token), one a token.
    pub reference: Vec<f64>,
}

/// One sampled answer with all that is known of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SampleEvidence {
    /// The reward of the creative it led to, higher is better; any finite scale that is the same within the group.
    pub reward: f64,
    /// Under the true condition `x`.
    pub clean: LogProbs,
    /// Under each condition of [`OptimizerNeeds::corruptions`], in that order; of this answer, but for
    /// [`Corruption::SwappedPair`].
    #[serde(default)]
    pub corrupted: Vec<LogProbs>,
    /// log p of each token by the policy that sampled the answer, for importance ratios when the current one has moved
    /// on since (PPO, GRPO); empty when it was not kept.
    #[serde(default)]
    pub sampled: Vec<f64>,
}

/// The samples of each product: `groups[product][sample]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PreferenceBatch {
    /// One list of samples a product.
    pub groups: Vec<Vec<SampleEvidence>>,
}

/// Derivatives of the loss by the current log-probabilities of one sample.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SampleGradient {
    /// By `clean.current`, one a token.
    pub clean: Vec<f64>,
    /// By `corrupted[c].current`, one a token.
    #[serde(default)]
    pub corrupted: Vec<Vec<f64>>,
}

/// The optimizer's answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LossAndGradient {
    /// Mean loss over the groups that made a preference; 0 when none did.
    pub loss: f64,
    /// Same shape as the batch.
    pub groups: Vec<Vec<SampleGradient>>,
    /// What to plot, e.g. `rewards/margins`, `rewards/accuracies` (trl's names).
    #[serde(default)]
    pub metrics: BTreeMap<String, f64>,
}

/// Turns rewards and log-probabilities into a loss and its gradient.
pub trait RlOptimizer: Component {
    /// What it needs.
    fn needs(&self) -> OptimizerNeeds;

    /// The loss and its derivatives by the current log-probabilities. Pure: the same batch gives the same answer.
    ///
    /// # Errors
    /// `InvalidRequest` when the batch lacks something of [`RlOptimizer::needs`], `Numerical` for a NaN.
    fn loss(&self, batch: &PreferenceBatch, cx: &CallContext<'_>) -> Result<LossAndGradient>;
}

impl PreferenceBatch {
    /// Checks that the batch has what the optimizer needs and that all its numbers are finite.
    ///
    /// # Errors
    /// `InvalidRequest` or `Numerical`, naming group and sample.
    pub fn validate(&self, needs: &OptimizerNeeds) -> Result<()> {
        for (g, group) in self.groups.iter().enumerate() {
            if group.len() < needs.samples_per_product as usize {
                let (have, want) = (group.len(), needs.samples_per_product);
                return Err(PluginError::invalid_request(format!(
                    "group {g} has {have} samples, {want} are needed"
                )));
            }
            for (s, sample) in group.iter().enumerate() {
                sample.validate(needs).map_err(|mut e| {
                    e.message = format!("group {g}, sample {s}: {}", e.message);
                    e
                })?;
            }
        }
        Ok(())
    }
}

impl SampleEvidence {
    fn validate(&self, needs: &OptimizerNeeds) -> Result<()> {
        if self.corrupted.len() != needs.corruptions.len() {
            return Err(PluginError::invalid_request(format!(
                "log-probs under {} corrupted conditions, {} are needed",
                self.corrupted.len(),
                needs.corruptions.len()
            )));
        }
        if !self.sampled.is_empty() && self.sampled.len() != self.clean.current.len() {
            return Err(PluginError::invalid_request("sampled and current log-probs differ in number"));
        }
        if self.sampled.iter().any(|p| !p.is_finite()) {
            return Err(PluginError::new(crate::ErrorKind::Numerical, "a sampled log-prob is not finite"));
        }
        for probs in std::iter::once(&self.clean).chain(&self.corrupted) {
            if probs.current.len() != probs.reference.len() {
                return Err(PluginError::invalid_request("current and reference log-probs differ in number"));
            }
            if probs.current.iter().chain(&probs.reference).any(|p| !p.is_finite())
                || !self.reward.is_finite()
            {
                return Err(PluginError::new(
                    crate::ErrorKind::Numerical,
                    "a log-prob or reward is not finite",
                ));
            }
        }
        Ok(())
    }
}
