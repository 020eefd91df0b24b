//! Models of the reward to go, for the cascade doubly robust estimator.

use crate::ope::log::{check_distribution, mismatch};
use crate::statistics::check_finite;
use crate::{EvalError, Result};

/// What the cascade doubly robust estimator (Kiyohara et al. 2022) needs of a reward-to-go model, by row of
/// [`super::Slates`]: the expected sum of rewards from this position on, if the evaluated policy fills the positions below.
#[derive(Debug, Clone, PartialEq)]
pub struct Cascade {
    /// Of the item that was shown.
    pub shown: Vec<f64>,
    /// Its mean over the evaluated policy's items at this position, given the items above.
    pub expected: Vec<f64>,
}

impl Cascade {
    pub(super) fn validate(&self, rows: usize) -> Result<()> {
        for (what, column) in [("reward-to-go", &self.shown), ("mean reward-to-go", &self.expected)] {
            if column.len() != rows {
                return Err(mismatch(what, column.len(), rows));
            }
            check_finite(column, "the reward model's prediction")?;
        }
        Ok(())
    }
}

/// The same of every action.
#[derive(Debug, Clone, PartialEq)]
pub struct ActionModel {
    /// Number of actions.
    pub actions: usize,
    /// The item at each position, n x positions.
    pub action: Vec<usize>,
    /// Expected reward from this position on, of every action there, n x positions x `actions`.
    pub reward_to_go: Vec<f64>,
    /// The evaluated policy's probability of every action there, given the items above.
    pub policy: Vec<f64>,
}

impl ActionModel {
    /// What the estimator needs of it.
    ///
    /// # Errors
    /// [`EvalError`] names the row of probabilities that do not add up, of an unknown action, or sizes that do not fit.
    pub fn cascade(&self) -> Result<Cascade> {
        let (rows, actions) = (self.action.len(), self.actions.max(1));
        for (what, got) in
            [("reward_to_go", self.reward_to_go.len()), ("policy of every action", self.policy.len())]
        {
            if got != rows * actions {
                return Err(mismatch(what, got, rows * actions));
            }
        }
        check_finite(&self.reward_to_go, "the reward model's prediction")?;
        let (mut shown, mut expected) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
        let cells = self.reward_to_go.chunks_exact(actions).zip(self.policy.chunks_exact(actions));
        for (row, (predicted, policy)) in cells.enumerate() {
            check_distribution(policy, || format!("row {row}"))?;
            let Some(q) = predicted.get(self.action[row]) else {
                let (place, name) = (format!("row {row}"), self.action[row].to_string());
                let known = format!("0 to {}", actions - 1);
                return Err(EvalError::Unknown { place, what: "action", name, known });
            };
            shown.push(*q);
            expected.push(predicted.iter().zip(policy).map(|(q, p)| q * p).sum());
        }
        Ok(Cascade { shown, expected })
    }
}
