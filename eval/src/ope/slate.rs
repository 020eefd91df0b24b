//! Off-policy value of slates: several positions shown at once, rewards at each.
//!
//! Which probabilities weigh a position's reward is an assumption about users. *Standard* (SIPS): of the whole slate, no
//! assumption, and weights that explode with its length. *Independent* (IIPS, Li et al. 2018): of the item at its own
//! position; users look at each alone. *Cascade* (RIPS, McInerney et al. 2020): of the items down to the position; users
//! go from the top. The estimators are the same; give them the probabilities of the assumption.

use super::log::{check_distribution, check_propensity, mismatch};
use crate::statistics::check_finite;
use crate::{Bootstrap, Estimate, EvalError, Result, Sums};

/// Slates of `positions` positions, all columns n x `positions` by row. The unit of resampling is the slate.
#[derive(Debug, Clone, PartialEq)]
pub struct Slates {
    /// Positions of a slate.
    pub positions: usize,
    /// What each position earned.
    pub reward: Vec<f64>,
    /// The logging policy's probability, of what the assumption says, in (0, 1].
    pub logging: Vec<f64>,
    /// The evaluated policy's probability of the same, in [0, 1].
    pub policy: Vec<f64>,
}

/// By what weights are divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Norm {
    /// By nothing: unbiased.
    None,
    /// By their mean over all rows (self-normalised SIPS).
    Overall,
    /// By their mean at each position (self-normalised IIPS and RIPS).
    ByPosition,
}

/// A reward-to-go model for the cascade doubly robust estimator (Kiyohara et al. 2022).
#[derive(Debug, Clone, PartialEq)]
pub struct Cascade {
    /// Number of actions.
    pub actions: usize,
    /// The item at each position, n x positions.
    pub action: Vec<usize>,
    /// Expected reward from this position on, of every action there, n x positions x `actions`.
    pub reward_to_go: Vec<f64>,
    /// The evaluated policy's probability of every action there, given the items above.
    pub policy: Vec<f64>,
}

impl Slates {
    /// Checks the columns; the number of slates.
    ///
    /// # Errors
    /// [`EvalError`] names the row of a propensity or probability out of range, a reward that is not finite, or sizes that
    /// do not fit; [`EvalError::TooFew`] below two slates.
    pub fn validate(&self) -> Result<usize> {
        let rows = self.reward.len();
        for (what, got) in [("logging", self.logging.len()), ("policy", self.policy.len())] {
            if got != rows {
                return Err(mismatch(what, got, rows));
            }
        }
        if self.positions == 0 || !rows.is_multiple_of(self.positions) {
            return Err(mismatch("reward", rows, rows.next_multiple_of(self.positions.max(1))));
        }
        check_finite(&self.reward, "the reward")?;
        for (row, (&logging, &policy)) in self.logging.iter().zip(&self.policy).enumerate() {
            let place = || format!("slate {}, position {}", row / self.positions, row % self.positions);
            check_propensity(logging, place)?;
            crate::statistics::check_probability(policy, &place(), "the policy's probability")?;
        }
        let slates = rows / self.positions;
        if slates < 2 {
            return Err(EvalError::TooFew { what: "a slate's value".into(), got: slates, needed: 2 });
        }
        Ok(slates)
    }

    /// Sum over positions of the mean weighted reward, with a BCa interval over slates.
    ///
    /// # Errors
    /// As [`Slates::validate`]; [`EvalError::TooFew`] when no slate has any weight under the policy.
    pub fn value(&self, norm: Norm, bootstrap: &Bootstrap) -> Result<Estimate> {
        let (slates, positions) = (self.validate()?, self.positions);
        // Slates, then weighted rewards and weights of each position.
        let mut sums = Sums::new(slates, 1 + 2 * positions);
        for row in 0..self.reward.len() {
            let (slate, position) = (row / positions, row % positions);
            let weight = self.policy[row] / self.logging[row];
            sums.add(slate, 1 + position, weight * self.reward[row]);
            sums.add(slate, 1 + positions + position, weight);
        }
        (0..slates).for_each(|slate| sums.add(slate, 0, 1.0));
        sums.estimates(bootstrap, 1, |s, out| {
            let (parts, weights) = s[1..].split_at(positions);
            out[0] = match norm {
                Norm::None => parts.iter().sum::<f64>() / s[0],
                Norm::Overall => parts.iter().sum::<f64>() * positions as f64 / weights.iter().sum::<f64>(),
                Norm::ByPosition => parts.iter().zip(weights).map(|(p, w)| p / w).sum(),
            };
        })?[0]
            .ok_or_else(no_weight)
    }

    /// The cascade doubly robust value; the probabilities of `self` must be those of the cascade.
    ///
    /// # Errors
    /// As [`Slates::value`], and for a model whose sizes or probabilities do not fit.
    pub fn cascade_dr(&self, model: &Cascade, bootstrap: &Bootstrap) -> Result<Estimate> {
        let (slates, positions, actions) = (self.validate()?, self.positions, model.actions);
        let rows = self.reward.len();
        for (what, got, want) in [
            ("action", model.action.len(), rows),
            ("reward_to_go", model.reward_to_go.len(), rows * actions),
            ("policy of every action", model.policy.len(), rows * actions),
        ] {
            if got != want {
                return Err(mismatch(what, got, want));
            }
        }
        check_finite(&model.reward_to_go, "the reward model's prediction")?;
        let mut sums = Sums::new(slates, 2);
        for row in 0..rows {
            let (slate, position) = (row / positions, row % positions);
            let place = || format!("slate {slate}, position {position}");
            let cells = row * actions..(row + 1) * actions;
            let (predicted, policy) = (&model.reward_to_go[cells.clone()], &model.policy[cells]);
            check_distribution(policy, place)?;
            let Some(q) = predicted.get(model.action[row]) else {
                let (name, known) =
                    (model.action[row].to_string(), format!("0 to {}", actions.saturating_sub(1)));
                return Err(EvalError::Unknown { place: place(), what: "action", name, known });
            };
            let weight = |row: usize| self.policy[row] / self.logging[row];
            let above = if position == 0 { 1.0 } else { weight(row - 1) };
            let mean: f64 = predicted.iter().zip(policy).map(|(q, p)| q * p).sum();
            sums.add(slate, 0, weight(row) * (self.reward[row] - q) + above * mean);
        }
        (0..slates).for_each(|slate| sums.add(slate, 1, 1.0));
        sums.estimates(bootstrap, 1, |s, out| out[0] = s[0] / s[1])?[0].ok_or_else(no_weight)
    }
}

fn no_weight() -> EvalError {
    EvalError::TooFew {
        what: "a slate's value (slates that the policy would show)".into(),
        got: 0,
        needed: 1,
    }
}
