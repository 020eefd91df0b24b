//! Intervals of a tally's values that do not resample, from sums over clusters of any sizes.

use super::bounds::{Limits, Range, student_reach};
use super::tally::{BASE, COUNT, norm};
use super::{Estimator, Tally};
use crate::{Estimate, EvalError, Method, Result};

impl Tally {
    /// Refuses rewards and weights outside of what the caller says that they can be.
    pub(super) fn check(&self, limits: &Limits) -> Result<()> {
        let refused = |place: &str, metric: &str, value, Range { low, high }| {
            Err(EvalError::OutOfRange { place: place.into(), metric: metric.into(), value, low, high })
        };
        if let Some(range) = limits.reward {
            range.validate("reward range")?;
            if let Some(value) = self.rewards.into_iter().find(|r| !range.holds(*r)) {
                return refused("the log", "a reward", value, range);
            }
        }
        match limits.weight {
            Some(most) if self.weights.largest > most => refused(
                "the log",
                "an importance weight",
                self.weights.largest,
                Range { low: 0.0, high: most },
            ),
            _ => Ok(()),
        }
    }

    /// Student's t of a value, and the two bounds where a round's value has a known range. Clusters are what is independent.
    pub(super) fn intervals(
        &self,
        estimator: Estimator,
        value: &Estimate,
        limits: &Limits,
        level: f64,
    ) -> Vec<Estimate> {
        let clusters: Vec<usize> = self.filled().collect();
        let n = clusters.len();
        if n < 2 {
            return Vec::new();
        }
        let of = |reach: f64, range: Range, method| {
            let (low, high) = ((value.value - reach).max(range.low), (value.value + reach).min(range.high));
            Estimate::with_interval(value.value, low, high, n, method)
        };
        let delta = (1.0 - level) / 2.0;
        let everything = Range { low: f64::NEG_INFINITY, high: f64::INFINITY };
        let student = student_reach(self.linear_variance(estimator, &clusters), n as f64, delta);
        let mut found = vec![of(student, everything, Method::StudentT)];
        if let Some(range) = self.range(estimator, limits) {
            let [bernstein, hoeffding] = self.reaches(estimator, &clusters, range, delta);
            found.push(of(bernstein, range, Method::EmpiricalBernstein));
            found.push(of(hoeffding, range, Method::Hoeffding));
        }
        found
    }

    /// Variance of the clusters' influences, to first order: n times each one's share in the change of the value. For means over
    /// clusters of one size that is the variance of their means.
    fn linear_variance(&self, estimator: Estimator, clusters: &[usize]) -> f64 {
        let n = clusters.len() as f64;
        let [part, norm] = [self.part(estimator), norm(estimator)];
        let (count, total) = (self.total(COUNT), self.total(norm));
        let based = estimator.needs_model();
        let base = if based { self.total(BASE) / count } else { 0.0 };
        let ratio = if estimator == Estimator::DirectMethod { 0.0 } else { self.total(part) / total };
        let influence = |&cluster: &usize| {
            let cell = |column| self.cell(cluster, column);
            let of_base = if based { (cell(BASE) - base * cell(COUNT)) / count } else { 0.0 };
            let of_part = (cell(part) - ratio * cell(norm)) / total;
            n * (of_base + if estimator == Estimator::DirectMethod { 0.0 } else { of_part })
        };
        clusters.iter().map(|c| influence(c).powi(2)).sum::<f64>() / (n - 1.0)
    }

    /// The range of a round's value: rewards as the caller says, weights up to what it says or else the largest.
    fn range(&self, estimator: Estimator, limits: &Limits) -> Option<Range> {
        let reward = limits.reward?;
        let [low, high] = self.predictions;
        let predicted = Range { low: low.min(reward.low), high: high.max(reward.high) };
        let most = match estimator {
            Estimator::Mipw => self.largest_marginal,
            _ => limits.weight.unwrap_or(self.weights.largest),
        };
        estimator.range(reward, predicted, most).filter(|range| range.low < range.high)
    }

    /// How far empirical Bernstein and Hoeffding reach. A cluster of m of M rounds adds a value in m / M times the range; the
    /// value is the sum of these, which are independent but of different ranges where clusters have different sizes.
    fn reaches(&self, estimator: Estimator, clusters: &[usize], range: Range, delta: f64) -> [f64; 2] {
        let n = clusters.len() as f64;
        let rounds = self.rounds as f64;
        let width = range.high - range.low;
        let part = if estimator == Estimator::DirectMethod { None } else { Some(self.part(estimator)) };
        let value = |&cluster: &usize| {
            let base = if estimator.needs_model() { self.cell(cluster, BASE) } else { 0.0 };
            let part = part.map_or(0.0, |part| self.cell(cluster, part));
            n * (base + part - range.low * self.cell(cluster, COUNT)) / rounds
        };
        let values: Vec<f64> = clusters.iter().map(value).collect();
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
        let sizes = clusters.iter().map(|c| self.cell(*c, COUNT) / rounds);
        let (squares, most) = sizes.fold((0.0, 0.0_f64), |(s, m), size| (s + size * size, m.max(size)));
        let log = (2.0 / delta).ln();
        let bernstein = (2.0 * log * variance / n).sqrt() + 7.0 * width * n * most * log / (3.0 * (n - 1.0));
        [bernstein, width * ((1.0 / delta).ln() / 2.0 * squares).sqrt()]
    }
}
