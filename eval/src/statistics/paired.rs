//! Is one entry better than another on the products that both have? Paired differences with intervals and p-values.

use super::{
    Bootstrap, ClusterTable, Sums,
    quantile::{quantile, sorted_column},
};
use crate::{Estimate, Method, Result};

/// The comparison of two columns of a [`ClusterTable`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Paired {
    /// Mean of the first minus the second over common clusters, with its interval.
    pub difference: Estimate,
    /// Two-sided p-value of no difference, at least 1 / (resamples + 1).
    pub p: f64,
    /// Standard deviation of the differences over common clusters, what sample sizes are computed from; absent below two.
    pub deviation: Option<f64>,
}

/// Compares pairs of columns by the symmetric bootstrap-t (Hall 1988): the resampled |t| around the observed mean gives
/// both the interval and the p-value, so the two always agree. Pairs that share fewer than two clusters get p = 1 and no
/// interval. Where every difference is the same, the sign-flip bound 2^(1 - n) is the p-value (1 when they are all 0).
///
/// All pairs share one set of resamples of all clusters, drawn as one matrix product.
///
/// # Errors
/// [`crate::EvalError::BadOption`].
pub fn compare(table: &ClusterTable, pairs: &[(usize, usize)], bootstrap: &Bootstrap) -> Result<Vec<Paired>> {
    bootstrap.validate()?;
    let observed: Vec<Observed> = pairs.iter().map(|&(a, b)| Observed::of(table.paired(a, b))).collect();
    let spread: Vec<usize> = (0..pairs.len()).filter(|&k| observed[k].has_spread()).collect();
    // A pair that every cluster has needs no count: it is the number of clusters in each resample.
    let count_at = |k: usize| observed[k].n < table.clusters();
    let columns: usize = spread.iter().map(|&k| 2 + usize::from(count_at(k))).sum();
    let mut sums = Sums::new(table.clusters(), columns);
    let mut first = 0;
    for &k in &spread {
        for (cluster, difference) in table.paired(pairs[k].0, pairs[k].1).enumerate() {
            if let Some(difference) = difference {
                // Centred, so that the variance below is no difference of large numbers.
                let centred = difference - observed[k].mean;
                sums.add(cluster, first, centred);
                sums.add(cluster, first + 1, centred * centred);
                if count_at(k) {
                    sums.add(cluster, first + 2, 1.0);
                }
            }
        }
        first += 2 + usize::from(count_at(k));
    }
    let rows = sums.resample(bootstrap);
    let mut compared: Vec<Paired> = observed.iter().map(|o| o.without_spread(bootstrap)).collect();
    let mut first = 0;
    for &k in &spread {
        let count = |row: &[f64]| if count_at(k) { row[first + 2] } else { table.clusters() as f64 };
        let t: Vec<f64> =
            rows.chunks_exact(columns).map(|r| resampled_t(count(r), r[first], r[first + 1])).collect();
        compared[k] = observed[k].studentised(&sorted_column(&t, 1, 0), bootstrap.level);
        first += 2 + usize::from(count_at(k));
    }
    Ok(compared)
}

/// The mean differences of pairs of columns with BCa intervals; `None` for a pair without a common cluster.
///
/// # Errors
/// [`crate::EvalError::BadOption`].
pub fn differences(
    table: &ClusterTable,
    pairs: &[(usize, usize)],
    bootstrap: &Bootstrap,
) -> Result<Vec<Option<Estimate>>> {
    let mut of_pairs = ClusterTable::new(table.clusters(), pairs.len());
    for (k, &(a, b)) in pairs.iter().enumerate() {
        for (cluster, difference) in table.paired(a, b).enumerate() {
            if let Some(difference) = difference {
                of_pairs.set(cluster, k, difference);
            }
        }
    }
    of_pairs.means(bootstrap, false)
}

struct Observed {
    n: usize,
    mean: f64,
    /// Standard error of the mean; 0 below two clusters.
    error: f64,
}

impl Observed {
    fn of(differences: impl Iterator<Item = Option<f64>>) -> Self {
        let values: Vec<f64> = differences.flatten().collect();
        let n = values.len();
        if n < 2 {
            return Self { n, mean: values.first().copied().unwrap_or(0.0), error: 0.0 };
        }
        let mean = values.iter().sum::<f64>() / n as f64;
        let square: f64 = values.iter().map(|d| (d - mean) * (d - mean)).sum();
        Self { n, mean, error: (square / (n as f64 * (n as f64 - 1.0))).sqrt() }
    }

    fn deviation(&self) -> Option<f64> {
        (self.n > 1).then(|| self.error * (self.n as f64).sqrt())
    }

    fn has_spread(&self) -> bool {
        self.n > 1 && self.error > f64::EPSILON * self.mean.abs().max(1.0)
    }

    fn without_spread(&self, bootstrap: &Bootstrap) -> Paired {
        let p = if self.n < 2 || self.mean == 0.0 {
            1.0
        } else {
            0.5_f64.powi(self.n.min(1000) as i32 - 1).max(1.0 / f64::from(bootstrap.resamples + 1))
        };
        Paired { difference: Estimate::plain(self.mean, self.n), p, deviation: self.deviation() }
    }

    fn studentised(&self, sorted: &[f64], level: f64) -> Paired {
        let &Self { n, mean, error } = self;
        let t = mean.abs() / error;
        let beyond = sorted.len() - sorted.partition_point(|v| *v < t);
        let p = (beyond + 1) as f64 / (sorted.len() + 1) as f64;
        let reach = quantile(sorted, level).filter(|q| q.is_finite());
        let difference = match reach {
            Some(q) => {
                Estimate::with_interval(mean, mean - q * error, mean + q * error, n, Method::BootstrapT)
            }
            None => Estimate::plain(mean, n),
        };
        Paired { difference, p, deviation: self.deviation() }
    }
}

/// |t| of a resample around the observed mean, from its count, sum and sum of squares of centred differences.
/// Infinite for a resample whose draws are all alike, NaN for one that has fewer than two.
fn resampled_t(n: f64, sum: f64, square: f64) -> f64 {
    if n < 2.0 {
        return f64::NAN;
    }
    let mean = sum / n;
    let rest = square - sum * mean;
    let rest = if rest < 1e-13 * square { 0.0 } else { rest };
    let gap = mean.abs();
    if gap == 0.0 { 0.0 } else { gap / (rest / (n * (n - 1.0))).sqrt() }
}
