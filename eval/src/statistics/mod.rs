//! Intervals, tests, sample sizes: what the numbers of the other modules lean on.
//!
//! The unit of resampling is the cluster, which is the product nearly everywhere: two creatives of one product are
//! not two independent observations. Most statistics here are functions of column sums over clusters
//! ([`Sums`]), so that one set of resamples, drawn as matrix products, serves all of them.

pub mod auc;
pub mod beta;
pub mod bootstrap;
pub mod calibration;
pub mod mcnemar;
pub mod multiplicity;
pub mod paired;
pub mod permutation;
pub mod power;
pub mod proportion;
pub mod quantile;
pub mod sequential;
pub mod student;
mod sums;
mod table;

pub use bootstrap::Bootstrap;
pub use sums::Sums;
pub use table::ClusterTable;

use crate::{EvalError, Result};

/// Clusters numbered from 0 without holes, in the order of their numbers, and how many there are. A cluster without items
/// would only add noise to resamples.
pub(crate) fn renumbered(clusters: &[usize]) -> (Vec<usize>, usize) {
    let mut known = clusters.to_vec();
    known.sort_unstable();
    known.dedup();
    (clusters.iter().map(|cluster| known.partition_point(|k| k < cluster)).collect(), known.len())
}

/// Refuses a level outside (0, 1).
pub(crate) fn check_level(level: f64) -> Result<()> {
    if level > 0.0 && level < 1.0 {
        return Ok(());
    }
    let value = level.to_string();
    Err(EvalError::BadOption { option: "level", value, rule: "it must lie between 0 and 1, e.g. 0.95" })
}

/// Refuses NaN and infinities; `metric` names the numbers, the message the first bad one's index.
pub(crate) fn check_finite(values: &[f64], metric: &str) -> Result<()> {
    match values.iter().position(|v| !v.is_finite()) {
        None => Ok(()),
        Some(at) => Err(EvalError::NotFinite {
            place: format!("item {at}"),
            metric: metric.into(),
            value: values[at],
        }),
    }
}

/// Refuses what is not a probability.
pub(crate) fn check_probability(value: f64, place: &str, metric: &str) -> Result<()> {
    if !value.is_finite() {
        return Err(EvalError::NotFinite { place: place.into(), metric: metric.into(), value });
    }
    if !(0.0..=1.0).contains(&value) {
        let (place, metric) = (place.into(), metric.into());
        return Err(EvalError::OutOfRange { place, metric, value, low: 0.0, high: 1.0 });
    }
    Ok(())
}
