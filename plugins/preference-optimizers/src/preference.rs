//! What DPO and PCPO share: the preference of a group, and the means over preferences.

use crate::answer::{finish, log_prob};
use adeval_sdk::prelude::*;
use std::collections::BTreeMap;

/// Indices of the chosen and the rejected sample of a group: the first of the best and the first of the worst reward.
/// `None` when their rewards are equal or closer than `min_margin`.
pub(crate) fn pair(group: &[SampleEvidence], min_margin: f64) -> Option<(usize, usize)> {
    let reward = |i: usize| group[i].reward;
    let best = (0..group.len()).reduce(|a, b| if reward(b) > reward(a) { b } else { a })?;
    let worst = (0..group.len()).reduce(|a, b| if reward(b) < reward(a) { b } else { a })?;
    let margin = reward(best) - reward(worst);
    (margin > 0.0 && margin >= min_margin).then_some((best, worst))
}

/// Sums over preferences, to become means.
#[derive(Default)]
pub(crate) struct Tally {
    pairs: f64,
    loss: f64,
    metrics: BTreeMap<String, f64>,
}

impl Tally {
    /// Counts one preference.
    pub fn pair(&mut self, loss: f64) {
        self.pairs += 1.0;
        self.loss += loss;
    }

    /// Adds to a metric.
    pub fn add(&mut self, name: &str, value: f64) {
        *self.metrics.entry(name.to_owned()).or_default() += value;
    }

    /// The metrics of a pair under trl's names, given its implicit rewards.
    pub fn rewards(&mut self, chosen: &LogProbs, rejected: &LogProbs, rewards: (f64, f64)) {
        let (good, bad) = rewards;
        self.add("rewards/chosen", good);
        self.add("rewards/rejected", bad);
        self.add("rewards/margins", good - bad);
        self.add("rewards/accuracies", f64::from(u8::from(good > bad)));
        self.add("logps/chosen", log_prob(chosen));
        self.add("logps/rejected", log_prob(rejected));
    }

    /// Means instead of sums.
    pub fn finish(mut self, mut groups: Vec<Vec<SampleGradient>>) -> Result<LossAndGradient> {
        let count = self.pairs.max(1.0);
        self.metrics.values_mut().for_each(|v| *v /= count);
        for sample in groups.iter_mut().flatten() {
            let all = sample.clean.iter_mut().chain(sample.corrupted.iter_mut().flatten());
            all.for_each(|v| *v /= count);
        }
        self.metrics.insert("preferences".into(), self.pairs);
        self.metrics.insert("ties".into(), groups.len() as f64 - self.pairs);
        finish(self.loss / count, groups, self.metrics)
    }
}
