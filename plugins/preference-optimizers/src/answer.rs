//! What all optimizers do with a batch: a gradient of its shape, and an answer whose numbers are finite.

use adeval_sdk::prelude::*;
use std::collections::BTreeMap;

/// `log pi` of a whole answer.
pub(crate) fn log_prob(probs: &LogProbs) -> f64 {
    probs.current.iter().sum()
}

/// `log pi - log ref` of a whole answer.
pub(crate) fn log_ratio(probs: &LogProbs) -> f64 {
    log_prob(probs) - probs.reference.iter().sum::<f64>()
}

/// A gradient of zeros with the shape of the batch.
pub(crate) fn zeros(batch: &PreferenceBatch) -> Vec<Vec<SampleGradient>> {
    let empty = |probs: &LogProbs| vec![0.0; probs.current.len()];
    let one = |s: &SampleEvidence| SampleGradient {
        clean: empty(&s.clean),
        corrupted: s.corrupted.iter().map(empty).collect(),
    };
    batch.groups.iter().map(|group| group.iter().map(one).collect()).collect()
}

/// Adds `value` to each derivative: what a derivative by a sum of log-probabilities is to each of them.
pub(crate) fn add(to: &mut [f64], value: f64) {
    to.iter_mut().for_each(|v| *v += value);
}

/// Checks that a parameter lies in its range.
pub(crate) fn in_range(component: &str, name: &str, value: f64, low: f64, high: f64) -> Result<()> {
    if (low..=high).contains(&value) {
        return Ok(());
    }
    Err(PluginError::invalid_parameters(format!(
        "{component}: {name} is {value}, it must be between {low} and {high}"
    )))
}

/// The answer, unless a number of it is not finite.
pub(crate) fn finish(
    loss: f64,
    groups: Vec<Vec<SampleGradient>>,
    metrics: BTreeMap<String, f64>,
) -> Result<LossAndGradient> {
    let mut derivatives =
        groups.iter().flatten().flat_map(|s| s.clean.iter().chain(s.corrupted.iter().flatten()));
    let finite = loss.is_finite() && metrics.values().all(|v| v.is_finite());
    if finite && derivatives.all(|v| v.is_finite()) {
        return Ok(LossAndGradient { loss, groups, metrics });
    }
    let message = if loss.is_finite() {
        "a derivative or a metric of the loss is not finite".to_owned()
    } else {
        format!("the loss is {loss}")
    };
    Err(PluginError::new(ErrorKind::Numerical, message)
        .with_hint("the log-probs are too large: check the policy for divergence"))
}
