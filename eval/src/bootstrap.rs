//! The bootstrap over clusters (products): seeded, parallel, the same for any number of threads.
//!
//! A resample is a vector of counts: how often each cluster was drawn. Each resample has a random stream of its own
//! (seed, index), so neither the thread count nor the order of work changes a bit of the result.

use crate::{Estimate, EvalError, Method, Result};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use statrs::distribution::{ContinuousCDF, Normal};

/// How to resample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bootstrap {
    /// Seed of all streams.
    pub seed: u64,
    /// Number of resamples, 100 to 1,000,000.
    pub resamples: u32,
    /// Confidence level, in (0, 1).
    pub level: f64,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Self { seed: 0, resamples: 10_000, level: 0.95 }
    }
}

impl Bootstrap {
    /// Checks the options' ranges.
    ///
    /// # Errors
    /// [`EvalError::BadOption`].
    pub fn validate(&self) -> Result<()> {
        if !(100..=1_000_000).contains(&self.resamples) {
            let value = self.resamples.to_string();
            return Err(EvalError::BadOption {
                option: "resamples",
                value,
                rule: "it must be 100 to 1,000,000",
            });
        }
        if !(self.level > 0.0 && self.level < 1.0) {
            let value = self.level.to_string();
            return Err(EvalError::BadOption {
                option: "level",
                value,
                rule: "it must lie between 0 and 1, e.g. 0.95",
            });
        }
        Ok(())
    }

    /// Runs a statistic on every resample of `clusters` clusters. `statistic` gets the counts (they sum to `clusters`)
    /// and writes `width` numbers. The result holds `resamples` rows of `width` numbers.
    pub fn run<F>(&self, clusters: usize, width: usize, statistic: F) -> Vec<f64>
    where
        F: Fn(&[u32], &mut [f64]) + Sync,
    {
        let mut out = vec![f64::NAN; self.resamples as usize * width];
        if clusters == 0 || width == 0 {
            return out;
        }
        let root = ChaCha8Rng::seed_from_u64(self.seed);
        out.par_chunks_mut(width).enumerate().for_each_init(
            || vec![0_u32; clusters],
            |counts, (index, row)| {
                let mut rng = root.clone();
                rng.set_stream(index as u64);
                counts.fill(0);
                for _ in 0..clusters {
                    // Multiply-shift: its bias is below clusters / 2^32.
                    let draw = (u64::from(rng.next_u32()) * clusters as u64) >> 32;
                    counts[draw as usize] += 1;
                }
                statistic(counts, row);
            },
        );
        out
    }
}

/// One column of what [`Bootstrap::run`] gave, sorted, without the resamples that had no value.
pub fn sorted_column(rows: &[f64], width: usize, column: usize) -> Vec<f64> {
    let mut values: Vec<f64> =
        rows.iter().skip(column).step_by(width).copied().filter(|v| !v.is_nan()).collect();
    values.sort_unstable_by(f64::total_cmp);
    values
}

/// Quantile of sorted values by linear interpolation (numpy's default); `None` without values.
pub fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let position = share.clamp(0.0, 1.0) * last as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(last);
    Some(sorted[below] + (sorted[above] - sorted[below]) * (position - below as f64))
}

/// Percentile interval of sorted resampled values.
pub fn percentile(sorted: &[f64], level: f64) -> Option<(f64, f64)> {
    let tail = (1.0 - level) / 2.0;
    Some((quantile(sorted, tail)?, quantile(sorted, 1.0 - tail)?))
}

/// BCa interval (Efron 1987): percentiles shifted for median bias and for the skewness that the jackknife shows.
/// Falls back to the percentile interval where the jackknife or the resamples have no spread.
pub fn bca(sorted: &[f64], value: f64, jackknife: &[f64], level: f64) -> Option<(f64, f64)> {
    let plain = percentile(sorted, level)?;
    let mean = jackknife.iter().sum::<f64>() / jackknife.len().max(1) as f64;
    let (mut square, mut cube) = (0.0, 0.0);
    for v in jackknife {
        let d = mean - v;
        square += d * d;
        cube += d * d * d;
    }
    let below = sorted.partition_point(|v| *v < value);
    let ties = sorted.partition_point(|v| *v <= value) - below;
    let share = (below as f64 + ties as f64 / 2.0) / sorted.len() as f64;
    if square <= 0.0 || share <= 0.0 || share >= 1.0 {
        return Some(plain);
    }
    let normal = Normal::standard();
    let z0 = normal.inverse_cdf(share);
    let acceleration = cube / (6.0 * square.powf(1.5));
    let shifted = |tail: f64| {
        let z = z0 + normal.inverse_cdf(tail);
        normal.cdf(z0 + z / (1.0 - acceleration * z))
    };
    let tail = (1.0 - level) / 2.0;
    Some((quantile(sorted, shifted(tail))?, quantile(sorted, shifted(1.0 - tail))?))
}

