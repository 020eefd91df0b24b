//! A log of decisions, checked and reduced to what the estimators need.

use super::{Extras, Round, Tally};
use crate::statistics::{check_finite, renumbered};
use crate::{EvalError, Result};

/// Logged rounds, in columns of equal length n. Where the action's effect depends on its position on the page, give the
/// policy and the reward model at each round's own position.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Log {
    /// Number of actions.
    pub actions: usize,
    /// The action that was taken, 0 to `actions` - 1.
    pub action: Vec<usize>,
    /// What it earned (1 for a click).
    pub reward: Vec<f64>,
    /// The logging policy's probability of that action, in (0, 1].
    pub propensity: Vec<f64>,
    /// The evaluated policy's probability of every action, n x `actions`, rows summing to 1.
    pub policy: Vec<f64>,
    /// A model's expected reward of every action, n x `actions`. Fit it on other rounds than it predicts (cross-fitting),
    /// or estimates flatter it.
    pub reward_model: Option<Vec<f64>>,
    /// Estimated importance weights for [`super::Estimator::BalancedIpw`], 0 or more.
    pub balanced_weight: Option<Vec<f64>>,
    /// Weights of embeddings for [`super::Estimator::Mipw`], 0 or more, such as [`super::embedding::marginal_weights`].
    pub marginal_weight: Option<Vec<f64>>,
    /// The cluster (product, user) of each round, numbered from 0; each round is its own without.
    pub cluster: Option<Vec<usize>>,
}

/// What the estimators see of each round.
#[derive(Debug, Clone, PartialEq)]
pub struct Rounds {
    pub(super) reward: Vec<f64>,
    /// Policy over propensity of the action taken.
    pub(super) weight: Vec<f64>,
    /// Whether the policy takes the logged action for certain.
    pub(super) matched: Vec<bool>,
    /// The reward model for the action taken and on average over the policy.
    pub(super) model: Option<Vec<[f64; 2]>>,
    pub(super) balanced: Option<Vec<f64>>,
    pub(super) marginal: Option<Vec<f64>>,
    pub(super) cluster: Option<Vec<usize>>,
}

/// How far the probabilities of a row may be from adding up to 1.
const ROUNDING: f64 = 1e-5;

impl Log {
    /// Checks the log and reduces it.
    ///
    /// # Errors
    /// [`EvalError`] names the row: a propensity that is 0, missing (NaN) or above 1, probabilities that do not add up,
    /// an unknown action, a value that is not finite, columns of different lengths. [`EvalError::TooFew`] below two rounds.
    pub fn rounds(&self) -> Result<Rounds> {
        let n = self.action.len();
        self.check_sizes(n)?;
        if n < 2 {
            return Err(EvalError::TooFew { what: "an off-policy estimate".into(), got: n, needed: 2 });
        }
        check_finite(&self.reward, "the reward")?;
        let mut rounds = Rounds {
            reward: self.reward.clone(),
            weight: Vec::with_capacity(n),
            matched: Vec::with_capacity(n),
            model: None,
            balanced: self.balanced_weight.clone(),
            marginal: self.marginal_weight.clone(),
            cluster: self.cluster.as_deref().map(|cluster| renumbered(cluster).0),
        };
        for (row, policy) in self.policy.chunks_exact(self.actions).enumerate() {
            let (action, propensity) = (self.action[row], self.propensity[row]);
            let place = || format!("row {row}");
            if action >= self.actions {
                let known = format!("0 to {}", self.actions.saturating_sub(1));
                return Err(EvalError::Unknown {
                    place: place(),
                    what: "action",
                    name: action.to_string(),
                    known,
                });
            }
            check_propensity(propensity, place)?;
            check_distribution(policy, place)?;
            rounds.weight.push(policy[action] / propensity);
            rounds.matched.push(policy[action] == 1.0);
        }
        rounds.model = self.reward_model.as_ref().map(|model| self.expectations(model)).transpose()?;
        for (row, &weight) in self.balanced_weight.iter().flatten().enumerate() {
            check_weight(weight, row)?;
        }
        for (row, &weight) in self.marginal_weight.iter().flatten().enumerate() {
            check_weight(weight, row)?;
        }
        Ok(rounds)
    }

