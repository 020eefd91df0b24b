//! Statistics that are functions of sums over clusters: rates, ratios, means, calibration errors, weighted values.

use super::{
    Bootstrap,
    quantile::{bca, sorted_column},
};
use crate::{Estimate, Method, Result};
use faer::MatRef;

/// A table of summands, clusters x columns. A statistic is a function of its column sums, which makes the resamples a
/// matrix product, the jackknife a subtraction, and two tables of different products mergeable by appending.
///
/// ```
/// use adeval_eval::{Bootstrap, Sums};
/// // Clicks and impressions of three products: the click-through rate is a ratio of sums.
/// let mut sums = Sums::new(3, 2);
/// for (product, (clicks, impressions)) in [(3.0, 100.0), (8.0, 150.0), (1.0, 90.0)].into_iter().enumerate() {
///     sums.add(product, 0, clicks);
///     sums.add(product, 1, impressions);
/// }
/// let ctr = sums.estimates(&Bootstrap::default(), 1, |s, out| out[0] = s[0] / s[1])?[0].unwrap();
/// assert!((ctr.value - 12.0 / 340.0).abs() < 1e-15 && ctr.n == 3);
/// # Ok::<(), adeval_eval::EvalError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Sums {
    clusters: usize,
    columns: usize,
    /// By column.
    cells: Vec<f64>,
}

impl Sums {
    /// A table of zeros.
    pub fn new(clusters: usize, columns: usize) -> Self {
        Self { clusters, columns, cells: vec![0.0; clusters * columns] }
    }

    /// Adds to one cell. The value must be finite: callers check what comes from outside.
    ///
    /// # Panics
    /// For a cell that the table has not, and for NaN and infinities.
    pub fn add(&mut self, cluster: usize, column: usize, value: f64) {
        // A cluster too large would land in the next column.
        assert!(cluster < self.clusters && column < self.columns && value.is_finite());
        self.cells[column * self.clusters + cluster] += value;
    }

    /// Number of clusters.
    pub fn clusters(&self) -> usize {
        self.clusters
    }

    /// One column, by cluster.
    pub fn column(&self, column: usize) -> &[f64] {
        &self.cells[column * self.clusters..(column + 1) * self.clusters]
    }

    /// The sum of each column.
    pub fn totals(&self) -> Vec<f64> {
        (0..self.columns).map(|k| self.column(k).iter().sum()).collect()
    }

    /// The column sums of each resample: rows of as many numbers as there are columns.
    pub fn resample(&self, bootstrap: &Bootstrap) -> Vec<f64> {
        bootstrap.column_sums(MatRef::from_column_major_slice(&self.cells, self.clusters, self.columns))
    }

    /// Estimates of `width` statistics with BCa intervals. `statistic` gets the column sums (of the data, of a
    /// resample, or of all clusters but one) and writes the statistics; NaN says that one has no value there. A
    /// statistic without a value on the data is `None`; one cluster alone gives a value without an interval.
    /// `n` is the number of clusters that add anything to any column.
    ///
    /// # Errors
    /// [`crate::EvalError::BadOption`].
    pub fn estimates<F>(
        &self,
        bootstrap: &Bootstrap,
        width: usize,
        statistic: F,
    ) -> Result<Vec<Option<Estimate>>>
    where
        F: Fn(&[f64], &mut [f64]) + Sync,
    {
        bootstrap.validate()?;
        let values = apply(&self.totals(), self.columns, width, &statistic);
        let n = self.filled();
        if n < 2 {
            return Ok(values.into_iter().map(|v| v.is_finite().then(|| Estimate::plain(v, n))).collect());
        }
        let resampled = apply(&self.resample(bootstrap), self.columns, width, &statistic);
        let jackknife = apply(&self.leave_one_out(), self.columns, width, &statistic);
        Ok((0..width)
            .map(|k| {
                let without: Vec<f64> =
                    jackknife.iter().skip(k).step_by(width).copied().filter(|v| v.is_finite()).collect();
                let sorted = sorted_column(&resampled, width, k);
                bca_estimate(values[k], n, &sorted, &without, bootstrap.level)
            })
            .collect())
    }

    /// The column sums without each cluster in turn.
    fn leave_one_out(&self) -> Vec<f64> {
        let totals = self.totals();
        let mut rows = Vec::with_capacity(self.clusters * self.columns);
        for cluster in 0..self.clusters {
            rows.extend((0..self.columns).map(|k| totals[k] - self.cells[k * self.clusters + cluster]));
        }
        rows
    }

    fn filled(&self) -> usize {
        (0..self.clusters)
            .filter(|c| (0..self.columns).any(|k| self.cells[k * self.clusters + c] != 0.0))
            .count()
    }
}

/// The statistics of each row of sums.
fn apply<F>(rows: &[f64], columns: usize, width: usize, statistic: &F) -> Vec<f64>
where
    F: Fn(&[f64], &mut [f64]),
{
    let mut out = vec![f64::NAN; rows.len() / columns.max(1) * width];
    for (sums, out) in rows.chunks_exact(columns.max(1)).zip(out.chunks_exact_mut(width.max(1))) {
        statistic(sums, out);
    }
    out
}

/// A value with the BCa interval of its resamples; without an interval where it has no spread, `None` where it is NaN.
pub(crate) fn bca_estimate(
    value: f64,
    n: usize,
    sorted: &[f64],
    jackknife: &[f64],
    level: f64,
) -> Option<Estimate> {
    if !value.is_finite() {
        return None;
    }
    Some(match bca(sorted, value, jackknife, level) {
        Some((low, high)) if low.is_finite() && high.is_finite() && n > 1 => {
            Estimate::with_interval(value, low, high, n, Method::Bca)
        }
        _ => Estimate::plain(value, n),
    })
}
