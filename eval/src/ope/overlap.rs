//! How much of the log speaks about the evaluated policy?

use super::Rounds;
use super::weights::WeightCounts;
use crate::{Bootstrap, Estimate, EvalError, Result, Sums};
use serde::{Deserialize, Serialize};

/// Diagnostics of importance weights. No estimator is better than its overlap: read these first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Overlap {
    /// Rounds of the log.
    pub rounds: usize,
    /// (Sum w)^2 / sum w^2 (Kish 1965): equally weighted rounds that would say as much.
    pub effective_sample_size: f64,
    /// The same as a share of the rounds.
    pub effective_share: f64,
    /// Mean weight; 1 in expectation when the propensities are right and cover the policy.
    pub mean_weight: Estimate,
    /// Whether 1 lies outside its interval: the propensities are wrong, or the policy takes actions that the log never
    /// could, and every weighted estimate is biased.
    pub suspicious: bool,
    /// Largest weight.
    pub largest_weight: f64,
    /// Its share of the sum of weights: an estimate that hangs on one round.
    pub largest_share: f64,
    /// Share of rounds whose action the policy never takes.
    pub zero_share: f64,
    /// 50th, 90th, 99th and 99.9th percentile of the weights; within 0.013% where there are more than 65,536 different ones.
    pub quantiles: [f64; 4],
}

/// Measures the overlap of a log and a policy.
///
/// # Errors
/// [`EvalError::TooFew`] when no round has any weight; [`EvalError::BadOption`].
pub fn overlap(rounds: &Rounds, bootstrap: &Bootstrap) -> Result<Overlap> {
    let (cluster_of, clusters) = rounds.clusters();
    let mut sums = Sums::new(clusters, 2);
    let mut counts = WeightCounts::default();
    for (row, weight) in rounds.weights().iter().enumerate() {
        sums.add(cluster_of(row), 0, *weight);
        sums.add(cluster_of(row), 1, 1.0);
        counts.add(*weight);
    }
    let mean = sums.estimates(bootstrap, 1, |s, out| out[0] = s[0] / s[1])?[0];
    Overlap::of(mean, &counts)
}

impl Overlap {
    /// From the mean weight with its interval and the weights' counts.
    pub(super) fn of(mean: Option<Estimate>, weights: &WeightCounts) -> Result<Self> {
        let &WeightCounts { rounds, sum, square, largest, zeros, .. } = weights;
        let Some(mean_weight) = mean.filter(|_| sum > 0.0) else {
            let what = "an overlap (logged actions that the policy would take)".into();
            return Err(EvalError::TooFew { what, got: 0, needed: 1 });
        };
        let outside = |low: f64, high: f64| low > 1.0 + 1e-9 || high < 1.0 - 1e-9;
        let n = rounds as f64;
        Ok(Self {
            rounds: rounds as usize,
            effective_sample_size: sum * sum / square,
            effective_share: sum * sum / square / n,
            mean_weight,
            suspicious: mean_weight.low.zip(mean_weight.high).is_some_and(|(low, high)| outside(low, high)),
            largest_weight: largest,
            largest_share: largest / sum,
            zero_share: zeros as f64 / n,
            quantiles: weights.quantiles([0.5, 0.9, 0.99, 0.999]),
        })
    }
}
