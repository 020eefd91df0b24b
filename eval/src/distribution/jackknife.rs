//! Delete-one-product jackknife intervals.

use crate::statistics::{proportion::wilson, renumbered, student};
use crate::{Estimate, Method, Result};

/// A value without one cluster, and how many rows it was made of.
pub(super) type Without = (usize, f64);

/// The range that a metric has, which its interval does not leave.
pub(super) type Range = (f64, f64);

/// Any number from 0 up.
pub(super) const POSITIVE: Range = (0.0, f64::INFINITY);
/// Any number.
pub(super) const UNBOUNDED: Range = (f64::NEG_INFINITY, f64::INFINITY);
/// A share.
pub(super) const SHARE: Range = (0.0, 1.0);

/// The value plus or minus Student's t times the jackknife error. Without an interval below three clusters.
pub(super) fn estimate(value: f64, without: &[Without], level: f64, range: Range) -> Estimate {
    let n = without.len();
    if n < 3 {
        return Estimate::plain(value, n);
    }
    interval(value, standard_error(without), n, n - 1, level, range)
}

/// A share: Wilson's interval where every product says the same, which the jackknife would take for certainty.
pub(super) fn share(value: f64, without: &[Without], level: f64) -> Estimate {
    let n = without.len();
    if n >= 2 && (value <= 0.0 || value >= 1.0) {
        let (low, high) = wilson(value, n, level);
        return Estimate::with_interval(value, low, high, n, Method::Wilson);
    }
    estimate(value, without, level, SHARE)
}

/// The value plus or minus Student's t times an error that has `freedom` degrees of freedom.
pub(super) fn interval(
    value: f64,
    error: f64,
    n: usize,
    freedom: usize,
    level: f64,
    (least, most): Range,
) -> Estimate {
    let reach = student::quantile(0.5 + level / 2.0, freedom as f64) * error;
    let (low, high) = ((value - reach).max(least), (value + reach).min(most));
    if !(low.is_finite() && high.is_finite()) {
        return Estimate::plain(value, n);
    }
    Estimate::with_interval(value, low, high, n, Method::Jackknife)
}

/// The jackknife's standard error. Distances depend on the sample's size, so leave-outs are centred among those that kept
/// equally many rows; otherwise unequal clusters would pass for noise.
pub(super) fn standard_error(without: &[Without]) -> f64 {
    let mut by_size = std::collections::BTreeMap::<usize, (f64, f64)>::new();
    for (kept, value) in without {
        let (sum, n) = by_size.entry(*kept).or_default();
        *sum += value;
        *n += 1.0;
    }
    let spread: f64 = without
        .iter()
        .map(|(kept, value)| {
            let (sum, n) = by_size[kept];
            (value - sum / n).powi(2)
        })
        .sum();
    let g = without.len() as f64;
    let freedom = (g - by_size.len() as f64).max(1.0);
    (spread * (g - 1.0) * (g - 1.0) / (g * freedom)).sqrt()
}

/// Row numbers by cluster, or by group of clusters where there are more than `most`.
pub(super) fn groups(clusters: &[usize], most: usize) -> Vec<Vec<usize>> {
    let (numbers, count) = renumbered(clusters);
    let mut groups = vec![Vec::new(); count.min(most)];
    let count = groups.len();
    for (row, cluster) in numbers.into_iter().enumerate() {
        groups[cluster % count].push(row);
    }
    groups
}

/// The mean of values by row, all and without each cluster.
pub(super) fn mean(values: &[f64], clusters: &[usize]) -> Result<(f64, Vec<Without>)> {
    let (numbers, count) = renumbered(clusters);
    let mut parts = vec![(0, 0.0); count];
    for (value, cluster) in values.iter().zip(numbers) {
        parts[cluster].0 += 1;
        parts[cluster].1 += value;
    }
    let total: f64 = parts.iter().map(|(_, sum)| sum).sum();
    let n = values.len();
    let without = parts.iter().map(|(m, sum)| (n - m, (total - sum) / (n - m).max(1) as f64)).collect();
    Ok((total / n as f64, without))
}
