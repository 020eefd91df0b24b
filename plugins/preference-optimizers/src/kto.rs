//! `kto`: Kahneman-Tversky optimisation (Ethayarajh et al., 2024). An answer is good or bad by itself, so no pair is needed.

use crate::answer::{add, finish, in_range, log_prob, log_ratio, zeros};
use crate::sigmoid::sigmoid;
use adeval_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The value of an answer, under trl's names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KtoLoss {
    /// Against the divergence of the policy from its reference.
    #[default]
    Kto,
    /// Against zero (the unpaired APO-zero of D'Oosterlinck et al., 2024).
    ApoZeroUnpaired,
}

/// Parameters of `kto`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct KtoParameters {
    /// The value of an answer.
    pub loss: KtoLoss,
    /// Samples a product.
    #[schemars(range(min = 2, max = 4096))]
    pub samples: u32,
    /// Strength of the pull towards the reference.
    #[schemars(range(min = 0.0001, max = 100.0))]
    pub beta: f64,
    /// Weight of answers whose reward is above their group's mean.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub desirable_weight: f64,
    /// Weight of those below it.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub undesirable_weight: f64,
}

impl Default for KtoParameters {
    fn default() -> Self {
        Self { loss: KtoLoss::Kto, samples: 2, beta: 0.1, desirable_weight: 1.0, undesirable_weight: 1.0 }
    }
}

/// The `kto` component. Answers above their group's mean reward are desirable, those below it undesirable, and those at
/// it neither:
/// `w (1 - sigmoid(beta [log pi/ref(y|x) - z]))` and `w (1 - sigmoid(beta [z - log pi/ref(y|x)]))`.
///
/// `z` is the KL divergence of the policy from its reference, not differentiated. trl estimates it on mismatched pairs, because
/// its answers are not the policy's own; ours are, so it is the mean of `log pi_sampled/ref` over the batch, at least 0: an
/// unbiased estimate for the policy that sampled. Without `sampled` log-probabilities it is 0, as trl has it without KL.
pub struct Kto(KtoParameters);

impl Component for Kto {
    type Parameters = KtoParameters;

    fn info() -> ComponentInfo {
        ComponentInfo::new("kto", "Kahneman-Tversky optimisation: answers that are good or bad by themselves")
    }

    fn create(parameters: KtoParameters, _: &Environment) -> Result<Self> {
        in_range("kto", "samples", f64::from(parameters.samples), 2.0, 4096.0)?;
        in_range("kto", "beta", parameters.beta, 0.0001, 100.0)?;
        in_range("kto", "desirable_weight", parameters.desirable_weight, 0.0, 100.0)?;
        in_range("kto", "undesirable_weight", parameters.undesirable_weight, 0.0, 100.0)?;
        Ok(Self(parameters))
    }
}

/// Which of a group's answers are desirable.
fn labels(group: &[SampleEvidence]) -> Vec<Option<bool>> {
    let mean = group.iter().map(|s| s.reward).sum::<f64>() / group.len().max(1) as f64;
    // Equal rewards have a mean that may differ from them by rounding.
    let tie = group.windows(2).all(|two| two[0].reward == two[1].reward);
    group.iter().map(|s| (!tie && s.reward != mean).then_some(s.reward > mean)).collect()
}

/// The estimate of the divergence.
fn divergence(batch: &PreferenceBatch) -> f64 {
    let known = batch.groups.iter().flatten().filter(|s| !s.sampled.is_empty());
    let ratio = |s: &SampleEvidence| s.sampled.iter().sum::<f64>() - s.clean.reference.iter().sum::<f64>();
    let (count, sum) = known.fold((0.0, 0.0), |(n, sum), s| (n + 1.0, sum + ratio(s)));
    if count > 0.0 { (sum / count).max(0.0) } else { 0.0 }
}

/// Sums over the answers of one label.
#[derive(Default)]
struct Side {
    count: f64,
    rewards: f64,
    logps: f64,
}

impl Side {
    fn note(&self, name: &str, metrics: &mut BTreeMap<String, f64>) -> Option<f64> {
        let mean = self.rewards / self.count;
        (self.count > 0.0).then(|| {
            metrics.insert(format!("rewards/{name}"), mean);
            metrics.insert(format!("logps/{name}"), self.logps / self.count);
            mean
        })
    }
}

impl RlOptimizer for Kto {
    fn needs(&self) -> OptimizerNeeds {
        OptimizerNeeds { samples_per_product: self.0.samples, corruptions: Vec::new() }
    }

    fn loss(&self, batch: &PreferenceBatch, cx: &CallContext<'_>) -> Result<LossAndGradient> {
        cx.check()?;
        batch.validate(&self.needs())?;
        let z = if self.0.loss == KtoLoss::Kto { divergence(batch) } else { 0.0 };
        let labels: Vec<_> = batch.groups.iter().map(|group| labels(group)).collect();
        let count = labels.iter().flatten().flatten().count().max(1) as f64;
        let (mut good, mut bad, mut loss) = (Side::default(), Side::default(), 0.0);
        let mut groups = zeros(batch);
        let answers = batch.groups.iter().flatten().zip(labels.iter().flatten());
        for ((sample, label), gradient) in answers.zip(groups.iter_mut().flatten()) {
            let Some(desirable) = *label else { continue };
            let ratio = log_ratio(&sample.clean);
            let (side, weight, sign) = if desirable {
                (&mut good, self.0.desirable_weight, 1.0)
            } else {
                (&mut bad, self.0.undesirable_weight, -1.0)
            };
            side.count += 1.0;
            side.rewards += self.0.beta * ratio;
            side.logps += log_prob(&sample.clean);
            let value = sign * self.0.beta * (ratio - z);
            loss += weight * sigmoid(-value) / count;
            let slope = -weight * sign * self.0.beta * sigmoid(value) * sigmoid(-value);
            add(&mut gradient.clean, slope / count);
        }
        let mut metrics = BTreeMap::new();
        let both = (good.note("chosen", &mut metrics), bad.note("rejected", &mut metrics));
        if let (Some(good), Some(bad)) = both {
            metrics.insert("rewards/margins".into(), good - bad);
        }
        let ties = labels.iter().filter(|group| group.iter().all(Option::is_none)).count();
        metrics.insert("kl".into(), z);
        metrics.insert("preferences".into(), (groups.len() - ties) as f64);
        metrics.insert("ties".into(), ties as f64);
        finish(loss, groups, metrics)
    }
}
