//! Is one entry better than another on the products that both have? Paired differences, p-values, Holm.

use crate::{
    Bootstrap, ClusterTable, Estimate, Method, Result, bootstrap::quantile, bootstrap::sorted_column,
};

/// The comparison of two columns of a [`ClusterTable`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Paired {
    /// Mean of the first minus the second over common clusters, with its interval.
    pub difference: Estimate,
    /// Two-sided p-value of no difference, at least 1 / (resamples + 1).
    pub p: f64,
}

/// Compares pairs of columns by the symmetric bootstrap-t (Hall 1988): the resampled |t| around the observed mean gives
/// both the interval and the p-value, so the two always agree. Pairs that share fewer than two clusters get p = 1 and no
/// interval. Where every difference is the same, the sign-flip bound 2^(1 - n) is the p-value (1 when they are all 0).
///
/// # Errors
/// [`crate::EvalError::BadOption`].
pub fn compare(table: &ClusterTable, pairs: &[(usize, usize)], bootstrap: &Bootstrap) -> Result<Vec<Paired>> {
    bootstrap.validate()?;
    Ok(pairs.iter().map(|&(a, b)| compare_one(&table.differences(a, b), bootstrap)).collect())
}

fn compare_one(differences: &[f64], bootstrap: &Bootstrap) -> Paired {
    let n = differences.len();
    if n < 2 {
        let value = differences.first().copied().unwrap_or(0.0);
        return Paired { difference: Estimate::plain(value, n), p: 1.0 };
    }
    let (mean, error) = mean_and_error(differences.iter().map(|d| (1.0, *d)), n);
    if error <= f64::EPSILON * mean.abs().max(1.0) {
        let p = if mean == 0.0 { 1.0 } else { 0.5_f64.powi(n.min(1000) as i32 - 1) };
        let p = p.max(1.0 / f64::from(bootstrap.resamples + 1));
        return Paired { difference: Estimate::plain(mean, n), p };
    }
    let rows = bootstrap.run(n, 1, |counts, out| {
        let (m, e) = mean_and_error(counts.iter().zip(differences).map(|(c, d)| (f64::from(*c), *d)), n);
        let gap = (m - mean).abs();
        out[0] = if gap == 0.0 { 0.0 } else { gap / e };
    });
    let sorted = sorted_column(&rows, 1, 0);
    let t = mean.abs() / error;
    let beyond = sorted.len() - sorted.partition_point(|v| *v < t);
    let p = (beyond + 1) as f64 / (sorted.len() + 1) as f64;
    let reach = quantile(&sorted, bootstrap.level).filter(|q| q.is_finite());
    let difference = match reach {
        Some(q) => Estimate::with_interval(mean, mean - q * error, mean + q * error, n, Method::BootstrapT),
        None => Estimate::plain(mean, n),
    };
    Paired { difference, p }
}

/// Weighted mean and its standard error; the weights sum to `n`.
fn mean_and_error(weighted: impl Iterator<Item = (f64, f64)> + Clone, n: usize) -> (f64, f64) {
    let n = n as f64;
    let mean = weighted.clone().map(|(w, d)| w * d).sum::<f64>() / n;
    let square = weighted.map(|(w, d)| w * (d - mean) * (d - mean)).sum::<f64>();
    (mean, (square / (n * (n - 1.0))).sqrt())
}

/// Holm's step-down correction (1979): the corrected p-values, in the order given.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let mut corrected = vec![1.0; p.len()];
    let mut floor: f64 = 0.0;
    for (rank, &index) in order.iter().enumerate() {
        floor = floor.max(p[index] * (p.len() - rank) as f64).min(1.0);
        corrected[index] = floor;
    }
    corrected
}
