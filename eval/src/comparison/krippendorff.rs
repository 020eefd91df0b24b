//! Do judges agree beyond chance? Krippendorff's alpha (2004): 1 is perfect, 0 what chance gives, below 0 is
//! systematic disagreement. Any number of judges, gaps allowed.
//!
//! alpha = 1 - observed / expected disagreement. Both are functions of sums over units, so intervals resample products.

use crate::statistics::check_finite;
use crate::{Bootstrap, Estimate, EvalError, Result, Sums};

/// How far apart two answers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Different or not: names of winners.
    Nominal,
    /// By rank: loss, tie, win.
    Ordinal,
    /// By squared difference: probabilities, scores.
    Interval,
}

/// What was judged (a pair of creatives), with the answer of each judge.
#[derive(Debug, Clone, PartialEq)]
pub struct Unit {
    /// The cluster (product), from 0.
    pub cluster: usize,
    /// One answer a judge; `None` where a judge gave none.
    pub answers: Vec<Option<f64>>,
}

/// Most categories of a nominal or ordinal scale.
const MOST: usize = 64;

/// Alpha with a BCa interval over `clusters` clusters; `None` when no unit has two answers or all answers are alike (chance
/// cannot be told from agreement then).
///
/// # Errors
/// [`EvalError::NotFinite`]; [`EvalError::BadOption`] for more than 64 different answers on a nominal or ordinal scale.
pub fn alpha(
    units: &[Unit],
    clusters: usize,
    scale: Scale,
    bootstrap: &Bootstrap,
) -> Result<Option<Estimate>> {
    for unit in units {
        let answers: Vec<f64> = unit.answers.iter().flatten().copied().collect();
        check_finite(&answers, "a judge's answer")?;
    }
    match scale {
        Scale::Interval => interval(units, clusters, bootstrap),
        Scale::Nominal | Scale::Ordinal => {
            let mut known: Vec<f64> =
                units.iter().flat_map(|u| u.answers.iter().flatten().copied()).collect();
            known.sort_by(f64::total_cmp);
            known.dedup_by(|a, b| a == b);
            if known.is_empty() {
                return Ok(None);
            }
            if known.len() > MOST {
                let value = format!("{} different answers", known.len());
                let rule = "a nominal or ordinal scale takes at most 64: use the interval scale";
                return Err(EvalError::BadOption { option: "scale", value, rule });
            }
            coincidences(units, clusters, &known, scale, bootstrap)
        }
    }
}

/// Sums of a unit with m answers: m, sum, sum of squares, and 2 (m sum of squares - sum^2) / (m - 1).
fn interval(units: &[Unit], clusters: usize, bootstrap: &Bootstrap) -> Result<Option<Estimate>> {
    let mut sums = Sums::new(clusters, 4);
    let all: Vec<f64> = units.iter().flat_map(|u| u.answers.iter().flatten().copied()).collect();
    // Centred, or the differences of large sums below lose digits.
    let centre = all.iter().sum::<f64>() / all.len().max(1) as f64;
    for unit in units {
        let answers: Vec<f64> = unit.answers.iter().flatten().map(|a| a - centre).collect();
        let m = answers.len() as f64;
        if answers.len() < 2 {
            continue;
        }
        let (sum, square) = answers.iter().fold((0.0, 0.0), |(s, q), a| (s + a, q + a * a));
        let apart = 2.0 * (m * square - sum * sum) / (m - 1.0);
        for (k, value) in [m, sum, square, apart].into_iter().enumerate() {
            sums.add(unit.cluster, k, value);
        }
    }
    let found = sums.estimates(bootstrap, 1, |s, out| {
        let [n, sum, square, apart] = *s else { return };
        let expected = 2.0 * (n * square - sum * sum) / (n - 1.0);
        // All answers alike, but for rounding.
        out[0] = if expected <= 1e-12 * n * square { f64::NAN } else { 1.0 - apart / expected };
    })?;
    Ok(found[0])
}

/// The matrix of coincidences: how often one answer stands beside another, each unit's pairs weighing 1 / (m - 1).
fn coincidences(
    units: &[Unit],
    clusters: usize,
    known: &[f64],
    scale: Scale,
    bootstrap: &Bootstrap,
) -> Result<Option<Estimate>> {
    let c = known.len();
    let mut sums = Sums::new(clusters, c * c);
    for unit in units {
        let answers: Vec<usize> =
            unit.answers.iter().flatten().map(|a| known.partition_point(|k| k < a)).collect();
        let weight = 1.0 / (answers.len() as f64 - 1.0);
        for (i, a) in answers.iter().enumerate() {
            for (_, b) in answers.iter().enumerate().filter(|(j, _)| *j != i) {
                sums.add(unit.cluster, a * c + b, weight);
            }
        }
    }
    let found = sums.estimates(bootstrap, 1, |s, out| {
        let margin: Vec<f64> = s.chunks_exact(c.max(1)).map(|row| row.iter().sum()).collect();
        let n: f64 = margin.iter().sum();
        let (mut observed, mut expected) = (0.0, 0.0);
        for a in 0..c {
            for b in (0..c).filter(|b| *b != a) {
                let distance = distance(scale, &margin, a.min(b), a.max(b));
                observed += s[a * c + b] * distance;
                expected += margin[a] * margin[b] / (n - 1.0) * distance;
            }
        }
        out[0] = if expected > 0.0 { 1.0 - observed / expected } else { f64::NAN };
    })?;
    Ok(found[0])
}

/// The squared distance of two different answers, `low` below `high`; ordinal ones by how many answers lie between.
fn distance(scale: Scale, margin: &[f64], low: usize, high: usize) -> f64 {
    match scale {
        Scale::Nominal => 1.0,
        _ => {
            let between: f64 = margin[low..=high].iter().sum();
            (between - (margin[low] + margin[high]) / 2.0).powi(2)
        }
    }
}
