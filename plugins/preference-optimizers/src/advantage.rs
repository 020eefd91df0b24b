//! What REINFORCE and GRPO share: how much better an answer was than its group, and what clipping does to a ratio.

use adeval_sdk::prelude::*;
use std::collections::BTreeMap;

/// Keeps a division by a spread of nearly nothing small, as in trl.
pub(crate) const SPREAD_FLOOR: f64 = 1e-4;

/// Mean of some numbers; 0 of none.
pub(crate) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// Standard deviation with Bessel's correction; exactly 0 for equal numbers and for a single one.
pub(crate) fn spread(values: &[f64]) -> f64 {
    if values.windows(2).all(|two| two[0] == two[1]) {
        return 0.0;
    }
    let middle = mean(values);
    let squares = values.iter().map(|v| (v - middle).powi(2)).sum::<f64>();
    (squares / (values.len() - 1) as f64).sqrt()
}

/// `-min(r A, clip(r, 1 - low, 1 + high) A)` with its derivative by `log r`, and whether the clip took hold.
pub(crate) fn clipped(log_ratio: f64, advantage: f64, low: f64, high: f64) -> Clipped {
    let ratio = log_ratio.exp();
    let free = ratio * advantage;
    let held = ratio.clamp(1.0 - low, 1.0 + high) * advantage;
    Clipped {
        loss: -free.min(held),
        // Between the bounds the two are equal, and beyond them the smaller one decides.
        slope: if free <= held { -free } else { 0.0 },
        low: ratio < 1.0 - low && advantage < 0.0,
        high: ratio > 1.0 + high && advantage > 0.0,
    }
}

/// See [`clipped`].
pub(crate) struct Clipped {
    pub loss: f64,
    pub slope: f64,
    pub low: bool,
    pub high: bool,
}

/// Counts of clipped ratios, to become shares.
#[derive(Default)]
pub(crate) struct Clips {
    all: f64,
    low: f64,
    high: f64,
}

impl Clips {
    pub fn count(&mut self, one: &Clipped) {
        self.all += 1.0;
        self.low += f64::from(u8::from(one.low));
        self.high += f64::from(u8::from(one.high));
    }

    /// Under trl's names, where ratios were known.
    pub fn note(&self, metrics: &mut BTreeMap<String, f64>) {
        if self.all > 0.0 {
            metrics.insert("clip_ratio/low_mean".into(), self.low / self.all);
            metrics.insert("clip_ratio/high_mean".into(), self.high / self.all);
            metrics.insert("clip_ratio/region_mean".into(), (self.low + self.high) / self.all);
        }
    }
}

/// Rewards of a batch under trl's names, and the groups whose rewards differ.
pub(crate) fn note_rewards(batch: &PreferenceBatch, metrics: &mut BTreeMap<String, f64>) {
    let groups: Vec<Vec<f64>> =
        batch.groups.iter().map(|group| group.iter().map(|s| s.reward).collect()).collect();
    let spreads: Vec<f64> = groups.iter().map(|group| spread(group)).collect();
    let ties = spreads.iter().filter(|spread| **spread == 0.0).count();
    metrics.insert("reward".into(), mean(&groups.concat()));
    metrics.insert("reward_std".into(), mean(&spreads));
    metrics.insert("frac_reward_zero_std".into(), ties as f64 / groups.len().max(1) as f64);
    metrics.insert("preferences".into(), (groups.len() - ties) as f64);
    metrics.insert("ties".into(), ties as f64);
}
