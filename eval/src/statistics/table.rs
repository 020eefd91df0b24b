//! One value an entry and product: means with intervals.

use super::{Bootstrap, Sums, proportion::wilson, quantile::sorted_column, sums::bca_estimate};
use crate::{Estimate, Method, Result};

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

    /// Number of clusters.
    pub fn clusters(&self) -> usize {
        self.clusters
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The values that a column has, by cluster.
    pub fn column(&self, column: usize) -> Vec<f64> {
        (0..self.clusters).filter_map(|c| self.get(c, column)).collect()
    }

    /// The differences of two columns, by cluster; `None` where either is missing.
    pub fn paired(&self, a: usize, b: usize) -> impl Iterator<Item = Option<f64>> + '_ {
        (0..self.clusters).map(move |c| Some(self.get(c, a)? - self.get(c, b)?))
    }

    /// The differences of two columns on the clusters that have both.
    pub fn differences(&self, a: usize, b: usize) -> Vec<f64> {
        self.paired(a, b).flatten().collect()
    }

    /// The mean of each column over the clusters that have it, with a BCa interval; `None` for an empty column.
    /// A column of a `rate` (range 0 to 1) whose clusters are all 0 or all 1 gets Wilson's interval.
    ///
    /// # Errors
    /// [`crate::EvalError::BadOption`].
    pub fn means(&self, bootstrap: &Bootstrap, rate: bool) -> Result<Vec<Option<Estimate>>> {
        bootstrap.validate()?;
        let width = self.columns;
        // A column that every cluster has needs no count: it is the number of clusters in each resample.
        let gaps: Vec<usize> =
            (0..width).filter(|k| (0..self.clusters).any(|c| self.get(c, *k).is_none())).collect();
        let columns = width + gaps.len();
        let rows = self.sums(&gaps).resample(bootstrap);
        Ok((0..width)
            .map(|k| {
                let gap = gaps.binary_search(&k).ok();
                let count = |s: &[f64]| gap.map_or(self.clusters as f64, |at| s[width + at]);
                let means: Vec<f64> = rows.chunks_exact(columns).map(|s| s[k] / count(s)).collect();
                mean_estimate(&self.column(k), &sorted_column(&means, 1, 0), bootstrap.level, rate)
            })
            .collect())
    }

    /// The values (0 where missing), then for each column with gaps where it has values.
    fn sums(&self, gaps: &[usize]) -> Sums {
        let mut sums = Sums::new(self.clusters, self.columns + gaps.len());
        for cluster in 0..self.clusters {
            for (at, value) in (0..self.columns).filter_map(|k| Some((k, self.get(cluster, k)?))) {
                sums.add(cluster, at, value);
            }
            for (at, gap) in gaps.iter().enumerate() {
                sums.add(cluster, self.columns + at, f64::from(u8::from(self.get(cluster, *gap).is_some())));
            }
        }
        sums
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
    bca_estimate(mean, n, sorted, &jackknife, level)
}
