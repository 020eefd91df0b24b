//! The estimators of slates, each as a function of sums over clusters.

use super::{Cascade, Norm, Slates};
use crate::ope::Overlap;
use crate::ope::weights::WeightCounts;
use crate::statistics::renumbered;
use crate::{Bootstrap, Estimate, EvalError, Result, Sums};

/// Columns before those of an estimator: slates, and what they earned.
const SLATES: usize = 0;
const EARNED: usize = 1;
const FIRST: usize = 2;

/// A value, and how far it is above what the log earned, on the same resamples.
pub(super) type Both = [Estimate; 2];

impl Slates {
    /// Sum over positions of the mean weighted reward, with a BCa interval over clusters.
    ///
    /// # Errors
    /// As [`Slates::validate`]; [`EvalError::TooFew`] when no slate has any weight under the policy.
    pub fn value(&self, norm: Norm, bootstrap: &Bootstrap) -> Result<Estimate> {
        Ok(self.weighted(norm, bootstrap)?[0])
    }

    /// The cascade doubly robust value; the probabilities of `self` must be those of the cascade.
    ///
    /// # Errors
    /// As [`Slates::value`], and for a model whose sizes do not fit.
    pub fn cascade_dr(&self, model: &Cascade, bootstrap: &Bootstrap) -> Result<Estimate> {
        Ok(self.doubly_robust(model, bootstrap)?[0])
    }

    /// Overlap of the rows: each position of each slate with its weight.
    ///
    /// # Errors
    /// As [`Slates::value`].
    pub fn overlap(&self, bootstrap: &Bootstrap) -> Result<Overlap> {
        self.validate()?;
        let (cluster_of, clusters) = self.clusters();
        let mut sums = Sums::new(clusters, 2);
        let mut counts = WeightCounts::default();
        for row in 0..self.reward.len() {
            let weight = self.weight(row);
            sums.add(cluster_of[row / self.positions], 0, weight);
            sums.add(cluster_of[row / self.positions], 1, 1.0);
            counts.add(weight);
        }
        Overlap::of(sums.estimates(bootstrap, 1, |s, out| out[0] = s[0] / s[1])?[0], &counts)
    }

    /// What the slates themselves earned, on average.
    pub(super) fn logged(&self, bootstrap: &Bootstrap) -> Result<Estimate> {
        self.validate()?;
        let found = self.sums(0).estimates(bootstrap, 1, |s, out| out[0] = s[EARNED] / s[SLATES])?;
        found[0].ok_or_else(no_weight)
    }

    pub(super) fn weighted(&self, norm: Norm, bootstrap: &Bootstrap) -> Result<Both> {
        self.validate()?;
        let positions = self.positions;
        // Weighted rewards and weights of each position.
        let mut sums = self.sums(2 * positions);
        let (cluster_of, _) = self.clusters();
        for row in 0..self.reward.len() {
            let (cluster, position) = (cluster_of[row / positions], row % positions);
            let weight = self.weight(row);
            sums.add(cluster, FIRST + position, weight * self.reward[row]);
            sums.add(cluster, FIRST + positions + position, weight);
        }
        both(&sums, bootstrap, |s| {
            let (parts, weights) = s[FIRST..].split_at(positions);
            match norm {
                Norm::None => parts.iter().sum::<f64>() / s[SLATES],
                Norm::Overall => parts.iter().sum::<f64>() * positions as f64 / weights.iter().sum::<f64>(),
                Norm::ByPosition => parts.iter().zip(weights).map(|(p, w)| p / w).sum(),
            }
        })
    }

    pub(super) fn doubly_robust(&self, model: &Cascade, bootstrap: &Bootstrap) -> Result<Both> {
        self.validate()?;
        model.validate(self.reward.len())?;
        let mut sums = self.sums(1);
        let (cluster_of, _) = self.clusters();
        for row in 0..self.reward.len() {
            // The weight of the items above, which the expectation at this position is taken under.
            let above = if row % self.positions == 0 { 1.0 } else { self.weight(row - 1) };
            let value =
                self.weight(row) * (self.reward[row] - model.shown[row]) + above * model.expected[row];
            sums.add(cluster_of[row / self.positions], FIRST, value);
        }
        both(&sums, bootstrap, |s| s[FIRST] / s[SLATES])
    }

    /// Sums of slates and their rewards, and `more` columns of zeros.
    fn sums(&self, more: usize) -> Sums {
        let (cluster_of, clusters) = self.clusters();
        let mut sums = Sums::new(clusters, FIRST + more);
        for (slate, reward) in self.reward.chunks_exact(self.positions).enumerate() {
            sums.add(cluster_of[slate], SLATES, 1.0);
            sums.add(cluster_of[slate], EARNED, reward.iter().sum());
        }
        sums
    }

    /// The cluster of each slate, and how many there are.
    fn clusters(&self) -> (Vec<usize>, usize) {
        let slates = self.reward.len() / self.positions;
        self.cluster.as_ref().map_or_else(|| ((0..slates).collect(), slates), |cluster| renumbered(cluster))
    }
}

fn both(sums: &Sums, bootstrap: &Bootstrap, value: impl Fn(&[f64]) -> f64 + Sync) -> Result<Both> {
    let found = sums.estimates(bootstrap, 2, |s, out| {
        out[0] = value(s);
        out[1] = out[0] - s[EARNED] / s[SLATES];
    })?;
    match found[..] {
        [Some(value), Some(over)] => Ok([value, over]),
        _ => Err(no_weight()),
    }
}

fn no_weight() -> EvalError {
    EvalError::TooFew {
        what: "a slate's value (slates that the policy would show)".into(),
        got: 0,
        needed: 1,
    }
}
