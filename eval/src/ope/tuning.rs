//! The choice of a hyper-parameter from the log itself, as obp does it.

use super::bounds::Bound;
use super::{Estimator, Rounds, round_values};
use crate::statistics::check_level;
use crate::{EvalError, Result};

/// A family of estimators with one hyper-parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// [`Estimator::Ipw`].
    Ipw,
    /// [`Estimator::Dr`].
    Dr,
    /// [`Estimator::SwitchDr`].
    SwitchDr,
    /// [`Estimator::DrOs`].
    DrOs,
    /// [`Estimator::SgIpw`].
    SgIpw,
    /// [`Estimator::SgDr`].
    SgDr,
}

impl Family {
    /// The member with this hyper-parameter.
    pub fn with(self, value: f64) -> Estimator {
        match self {
            Self::Ipw => Estimator::Ipw { clip: value },
            Self::Dr => Estimator::Dr { clip: value },
            Self::SwitchDr => Estimator::SwitchDr { threshold: value },
            Self::DrOs => Estimator::DrOs { lambda: value },
            Self::SgIpw => Estimator::SgIpw { lambda: value },
            Self::SgDr => Estimator::SgDr { lambda: value },
        }
    }

    /// The grid in the order in which ties are decided.
    pub(super) fn ordered(self, grid: &[f64]) -> Vec<f64> {
        let mut grid = grid.to_vec();
        grid.sort_by(f64::total_cmp);
        if matches!(self, Self::Ipw | Self::Dr | Self::SwitchDr) {
            grid.reverse();
        }
        grid
    }
}

/// How to choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// SLOPE (Su, Srinath and Krishnamurthy 2020; Tucker and Lee 2021): from the widest confidence interval to the
    /// narrowest, as long as all of them agree. Needs no bound on the bias.
    Slope,
    /// Least variance + (bias bound)^2 (Su et al. 2020): the bias estimated from the log, plus, if so told, a margin that
    /// it stays below with high probability.
    Mse {
        /// Whether to add the margin.
        upper_bound: bool,
    },
}

/// What was chosen.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// The member of the family.
    pub estimator: Estimator,
    /// Its hyper-parameter.
    pub chosen: f64,
    /// Each hyper-parameter with its estimated mean squared error ([`Rule::Mse`]) or half-width ([`Rule::Slope`]).
    pub scores: Vec<(f64, f64)>,
}

/// Chooses from `grid`. `delta` (0.1 in obp) is the chance that a confidence bound fails.
///
/// # Errors
/// [`EvalError::BadOption`] for an empty grid, a value outside the family's range, or a delta outside (0, 1); what
/// [`super::value`] refuses.
pub fn choose(rounds: &Rounds, family: Family, grid: &[f64], rule: Rule, delta: f64) -> Result<Choice> {
    check_level(1.0 - delta)?;
    let grid = family.ordered(grid);
    grid.iter().try_for_each(|v| family.with(*v).validate(rounds))?;
    let (scores, at) = match rule {
        Rule::Slope => slope(rounds, family, &grid, delta)?,
        Rule::Mse { upper_bound } => least_error(rounds, family, &grid, upper_bound.then_some(delta))?,
    };
    let Some(&chosen) = grid.get(at) else {
        let rule = "it must hold at least one value";
        return Err(EvalError::BadOption { option: "grid", value: "[]".into(), rule });
    };
    Ok(Choice { estimator: family.with(chosen), chosen, scores: grid.into_iter().zip(scores).collect() })
}

fn slope(rounds: &Rounds, family: Family, grid: &[f64], delta: f64) -> Result<(Vec<f64>, usize)> {
    let mut means = Vec::new();
    let mut widths = Vec::new();
    for &value in grid {
        let values = round_values(rounds, family.with(value))?;
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        widths.push(mean - Bound::StudentT.lower(&values, delta)?);
        means.push(mean);
    }
    let at = agreeing(&means, &widths);
    Ok((widths, at))
}

/// From the widest interval to the narrowest, the last that agrees with all before it.
pub(super) fn agreeing(means: &[f64], widths: &[f64]) -> usize {
    let factor = 6.0_f64.sqrt() - 1.0;
    let mut order: Vec<usize> = (0..means.len()).collect();
    order.sort_by(|&a, &b| widths[a].total_cmp(&widths[b]));
    order.reverse();
    let agrees = |i: usize, j: usize| (means[j] - means[i]).abs() <= widths[i] + factor * widths[j];
    let kept = (1..order.len()).take_while(|&k| order[..k].iter().all(|&j| agrees(order[k], j))).count();
    order.get(kept).copied().unwrap_or(0)
}

fn least_error(
    rounds: &Rounds,
    family: Family,
    grid: &[f64],
    margin: Option<f64>,
) -> Result<(Vec<f64>, usize)> {
    let n = rounds.len() as f64;
    let mut scores = Vec::new();
    for &value in grid {
        let estimator = family.with(value);
        let values = round_values(rounds, estimator)?;
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
        let mut bias = bias(rounds, estimator).abs();
        if let Some(delta) = margin {
            let log = (2.0 / delta).ln();
            let square = rounds.weight.iter().map(|w| w * w).sum::<f64>() / n;
            let most = rounds.weight.iter().fold(0.0_f64, |m, w| m.max(*w));
            bias += (2.0 * square * log / n).sqrt() + 2.0 * most * log / (3.0 * n);
        }
        scores.push(variance / n + bias * bias);
    }
    let at = (0..scores.len()).min_by(|&a, &b| scores[a].total_cmp(&scores[b])).unwrap_or(0);
    Ok((scores, at))
}

/// Mean of (w - shrunk w) (r - q(a)).
fn bias(rounds: &Rounds, estimator: Estimator) -> f64 {
    let missed = |row: usize| {
        let w = rounds.weight[row];
        let q = match &rounds.model {
            Some(model) if estimator.needs_model() => model[row][0],
            _ => 0.0,
        };
        (w - estimator.shrunk(w)) * (rounds.reward[row] - q)
    };
    (0..rounds.len()).map(missed).sum::<f64>() / rounds.len() as f64
}
