//! Bradley-Terry strengths: one number an entry that explains who beats whom.
//!
//! P(a beats b) = 1 / (1 + exp(s_b - s_a)) (Bradley and Terry 1952); a tie counts as half a win for each. Strengths are
//! log-odds with mean 0. One drawn game is added between every two entries, so that an entry that always wins keeps a
//! finite strength and entries that never met stay comparable.

use crate::statistics::quantile::{percentile, sorted_column};
use crate::{Bootstrap, Estimate, Method, Preferences, Result};

/// Wins added to each side of every pair.
pub(super) const PRIOR_WINS: f64 = 0.5;
const MAX_STEPS: usize = 100;

/// Strengths from a matrix of wins: `wins[a * k + b]` is how often (ties as half) `a` beat `b`; `k` entries.
/// Newton's method from zero; the likelihood with the added draws is strictly concave, so there is one maximum.
pub fn fit(wins: &[f64], k: usize) -> Vec<f64> {
    let mut strength = vec![0.0_f64; k];
    let mut hessian = vec![0.0; k * k];
    let mut step = vec![0.0; k];
    for _ in 0..MAX_STEPS {
        // The likelihood is flat along a common shift; 1/k in every cell of the Hessian pins the mean.
        hessian.fill(1.0 / k as f64);
        step.fill(0.0);
        for a in 0..k {
            for b in (0..k).filter(|b| *b != a) {
                let won = wins[a * k + b] + PRIOR_WINS;
                let games = won + wins[b * k + a] + PRIOR_WINS;
                let p = 1.0 / (1.0 + (strength[b] - strength[a]).exp());
                step[a] += won - games * p;
                let curvature = games * p * (1.0 - p);
                hessian[a * k + a] += curvature;
                hessian[a * k + b] -= curvature;
            }
        }
        solve(&mut hessian, &mut step, k);
        let largest = step.iter().fold(0.0_f64, |m, s| m.max(s.abs()));
        // Far from the maximum a full step may overshoot.
        let damping = (2.0 / largest).min(1.0);
        strength.iter_mut().zip(&step).for_each(|(s, d)| *s += damping * d);
        if largest < 1e-11 {
            break;
        }
    }
    let mean = strength.iter().sum::<f64>() / k.max(1) as f64;
    strength.iter_mut().for_each(|s| *s -= mean);
    strength
}

/// Solves m x = v in place for a positive definite m (k x k), by Cholesky.
pub(super) fn solve(m: &mut [f64], v: &mut [f64], k: usize) {
    for j in 0..k {
        for i in j..k {
            let dot: f64 = (0..j).map(|c| m[i * k + c] * m[j * k + c]).sum();
            let rest = m[i * k + j] - dot;
            m[i * k + j] = if i == j { rest.max(f64::MIN_POSITIVE).sqrt() } else { rest / m[j * k + j] };
        }
    }
    for i in 0..k {
        let dot: f64 = (0..i).map(|c| m[i * k + c] * v[c]).sum();
        v[i] = (v[i] - dot) / m[i * k + i];
    }
    for i in (0..k).rev() {
        let dot: f64 = (i + 1..k).map(|c| m[c * k + i] * v[c]).sum();
        v[i] = (v[i] - dot) / m[i * k + i];
    }
}

/// Strengths of all entries with percentile intervals over products; each product weighs one game a pair, however many
/// samples it has. `None` for an entry that was never compared.
///
/// # Errors
/// [`crate::EvalError::BadOption`].
pub fn strengths(preferences: &Preferences, bootstrap: &Bootstrap) -> Result<Vec<Option<Estimate>>> {
    bootstrap.validate()?;
    let (k, products) = (preferences.entries(), preferences.products());
    let mut by_product = vec![Vec::new(); products];
    let mut met = vec![std::collections::BTreeSet::new(); k];
    for (product, a, b, win) in preferences.duels() {
        by_product[product].push((a * k + b, win));
        met[a].insert(product);
    }
    let total = |weights: &mut dyn Iterator<Item = f64>| {
        let mut wins = vec![0.0; k * k];
        for (duels, weight) in by_product.iter().zip(weights).filter(|(_, w)| *w > 0.0) {
            duels.iter().for_each(|(cell, win)| wins[*cell] += weight * win);
        }
        fit(&wins, k)
    };
    let values = total(&mut std::iter::repeat_n(1.0, products));
    let rows = bootstrap.run(products, k, |counts, out| {
        out.copy_from_slice(&total(&mut counts.iter().map(|c| f64::from(*c))));
    });
    Ok((0..k)
        .map(|e| {
            let n = met[e].len();
            match percentile(&sorted_column(&rows, k, e), bootstrap.level) {
                _ if n == 0 => None,
                Some((low, high)) if n > 1 => {
                    Some(Estimate::with_interval(values[e], low, high, n, Method::Percentile))
                }
                _ => Some(Estimate::plain(values[e], n)),
            }
        })
        .collect())
}
