//! A number and what is known about it.

use serde::{Deserialize, Serialize};

/// How an interval was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// No interval: a plain figure, or too few items for one.
    None,
    /// Percentile bootstrap, clustered by product.
    Percentile,
    /// Bias-corrected and accelerated bootstrap (Efron 1987), clustered by product.
    Bca,
    /// Symmetric bootstrap-t on paired differences, clustered by product.
    BootstrapT,
    /// Jackknife standard error, clustered by product, with Student's t.
    Jackknife,
    /// Hoeffding's inequality: valid for any sample size, for values in a known range.
    Hoeffding,
    /// Maurer and Pontil's empirical Bernstein inequality: the same, narrower where the variance is small.
    EmpiricalBernstein,
    /// Student's t on the values of clusters.
    StudentT,
    /// Wilson score interval, for a rate whose products all agree (a bootstrap has no width there).
    Wilson,
}

/// A value with its interval at the board's confidence level.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Estimate {
    /// The point estimate.
    pub value: f64,
    /// Lower end; absent when there is no interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// Upper end; absent when there is no interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
    /// The number of products (clusters) behind the value.
    pub n: usize,
    /// How the interval was made.
    pub method: Method,
}

impl Estimate {
    /// A value without an interval.
    pub const fn plain(value: f64, n: usize) -> Self {
        Self { value, low: None, high: None, n, method: Method::None }
    }

    /// A value with an interval.
    pub const fn with_interval(value: f64, low: f64, high: f64, n: usize, method: Method) -> Self {
        Self { value, low: Some(low), high: Some(high), n, method }
    }
}
