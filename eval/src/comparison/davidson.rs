//! Bradley-Terry with ties: a tie says that two entries are close, which half a win each does not.
//!
//! Davidson (1970): P(a beats b) : P(b beats a) : P(tie) = exp(s_a) : exp(s_b) : v exp((s_a + s_b) / 2). Strengths s are
//! log-odds with mean 0; v is how often equals tie, over how often one of them wins: P(tie of equals) = v / (2 + v).

use super::Preferences;
use super::bradley_terry::{PRIOR_WINS, solve};
use crate::{Bootstrap, Estimate, Result, Sums};
use std::collections::BTreeSet;

const MAX_STEPS: usize = 100;

/// Wins and ties between entries: the value of `wins[a * k + b]` is how often a beat b, `ties[a * k + b]` = `ties[b * k + a]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Games {
    /// Number of entries.
    pub entries: usize,
    /// Wins of the row over the column.
    pub wins: Vec<f64>,
    /// Ties of row and column.
    pub ties: Vec<f64>,
}

/// Fitted strengths.
#[derive(Debug, Clone, PartialEq)]
pub struct Fit {
    /// Log-odds with mean 0.
    pub strength: Vec<f64>,
    /// Davidson's v; 0 when nothing ever tied.
    pub tie: f64,
}

impl Games {
    /// Maximum likelihood by Newton's method in the strengths and ln v, in which it is concave. Half a win each is added
    /// between every two entries, as in [`super::bradley_terry`].
    pub fn fit(&self) -> Fit {
        let k = self.entries;
        let tied = self.ties.iter().any(|t| *t > 0.0);
        // The last parameter is ln v.
        let size = k + usize::from(tied);
        let mut at = vec![0.0; size];
        let (mut hessian, mut step) = (vec![0.0; size * size], vec![0.0; size]);
        for _ in 0..MAX_STEPS {
            hessian.fill(0.0);
            step.fill(0.0);
            // The likelihood is flat along a common shift of the strengths.
            (0..k).for_each(|a| (0..k).for_each(|b| hessian[a * size + b] = 1.0 / k as f64));
            for a in 0..k {
                (a + 1..k).for_each(|b| self.add_pair(a, b, &at, size, &mut step, &mut hessian));
            }
            solve(&mut hessian, &mut step, size);
            let largest = step.iter().fold(0.0_f64, |m, s| m.max(s.abs()));
            let damping = (2.0 / largest).min(1.0);
            at.iter_mut().zip(&step).for_each(|(s, d)| *s += damping * d);
            if largest < 1e-11 {
                break;
            }
        }
        let tie = if tied { at[k].exp() } else { 0.0 };
        at.truncate(k);
        let mean = at.iter().sum::<f64>() / k.max(1) as f64;
        at.iter_mut().for_each(|s| *s -= mean);
        Fit { strength: at, tie }
    }

    /// Adds the gradient and the negative Hessian of one pair's games.
    fn add_pair(&self, a: usize, b: usize, at: &[f64], size: usize, step: &mut [f64], hessian: &mut [f64]) {
        let k = self.entries;
        // The log-odds of the three outcomes and how they grow with s_a, s_b and ln v.
        let tie = if size > k { (at[a] + at[b]) / 2.0 + at[k] } else { f64::NEG_INFINITY };
        let odds = [at[a], at[b], tie];
        let growth = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.5, 0.5, 1.0]];
        let most = odds.into_iter().fold(f64::NEG_INFINITY, f64::max);
        let mass: f64 = odds.iter().map(|o| (o - most).exp()).sum();
        let p = odds.map(|o| (o - most).exp() / mass);
        let seen =
            [self.wins[a * k + b] + PRIOR_WINS, self.wins[b * k + a] + PRIOR_WINS, self.ties[a * k + b]];
        let games: f64 = seen.iter().sum();
        let mean: [f64; 3] = std::array::from_fn(|i| (0..3).map(|o| p[o] * growth[o][i]).sum());
        let places = [a, b, k];
        for i in (0..3).filter(|i| places[*i] < size) {
            step[places[i]] += (0..3).map(|o| (seen[o] - games * p[o]) * growth[o][i]).sum::<f64>();
            for j in (0..3).filter(|j| places[*j] < size) {
                let second: f64 = (0..3).map(|o| p[o] * growth[o][i] * growth[o][j]).sum();
                hessian[places[i] * size + places[j]] += games * (second - mean[i] * mean[j]);
            }
        }
    }
}

/// Strengths with BCa intervals over products, and the chance that equals tie; each product weighs one game a pair.
/// `None` for an entry that was never compared, and for the chance when nothing was.
///
/// # Errors
/// [`crate::EvalError::BadOption`].
pub fn strengths(
    preferences: &Preferences,
    bootstrap: &Bootstrap,
) -> Result<(Vec<Option<Estimate>>, Option<Estimate>)> {
    let k = preferences.entries();
    let cells = k * k;
    let mut sums = Sums::new(preferences.products(), 2 * cells);
    let mut met = vec![BTreeSet::new(); k];
    for (product, a, b, o) in preferences.outcomes() {
        let (points, ties) = (o.points / o.games, o.ties / o.games);
        sums.add(product, a * k + b, points - ties / 2.0);
        sums.add(product, cells + a * k + b, ties);
        met[a].insert(product);
    }
    let found = sums.estimates(bootstrap, k + 1, |s, out| {
        let games = Games { entries: k, wins: s[..cells].to_vec(), ties: s[cells..].to_vec() };
        let Fit { strength, tie } = games.fit();
        out[..k].copy_from_slice(&strength);
        out[k] = tie / (2.0 + tie);
    })?;
    let played = met.iter().flatten().collect::<BTreeSet<_>>().len();
    let counted =
        |e: Estimate, n: usize| if n > 1 { Estimate { n, ..e } } else { Estimate::plain(e.value, n) };
    let strengths =
        met.iter().zip(&found).map(|(m, e)| e.filter(|_| !m.is_empty()).map(|e| counted(e, m.len())));
    Ok((strengths.collect(), found[k].filter(|_| played > 0).map(|e| counted(e, played))))
}
