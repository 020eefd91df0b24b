//! Do predicted probabilities come true?

use super::check_probability;
use super::{Bootstrap, Sums};
use crate::{Estimate, EvalError, Result};
use serde::{Deserialize, Serialize};

/// A prediction and what came of it: a pair (one trial), or a creative's predicted CTR with its clicks of impressions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Forecast {
    /// The cluster (product) that it belongs to.
    pub cluster: usize,
    /// The predicted probability, in [0, 1].
    pub predicted: f64,
    /// Successes, at most `trials`.
    pub successes: f64,
    /// Trials, above 0.
    pub trials: f64,
}

/// How predictions are put together into bins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Binning {
    /// So many bins of equal width over [0, 1].
    EqualWidth(usize),
    /// So many bins of about equally many trials; equal predictions stay together.
    EqualMass(usize),
}

/// How far predictions are from what came true. All estimates have BCa intervals over clusters, with the bins held.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Calibration {
    /// How the bins were made.
    pub binning: Binning,
    /// Expected calibration error: the mean distance between predicted and observed rate of a bin, weighted by trials.
    /// Above 0 by chance alone when bins are small.
    pub ece: Estimate,
    /// Mean squared error of the predictions, 0 is best. It equals
    /// reliability - resolution + uncertainty + within-bin.
    pub brier: Estimate,
    /// Squared distance of predicted from observed rates of bins (Murphy 1973): 0 is best.
    pub reliability: Estimate,
    /// How far observed rates of bins differ from the overall rate: higher is better.
    pub resolution: Estimate,
    /// Variance of the outcome itself: no model's merit.
    pub uncertainty: Estimate,
    /// What predictions do within bins (Stephenson, Coelho and Jolliffe 2008), so that the parts add up exactly.
    pub within_bin: Estimate,
    /// Mean prediction minus overall rate: above 0 for a model that promises too much.
    pub bias: Estimate,
    /// The reliability curve, by ascending prediction; empty bins are left out.
    pub curve: Vec<Bin>,
}

/// A point of the reliability curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Bin {
    /// Mean prediction.
    pub predicted: f64,
    /// Observed rate.
    pub observed: Estimate,
    /// Trials.
    pub trials: f64,
}

/// Sums that a bin keeps: trials, predictions, successes, squared predictions, predictions of successes.
const KEPT: usize = 5;
/// Statistics before those of the bins.
const HEAD: usize = 7;

/// Measures the calibration of forecasts of `clusters` clusters.
///
/// # Errors
/// [`EvalError`] for a prediction outside [0, 1], counts that cannot be, no forecast at all, or no bins.
pub fn calibration(
    forecasts: &[Forecast],
    clusters: usize,
    binning: Binning,
    bootstrap: &Bootstrap,
) -> Result<Calibration> {
    check(forecasts)?;
    let edges = binning.edges(forecasts)?;
    let bins = edges.len() + 1;
    let mut sums = Sums::new(clusters, KEPT * bins);
    for f in forecasts {
        let bin = edges.partition_point(|e| *e <= f.predicted);
        let p = f.predicted;
        for (k, value) in
            [f.trials, f.trials * p, f.successes, f.trials * p * p, f.successes * p].into_iter().enumerate()
        {
            sums.add(f.cluster, KEPT * bin + k, value);
        }
    }
    let totals = sums.totals();
    let found = sums.estimates(bootstrap, HEAD + bins, statistics)?;
    let head = |k: usize| {
        found[k].ok_or(EvalError::TooFew { what: "a calibration".into(), got: forecasts.len(), needed: 1 })
    };
    let curve = (0..bins)
        .filter_map(|bin| {
            let trials = totals[KEPT * bin];
            let mut observed = found[HEAD + bin]?;
            observed.n = sums.column(KEPT * bin).iter().filter(|n| **n > 0.0).count();
            Some(Bin { predicted: totals[KEPT * bin + 1] / trials, observed, trials })
        })
        .collect();
    Ok(Calibration {
        binning,
        ece: head(0)?,
        brier: head(1)?,
        reliability: head(2)?,
        resolution: head(3)?,
        uncertainty: head(4)?,
        within_bin: head(5)?,
        bias: head(6)?,
        curve,
    })
}

/// All statistics from the sums of the bins.
fn statistics(sums: &[f64], out: &mut [f64]) {
    let bins = sums.chunks_exact(KEPT);
    let total = |k: usize| sums.iter().skip(k).step_by(KEPT).sum::<f64>();
    let (n, predicted, successes, squares, hits) = (total(0), total(1), total(2), total(3), total(4));
    let rate = successes / n;
    out.fill(0.0);
    for (bin, b) in bins.enumerate() {
        out[HEAD + bin] = b[2] / b[0];
        // A resample may leave a bin empty.
        if b[0] <= 0.0 {
            continue;
        }
        let (mean, observed) = (b[1] / b[0], b[2] / b[0]);
        out[0] += b[0] * (mean - observed).abs() / n;
        out[2] += b[0] * (mean - observed).powi(2) / n;
        out[3] += b[0] * (observed - rate).powi(2) / n;
        let variance = b[3] - b[0] * mean * mean;
        let covariance = b[4] - b[0] * mean * observed;
        out[5] += (variance - 2.0 * covariance) / n;
    }
    out[1] = (successes - 2.0 * hits + squares) / n;
    out[4] = rate * (1.0 - rate);
    out[6] = (predicted - successes) / n;
}

impl Binning {
    /// The inner edges; a prediction on an edge belongs above it.
    fn edges(self, forecasts: &[Forecast]) -> Result<Vec<f64>> {
        let (Self::EqualWidth(bins) | Self::EqualMass(bins)) = self;
        if !(1..=1000).contains(&bins) {
            let value = bins.to_string();
            return Err(EvalError::BadOption { option: "bins", value, rule: "it must be 1 to 1000" });
        }
        if matches!(self, Self::EqualWidth(_)) {
            return Ok((1..bins).map(|i| i as f64 / bins as f64).collect());
        }
        let mut sorted: Vec<(f64, f64)> = forecasts.iter().map(|f| (f.predicted, f.trials)).collect();
        sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
        let total: f64 = sorted.iter().map(|s| s.1).sum();
        let (mut edges, mut seen) = (Vec::new(), 0.0);
        for &(predicted, trials) in &sorted {
            let next = (edges.len() + 1) as f64 * total / bins as f64;
            let new = edges.last().is_none_or(|e| *e < predicted) && predicted > sorted[0].0;
            if seen >= next * (1.0 - 1e-12) && new && edges.len() + 1 < bins {
                edges.push(predicted);
            }
            seen += trials;
        }
        Ok(edges)
    }
}

fn check(forecasts: &[Forecast]) -> Result<()> {
    if forecasts.is_empty() {
        return Err(EvalError::TooFew { what: "a calibration".into(), got: 0, needed: 1 });
    }
    for (at, f) in forecasts.iter().enumerate() {
        let place = format!("forecast {at}");
        check_probability(f.predicted, &place, "the predicted probability")?;
        let counts = f.trials > 0.0 && f.trials.is_finite() && (0.0..=f.trials).contains(&f.successes);
        if !counts {
            let (clicks, impressions) = (f.successes as u64, f.trials as u64);
            return Err(EvalError::Counts { place, clicks, impressions });
        }
    }
    Ok(())
}
