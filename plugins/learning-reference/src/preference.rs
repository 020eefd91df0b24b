//! What DPO and PCPO share: the preference of a group, and the sigmoid loss.

use adeval_sdk::prelude::*;

/// Indices of the chosen and the rejected sample of a group: the first of the best and the first of the worst reward.
/// `None` when their rewards are equal or closer than `min_margin`.
pub(crate) fn pair(group: &[SampleEvidence], min_margin: f64) -> Option<(usize, usize)> {
    let reward = |i: usize| group[i].reward;
    let best = (0..group.len()).reduce(|a, b| if reward(b) > reward(a) { b } else { a })?;
    let worst = (0..group.len()).reduce(|a, b| if reward(b) < reward(a) { b } else { a })?;
    let margin = reward(best) - reward(worst);
    (margin > 0.0 && margin >= min_margin).then_some((best, worst))
}

/// `sum log pi - sum log ref` of an answer.
pub(crate) fn log_ratio(probs: &LogProbs) -> f64 {
    probs.current.iter().sum::<f64>() - probs.reference.iter().sum::<f64>()
}

fn sigmoid(x: f64) -> f64 {
    if x < 0.0 { 1.0 - sigmoid(-x) } else { 1.0 / (1.0 + (-x).exp()) }
}

/// `-log sigmoid(x)` without overflow.
fn loss_of(x: f64) -> f64 {
    (-x).max(0.0) + (-x.abs()).exp().ln_1p()
}

/// `-(1 - e) log sigmoid(x) - e log sigmoid(-x)` and its derivative by `x`.
pub(crate) fn sigmoid_loss(x: f64, smoothing: f64) -> (f64, f64) {
    let loss = (1.0 - smoothing) * loss_of(x) + smoothing * loss_of(-x);
    (loss, smoothing - sigmoid(-x))
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

/// Adds `value` to each derivative.
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

/// Sums over preferences, to become means.
#[derive(Default)]
pub(crate) struct Tally {
    pairs: f64,
    loss: f64,
    metrics: std::collections::BTreeMap<String, f64>,
}

impl Tally {
    /// Counts one preference.
    pub fn pair(&mut self, loss: f64) {
        self.pairs += 1.0;
        self.loss += loss;
    }

    /// Adds to a metric.
    pub fn add(&mut self, name: &str, value: f64) {
        *self.metrics.entry(name.to_owned()).or_default() += value;
    }

    /// The metrics of a DPO pair under trl's names, and its derivative-free parts.
    pub fn dpo(&mut self, chosen: &LogProbs, rejected: &LogProbs, beta: f64) {
        let (good, bad) = (beta * log_ratio(chosen), beta * log_ratio(rejected));
        self.add("rewards/chosen", good);
        self.add("rewards/rejected", bad);
        self.add("rewards/margins", good - bad);
        self.add("rewards/accuracies", f64::from(u8::from(good > bad)));
        self.add("logps/chosen", chosen.current.iter().sum());
        self.add("logps/rejected", rejected.current.iter().sum());
    }

    /// Means instead of sums.
    pub fn finish(mut self, mut groups: Vec<Vec<SampleGradient>>) -> Result<LossAndGradient> {
        let count = self.pairs.max(1.0);
        let loss = self.loss / count;
        self.metrics.values_mut().for_each(|v| *v /= count);
        let samples = || groups.iter().flatten();
        let finite = loss.is_finite()
            && self.metrics.values().all(|v| v.is_finite())
            && samples().all(|s| s.clean.iter().chain(s.corrupted.iter().flatten()).all(|v| v.is_finite()));
        if !finite {
            return Err(PluginError::new(ErrorKind::Numerical, format!("the preference loss is {loss}"))
                .with_hint("the log-probs are too large: check the policy for divergence"));
        }
        for sample in groups.iter_mut().flatten() {
            let all = sample.clean.iter_mut().chain(sample.corrupted.iter_mut().flatten());
            all.for_each(|v| *v /= count);
        }
        self.metrics.insert("preferences".into(), self.pairs);
        self.metrics.insert("ties".into(), groups.len() as f64 - self.pairs);
        Ok(LossAndGradient { loss, groups, metrics: self.metrics })
    }
}
