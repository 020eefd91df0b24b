//! Importance weights of what actions have in common (Saito and Joachims 2022), for logs with more actions than overlap.
//!
//! If an action works only through its embedding e (style, colour, layout of a creative), the weight of e is enough:
//! w(x, e) = sum over a of p(e | a) policy(a | x), over the same with the logging policy, weighs [`super::Estimator::Mipw`] and
//! [`super::Estimator::Snmipw`].
//! Where the action matters beyond its embedding, they are biased.
//!
//! With several dimensions the weight is the product over dimensions of the ratio of their marginals, as the Open Bandit
//! Pipeline computes it: exact only where the policies choose the dimensions independently of each other. One dimension whose
//! values are the combinations is exact.

use super::log::{check_distribution, mismatch};
use crate::{EvalError, Result};

/// What is known of each round, for `actions` actions.
#[derive(Debug, Clone, Copy)]
pub struct Embedded<'a> {
    /// Number of actions.
    pub actions: usize,
    /// The logging policy's probability of every action, n x `actions`.
    pub logging: &'a [f64],
    /// The evaluated policy's.
    pub policy: &'a [f64],
    /// The logged action's embedding, n x dimensions: in each dimension one of a few values, from 0.
    pub embedding: &'a [usize],
    /// For each dimension p(value | action), `actions` x values by row.
    pub given_action: &'a [Vec<f64>],
}

/// w(x, e) of each round.
///
/// # Errors
/// [`EvalError`] names the row: probabilities that do not add up, an unknown value, sizes that differ, or an embedding that
/// the logging policy could not have shown.
pub fn marginal_weights(log: Embedded<'_>) -> Result<Vec<f64>> {
    let (actions, dimensions) = (log.actions.max(1), log.given_action.len().max(1));
    let n = log.logging.len() / actions;
    for (what, got, want) in [
        ("policy", log.policy.len(), n * actions),
        ("logging policy", log.logging.len(), n * actions),
        ("embedding", log.embedding.len(), n * dimensions),
    ] {
        if got != want {
            return Err(mismatch(what, got, want));
        }
    }
    for (dimension, table) in log.given_action.iter().enumerate() {
        let values = table.len() / actions;
        if values == 0 || table.len() != values * actions {
            return Err(mismatch("p(value | action)", table.len(), (values + 1) * actions));
        }
        for (action, row) in table.chunks_exact(values).enumerate() {
            check_distribution(row, || format!("dimension {dimension}, action {action}"))?;
        }
    }
    (0..n).map(|row| log.weight(row, actions, dimensions)).collect()
}

impl Embedded<'_> {
    fn weight(&self, row: usize, actions: usize, dimensions: usize) -> Result<f64> {
        let (mut logging, mut policy) = (1.0, 1.0);
        let of = |probabilities: &[f64], column: &dyn Fn(usize) -> f64| -> f64 {
            probabilities[row * actions..(row + 1) * actions]
                .iter()
                .enumerate()
                .map(|(a, p)| p * column(a))
                .sum()
        };
        for probabilities in [self.logging, self.policy] {
            check_distribution(&probabilities[row * actions..(row + 1) * actions], || format!("row {row}"))?;
        }
        for (dimension, table) in self.given_action.iter().enumerate() {
            let values = table.len() / actions;
            let value = self.embedding[row * dimensions + dimension];
            if value >= values {
                let known = format!("0 to {}", values - 1);
                let place = format!("row {row}, dimension {dimension}");
                return Err(EvalError::Unknown { place, what: "embedding", name: value.to_string(), known });
            }
            let column = |action: usize| table[action * values + value];
            logging *= of(self.logging, &column);
            policy *= of(self.policy, &column);
        }
        if logging > 0.0 {
            return Ok(policy / logging);
        }
        Err(EvalError::Propensity { place: format!("row {row}, its embedding"), value: logging })
    }
}