    fn expectations(&self, model: &[f64]) -> Result<Vec<[f64; 2]>> {
        check_finite(model, "the reward model's prediction")?;
        let rows = model.chunks_exact(self.actions).zip(self.policy.chunks_exact(self.actions));
        Ok(rows
            .zip(&self.action)
            .map(|((predicted, policy), &action)| {
                let mass: f64 = policy.iter().sum();
                let mean: f64 = predicted.iter().zip(policy).map(|(q, p)| q * p).sum();
                [predicted[action], mean / mass]
            })
            .collect())
    }

    fn check_sizes(&self, n: usize) -> Result<()> {
        let cells = n * self.actions;
        let optional = |column: &Option<Vec<f64>>| column.as_ref().map(Vec::len);
        let sizes = [
            ("reward", Some(self.reward.len()), n),
            ("propensity", Some(self.propensity.len()), n),
            ("policy", Some(self.policy.len()), cells),
            ("reward_model", optional(&self.reward_model), cells),
            ("balanced_weight", optional(&self.balanced_weight), n),
            ("marginal_weight", optional(&self.marginal_weight), n),
            ("cluster", self.cluster.as_ref().map(Vec::len), n),
        ];
        for (what, got, want) in sizes {
            if let Some(got) = got.filter(|got| *got != want) {
                return Err(mismatch(what, got, want));
            }
        }
        Ok(())
    }
}

impl Rounds {
    /// One of them.
    pub(super) fn round(&self, row: usize) -> Round {
        let of = |column: &Option<Vec<f64>>| column.as_ref().map(|column| column[row]);
        Round {
            reward: self.reward[row],
            weight: self.weight[row],
            matched: self.matched[row],
            model: self.model.as_ref().map(|model| model[row]),
            balanced: of(&self.balanced),
            marginal: of(&self.marginal),
        }
    }

    /// Their sums by cluster, from which come the report and comparisons.
    pub fn tally(&self) -> Tally {
        let extras = Extras {
            model: self.model.is_some(),
            balanced: self.balanced.is_some(),
            marginal: self.marginal.is_some(),
        };
        let (cluster_of, _) = self.clusters();
        let mut tally = Tally::new(extras);
        (0..self.len()).for_each(|row| tally.add(cluster_of(row), &self.round(row)));
        tally
    }

    /// Number of rounds.
    pub fn len(&self) -> usize {
        self.reward.len()
    }

    /// Never: a log has at least two rounds.
    pub fn is_empty(&self) -> bool {
        self.reward.is_empty()
    }

    /// Policy over propensity of each round's action.
    pub fn weights(&self) -> &[f64] {
        &self.weight
    }

    /// The cluster of each round, and how many clusters there are.
    pub(super) fn clusters(&self) -> (impl Fn(usize) -> usize + '_, usize) {
        let count = match &self.cluster {
            Some(clusters) => clusters.iter().max().map_or(0, |c| c + 1),
            None => self.len(),
        };
        (|row: usize| self.cluster.as_ref().map_or(row, |c| c[row]), count)
    }
}

pub(super) fn mismatch(what: &str, got: usize, want: usize) -> EvalError {
    let (what, got, want) = (what.into(), got.to_string(), want.to_string());
    EvalError::SizeMismatch { place: "the log".into(), what, got, want }
}

pub(super) fn check_propensity(value: f64, place: impl Fn() -> String) -> Result<()> {
    if value > 0.0 && value <= 1.0 {
        return Ok(());
    }
    Err(EvalError::Propensity { place: place(), value })
}

pub(super) fn check_distribution(probabilities: &[f64], place: impl Fn() -> String) -> Result<()> {
    for &value in probabilities {
        crate::statistics::check_probability(value, &place(), "a probability of the policy")?;
    }
    let value: f64 = probabilities.iter().sum();
    if (value - 1.0).abs() <= ROUNDING {
        return Ok(());
    }
    let metric = "the sum of the policy's probabilities".into();
    Err(EvalError::OutOfRange { place: place(), metric, value, low: 1.0 - ROUNDING, high: 1.0 + ROUNDING })
}

fn check_weight(value: f64, row: usize) -> Result<()> {
    if value >= 0.0 && value.is_finite() {
        return Ok(());
    }
    let (place, metric) = (format!("row {row}"), "the importance weight".into());
    Err(EvalError::OutOfRange { place, metric, value, low: 0.0, high: f64::MAX })
}
