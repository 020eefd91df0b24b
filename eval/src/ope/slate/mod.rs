//! Off-policy value of slates: several positions shown at once, rewards at each.
//!
//! Which probabilities weigh a position's reward is an assumption about users. *Standard* (SIPS): of the whole slate, no
//! assumption, and weights that explode with its length. *Independent* (IIPS, Li et al. 2018): of the item at its own
//! position; users look at each alone. *Cascade* (RIPS, McInerney et al. 2020): of the items down to the position; users
//! go from the top. The estimators are the same; give them the probabilities of the assumption, or a [`SlateLog`], which makes
//! them from what a log has.

mod estimate;
mod model;
mod report;

pub use model::{ActionModel, Cascade};
pub use report::{SlateEstimator, SlateLog, SlateReport, SlateRow};

use super::log::{check_propensity, mismatch};
use crate::statistics::{check_finite, check_probability};
use crate::{EvalError, Result};

/// Slates of `positions` positions, all columns but the clusters n x `positions` by row.
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
    /// The cluster (user) of each slate, numbered from 0; each slate is its own without.
    pub cluster: Option<Vec<usize>>,
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
            let place = || self.place(row);
            check_propensity(logging, place)?;
            check_probability(policy, &place(), "the policy's probability")?;
        }
        let slates = rows / self.positions;
        match self.cluster.as_ref().map(Vec::len) {
            Some(got) if got != slates => Err(mismatch("cluster", got, slates)),
            _ if slates < 2 => {
                Err(EvalError::TooFew { what: "a slate's value".into(), got: slates, needed: 2 })
            }
            _ => Ok(slates),
        }
    }

    fn place(&self, row: usize) -> String {
        format!("slate {}, position {}", row / self.positions, row % self.positions)
    }

    /// The importance weight of a row.
    fn weight(&self, row: usize) -> f64 {
        self.policy[row] / self.logging[row]
    }
}