/// Wilson's score interval for a rate of `value` over `n` products.
pub fn wilson(value: f64, n: usize, level: f64) -> (f64, f64) {
    let z = Normal::standard().inverse_cdf(0.5 + level / 2.0);
    let (n, z2) = (n as f64, z * z);
    let middle = (value + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = z / (1.0 + z2 / n) * (value * (1.0 - value) / n + z2 / (4.0 * n * n)).sqrt();
    ((middle - half).max(0.0), (middle + half).min(1.0))
}

/// Values of several columns (entries) per cluster (product); missing values allowed.
#[derive(Debug, Clone, PartialEq)]
pub struct ClusterTable {
    clusters: usize,
    columns: usize,
    values: Vec<Option<f64>>,
}

impl ClusterTable {
    /// An empty table.
    pub fn new(clusters: usize, columns: usize) -> Self {
        Self { clusters, columns, values: vec![None; clusters * columns] }
    }

    /// Sets one value.
    pub fn set(&mut self, cluster: usize, column: usize, value: f64) {
        self.values[cluster * self.columns + column] = Some(value);
    }

    /// Reads one value.
    pub fn get(&self, cluster: usize, column: usize) -> Option<f64> {
        self.values[cluster * self.columns + column]
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The values that a column has, by cluster.
    pub fn column(&self, column: usize) -> Vec<f64> {
        (0..self.clusters).filter_map(|c| self.get(c, column)).collect()
    }

    /// The differences of two columns on the clusters that have both.
    pub fn differences(&self, a: usize, b: usize) -> Vec<f64> {
        (0..self.clusters).filter_map(|c| Some(self.get(c, a)? - self.get(c, b)?)).collect()
    }

    /// The mean of each column over the clusters that have it, with a BCa interval; `None` for an empty column.
    /// A column of a `rate` (range 0 to 1) whose clusters are all 0 or all 1 gets Wilson's interval.
    ///
    /// # Errors
    /// [`EvalError::BadOption`].
    pub fn means(&self, bootstrap: &Bootstrap, rate: bool) -> Result<Vec<Option<Estimate>>> {
        bootstrap.validate()?;
        let width = self.columns;
        let values: Vec<f64> = self.values.iter().map(|v| v.unwrap_or(0.0)).collect();
        let there: Vec<f64> = self.values.iter().map(|v| f64::from(u8::from(v.is_some()))).collect();
        let rows = bootstrap.run(self.clusters, width, |counts, out| {
            let mut total = vec![0.0; width];
            out.fill(0.0);
            for (cluster, &count) in counts.iter().enumerate().filter(|(_, c)| **c > 0) {
                let weight = f64::from(count);
                let at = cluster * width..(cluster + 1) * width;
                for (k, (v, t)) in values[at.clone()].iter().zip(&there[at]).enumerate() {
                    out[k] += weight * v;
                    total[k] += weight * t;
                }
            }
            out.iter_mut().zip(&total).for_each(|(sum, n)| *sum /= n);
        });
        Ok((0..width)
            .map(|k| mean_estimate(&self.column(k), &sorted_column(&rows, width, k), bootstrap.level, rate))
            .collect())
    }
}

fn mean_estimate(values: &[f64], sorted: &[f64], level: f64, rate: bool) -> Option<Estimate> {
    let n = values.len();
    let sum: f64 = values.iter().sum();
    let mean = if n == 0 { return None } else { sum / n as f64 };
    if n < 2 {
        return Some(Estimate::plain(mean, n));
    }
    if rate && (values.iter().all(|v| *v <= 0.0) || values.iter().all(|v| *v >= 1.0)) {
        let (low, high) = wilson(mean, n, level);
        return Some(Estimate::with_interval(mean, low, high, n, Method::Wilson));
    }
    let jackknife: Vec<f64> = values.iter().map(|v| (sum - v) / (n - 1) as f64).collect();
    let (low, high) = bca(sorted, mean, &jackknife, level)?;
    Some(Estimate::with_interval(mean, low, high, n, Method::Bca))
}
