//! Every entry against every other.

use super::Preferences;
use crate::{Bootstrap, Estimate, Result};
use serde::{Deserialize, Serialize};

/// How one entry fares against another on the products where both were compared; products weigh alike.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Matchup {
    /// Share of wins, ties counting half, with its interval.
    pub win_rate: Estimate,
    /// Share of comparisons that were ties.
    pub ties: f64,
}

/// The matrix of all entries: row against column; `None` on the diagonal and for entries that never met.
///
/// # Errors
/// [`crate::EvalError::BadOption`].
pub fn matrix(preferences: &Preferences, bootstrap: &Bootstrap) -> Result<Vec<Vec<Option<Matchup>>>> {
    let k = preferences.entries();
    let pairs: Vec<(usize, usize)> =
        (0..k).flat_map(|a| (0..k).map(move |b| (a, b))).filter(|(a, b)| a != b).collect();
    let rates = preferences.head_to_head(&pairs, bootstrap)?;
    let mut ties = vec![(0.0, 0.0); k * k];
    for (_, a, b, outcomes) in preferences.outcomes() {
        ties[a * k + b].0 += outcomes.ties / outcomes.games;
        ties[a * k + b].1 += 1.0;
    }
    let mut matrix = vec![vec![None; k]; k];
    for (&(a, b), rate) in pairs.iter().zip(rates) {
        let (sum, n) = ties[a * k + b];
        matrix[a][b] = rate.map(|win_rate| Matchup { win_rate, ties: sum / n });
    }
    Ok(matrix)
}
