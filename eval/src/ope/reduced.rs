//! A log without the probabilities of actions that were not taken: what a stream of rows can keep.

use super::log::{Rounds, check_propensity, mismatch};
use crate::statistics::{check_finite, check_probability, renumbered};
use crate::{EvalError, Result};

/// Logged rounds, in columns of equal length n, with what the estimators need of the policy and the reward model.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reduced {
    /// What each round earned.
    pub reward: Vec<f64>,
    /// The logging policy's probability of the action taken, in (0, 1].
    pub propensity: Vec<f64>,
    /// The evaluated policy's probability of it, in [0, 1].
    pub probability: Vec<f64>,
    /// A model's expected reward of the action taken, and its mean over the evaluated policy.
    pub model: Option<Vec<[f64; 2]>>,
    /// The cluster of each round; each round is its own without.
    pub cluster: Option<Vec<usize>>,
}

impl Reduced {
    /// Checks the columns.
    ///
    /// # Errors
    /// [`EvalError`] names the row of a propensity or probability out of range or a value that is not finite;
    /// [`EvalError::SizeMismatch`]; [`EvalError::TooFew`] below two rounds.
    pub fn rounds(self) -> Result<Rounds> {
        let n = self.reward.len();
        let sizes = [
            ("propensity", Some(self.propensity.len())),
            ("probability", Some(self.probability.len())),
            ("model", self.model.as_ref().map(Vec::len)),
            ("cluster", self.cluster.as_ref().map(Vec::len)),
        ];
        if let Some((what, Some(got))) = sizes.into_iter().find(|(_, got)| got.is_some_and(|got| got != n)) {
            return Err(mismatch(what, got, n));
        }
        if n < 2 {
            return Err(EvalError::TooFew { what: "an off-policy estimate".into(), got: n, needed: 2 });
        }
        check_finite(&self.reward, "the reward")?;
        if let Some(model) = &self.model {
            check_finite(model.as_flattened(), "the reward model's prediction")?;
        }
        for (row, (&propensity, &probability)) in self.propensity.iter().zip(&self.probability).enumerate() {
            let place = || format!("row {row}");
            check_propensity(propensity, place)?;
            check_probability(probability, &place(), "the policy's probability")?;
        }
        let weights = self.probability.iter().zip(&self.propensity).map(|(policy, logged)| policy / logged);
        Ok(Rounds {
            weight: weights.collect(),
            matched: self.probability.iter().map(|p| *p == 1.0).collect(),
            reward: self.reward,
            model: self.model,
            balanced: None,
            cluster: self.cluster.map(|cluster| renumbered(&cluster).0),
        })
    }
}
