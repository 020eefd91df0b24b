//! Importance weights counted, not kept: their quantiles in memory that does not grow with a log.

use std::collections::HashMap;

/// Different weights that are told apart exactly.
const EXACT: usize = 1 << 16;
/// Bits of a number's 52 that are dropped beyond: weights are then rounded by at most one part in 8192.
const DROPPED: u32 = 40;

/// How often each weight occurred. Logs of a few policies have few different weights, and those are exact; beyond 65,536 of them
/// weights are rounded by at most 0.013%.
#[derive(Debug, Clone, Default)]
pub(super) struct WeightCounts {
    counts: HashMap<u64, u64>,
    rounded: bool,
    pub rounds: u64,
    pub sum: f64,
    pub square: f64,
    pub largest: f64,
    pub zeros: u64,
}

impl WeightCounts {
    pub fn add(&mut self, weight: f64) {
        self.rounds += 1;
        self.sum += weight;
        self.square += weight * weight;
        self.largest = self.largest.max(weight);
        self.zeros += u64::from(weight == 0.0);
        // Of positive numbers the order of the bits is that of the numbers; -0 is 0.
        let bits = weight.abs().to_bits();
        *self.counts.entry(if self.rounded { round(bits) } else { bits }).or_default() += 1;
        if !self.rounded && self.counts.len() > EXACT {
            self.rounded = true;
            for (bits, count) in std::mem::take(&mut self.counts) {
                *self.counts.entry(round(bits)).or_default() += count;
            }
        }
    }

    /// Quantiles by linear interpolation, of shares in rising order.
    pub fn quantiles<const N: usize>(&self, shares: [f64; N]) -> [f64; N] {
        let mut counts: Vec<(u64, u64)> = self.counts.iter().map(|(bits, count)| (*bits, *count)).collect();
        counts.sort_unstable();
        let at = |rank: u64| {
            let mut before = 0;
            let found = counts.iter().find(|(_, count)| {
                before += count;
                rank < before
            });
            found.map_or(0.0, |(bits, _)| f64::from_bits(*bits))
        };
        let last = self.rounds.saturating_sub(1);
        shares.map(|share| {
            let position = share * last as f64;
            let below = position.floor() as u64;
            let (low, high) = (at(below), at((below + 1).min(last)));
            low + (high - low) * (position - below as f64)
        })
    }
}

/// To the nearest number that has its last bits 0.
fn round(bits: u64) -> u64 {
    (bits + (1 << (DROPPED - 1))) >> DROPPED << DROPPED
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::quantile::quantile;

    #[test]
    fn quantiles_are_exact_for_few_weights_and_near_for_many() {
        for (n, rule) in [(5_000_usize, 1e-15), (200_000, 2e-4)] {
            let mut weights: Vec<f64> = (0..n).map(|i| ((i * 7919) % n) as f64 / 1000.0).collect();
            let mut counts = WeightCounts::default();
            weights.iter().for_each(|w| counts.add(*w));
            weights.sort_unstable_by(f64::total_cmp);
            let shares = [0.0, 0.5, 0.9, 0.99, 0.999, 1.0];
            for (found, share) in counts.quantiles(shares).into_iter().zip(shares) {
                let exact = quantile(&weights, share).unwrap();
                assert!((found - exact).abs() <= rule * exact, "{n} {share}: {found} is not {exact}");
            }
            assert!(counts.counts.len() <= EXACT + 1, "{}", counts.counts.len());
            assert_eq!((counts.zeros, counts.largest), (1, (n - 1) as f64 / 1000.0));
        }
    }
}
