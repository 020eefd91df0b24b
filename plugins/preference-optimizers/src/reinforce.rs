//! `reinforce`: the policy gradient (Williams, 1992) whose baseline is the mean of the group's other rewards: RLOO (Kool et
//! al., 2019; Ahmadian et al., 2024).

use crate::advantage::{Clips, SPREAD_FLOOR, clipped, mean, note_rewards, spread};
use crate::answer::{add, finish, in_range, log_prob, zeros};
use adeval_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Parameters of `reinforce`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ReinforceParameters {
    /// Samples a product.
    #[schemars(range(min = 2, max = 4096))]
    pub samples: u32,
    /// Weight of the KL divergence from the reference, taken off the rewards; needs `sampled` log-probabilities.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub kl_weight: f64,
    /// How far an answer's importance ratio may be from 1 before it stops counting.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub clip: f64,
    /// Whether advantages are brought to mean 0 and deviation 1 over the batch.
    pub normalise: bool,
}

impl Default for ReinforceParameters {
    fn default() -> Self {
        Self { samples: 4, kl_weight: 0.0, clip: 0.2, normalise: false }
    }
}

/// The `reinforce` component: the mean over answers of `-A log pi(y|x)`, with `A` the reward less the mean of the group's others.
///
/// Where the log-probabilities of the policy that sampled are known, `log pi` is replaced by the importance ratio
/// `pi / pi_sampled` of the whole answer, clipped as in PPO: the same gradient for the first step, and the right one after it.
pub struct Reinforce(ReinforceParameters);

impl Component for Reinforce {
    type Parameters = ReinforceParameters;

    fn info() -> ComponentInfo {
        ComponentInfo::new("reinforce", "The policy gradient with a leave-one-out baseline (RLOO)")
    }

    fn create(parameters: ReinforceParameters, _: &Environment) -> Result<Self> {
        in_range("reinforce", "samples", f64::from(parameters.samples), 2.0, 4096.0)?;
        in_range("reinforce", "kl_weight", parameters.kl_weight, 0.0, 100.0)?;
        in_range("reinforce", "clip", parameters.clip, 0.0, 1.0)?;
        Ok(Self(parameters))
    }
}

impl Reinforce {
    /// One a sample, in order.
    fn advantages(&self, batch: &PreferenceBatch) -> Vec<f64> {
        let mut all = Vec::new();
        for group in &batch.groups {
            let rewards: Vec<f64> = group.iter().map(|s| s.reward - self.0.kl_weight * kl(s)).collect();
            let (sum, others) = (rewards.iter().sum::<f64>(), (rewards.len() - 1) as f64);
            // Equal rewards are no reason to move, whatever rounding says.
            let tie = spread(&rewards) == 0.0;
            all.extend(rewards.iter().map(|r| if tie { 0.0 } else { r - (sum - r) / others }));
        }
        if self.0.normalise {
            let (middle, width) = (mean(&all), spread(&all) + SPREAD_FLOOR);
            all.iter_mut().for_each(|a| *a = (*a - middle) / width);
        }
        all
    }
}

/// `log pi_sampled - log ref` of an answer.
fn kl(sample: &SampleEvidence) -> f64 {
    sample.sampled.iter().sum::<f64>() - sample.clean.reference.iter().sum::<f64>()
}

impl RlOptimizer for Reinforce {
    fn needs(&self) -> OptimizerNeeds {
        OptimizerNeeds { samples_per_product: self.0.samples, corruptions: Vec::new() }
    }

    fn loss(&self, batch: &PreferenceBatch, cx: &CallContext<'_>) -> Result<LossAndGradient> {
        cx.check()?;
        batch.validate(&self.needs())?;
        let samples: Vec<&SampleEvidence> = batch.groups.iter().flatten().collect();
        let known = |s: &SampleEvidence| !s.sampled.is_empty();
        if self.0.kl_weight > 0.0 && !samples.iter().all(|s| known(s)) {
            return Err(PluginError::invalid_request(
                "kl_weight needs the log-probs of the policy that sampled (`sampled`), which are not there",
            ));
        }
        let (mut groups, mut metrics, mut clips) = (zeros(batch), BTreeMap::new(), Clips::default());
        let (count, mut loss) = (samples.len().max(1) as f64, 0.0);
        let each = samples.iter().zip(self.advantages(batch)).zip(groups.iter_mut().flatten());
        for ((sample, advantage), gradient) in each {
            let slope = if known(sample) {
                let log_ratio = log_prob(&sample.clean) - sample.sampled.iter().sum::<f64>();
                let one = clipped(log_ratio, advantage, self.0.clip, self.0.clip);
                clips.count(&one);
                loss += one.loss / count;
                one.slope
            } else {
                loss -= advantage * log_prob(&sample.clean) / count;
                -advantage
            };
            add(&mut gradient.clean, slope / count);
        }
        let known: Vec<&SampleEvidence> = samples.into_iter().filter(|s| known(s)).collect();
        if !known.is_empty() {
            let tokens: usize = known.iter().map(|s| s.sampled.len()).sum();
            metrics.insert("kl".into(), known.iter().map(|s| kl(s)).sum::<f64>() / tokens as f64);
        }
        note_rewards(batch, &mut metrics);
        clips.note(&mut metrics);
        finish(loss, groups, metrics)
    }
}
