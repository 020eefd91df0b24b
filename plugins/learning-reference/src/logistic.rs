//! `logistic-reward`: Bradley-Terry on feature differences, with a logistic CTR head.

use crate::adamw::AdamW;
use crate::checkpoint;
use crate::creative::{FEATURES, NAMES, features};
use adeval_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::Path;

const ID: &str = "logistic-reward";
/// Preference weights, then CTR weights, then the CTR's bias.
const COUNT: usize = 2 * FEATURES + 1;
/// Weight of the point head's squared error, as in the paper.
const POINT_WEIGHT: f64 = 0.5;

/// Parameters of `logistic-reward`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LogisticParameters {
    /// The CTR that an untrained model predicts.
    #[schemars(range(min = 0.0001, max = 0.9999))]
    pub base_ctr: f64,
}

impl Default for LogisticParameters {
    fn default() -> Self {
        Self { base_ctr: 0.03 }
    }
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
struct State {
    weights: Vec<f64>,
    optimizer: AdamW,
}

impl State {
    fn fits(&self) -> bool {
        self.weights.len() == COUNT
            && self.weights.iter().all(|v| v.is_finite())
            && self.optimizer.fits(COUNT)
    }
}

/// The `logistic-reward` component.
///
/// P(left) = sigmoid(w . (f(left) - f(right))), so swapped sides give 1 - P; CTR = sigmoid(u . f + b).
pub struct LogisticReward {
    state: State,
    gradient: Vec<f64>,
}

/// `1 / (1 + e^-x)`, such that `sigmoid(-x)` is exactly `1 - sigmoid(x)`.
fn sigmoid(x: f64) -> f64 {
    if x < 0.0 { 1.0 - sigmoid(-x) } else { 1.0 / (1.0 + (-x).exp()) }
}

/// `ln(1 + e^x)` without overflow.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

fn dot(weights: &[f64], values: &[f64]) -> f64 {
    weights.iter().zip(values).map(|(w, v)| w * v).sum()
}

/// Cross-entropy and point loss of a pair.
#[derive(Default)]
struct Losses {
    preference: f64,
    point: f64,
    correct: f64,
}

impl LogisticReward {
    fn ctr(&self, f: &[f64]) -> f64 {
        sigmoid(dot(&self.state.weights[FEATURES..2 * FEATURES], f) + self.state.weights[COUNT - 1])
    }

    /// Adds the gradient of one pair's loss to `sum`.
    fn pair(&self, item: &LabelledPair, sum: &mut [f64]) -> Result<Losses> {
        item.validate()?;
        let (left, right) = (features(&item.pair.left), features(&item.pair.right));
        let difference: Vec<f64> = left.iter().zip(&right).map(|(l, r)| l - r).collect();
        let logit = dot(&self.state.weights[..FEATURES], &difference);
        let by_logit = sigmoid(logit) - item.left;
        sum.iter_mut().zip(&difference).for_each(|(g, d)| *g += by_logit * d);
        let agrees = (logit > 0.0) == (item.left > 0.5);
        let mut losses = Losses {
            preference: softplus(logit) - item.left * logit,
            point: 0.0,
            correct: if logit == 0.0 || item.left == 0.5 { 0.5 } else { f64::from(u8::from(agrees)) },
        };
        for (f, wanted) in item.ctr.into_iter().flat_map(|(l, r)| [(&left, l), (&right, r)]) {
            let p = self.ctr(f);
            // The mean over the two sides, hence the halves.
            losses.point += (p - wanted).powi(2) / 2.0;
            let by_value = POINT_WEIGHT * (p - wanted) * p * (1.0 - p);
            sum[FEATURES..2 * FEATURES].iter_mut().zip(f).for_each(|(g, f)| *g += by_value * f);
            sum[COUNT - 1] += by_value;
        }
        Ok(losses)
    }
}

#[cfg(test)]
impl LogisticReward {
    pub(crate) fn gradient(&self) -> &[f64] {
        &self.gradient
    }
    pub(crate) fn weights(&self) -> &[f64] {
        &self.state.weights
    }
    pub(crate) fn weights_mut(&mut self) -> &mut [f64] {
        &mut self.state.weights
    }
}

impl Component for LogisticReward {
    type Parameters = LogisticParameters;

    fn info() -> ComponentInfo {
        ComponentInfo::new(ID, "A trainable logistic preference and CTR model on ten image features")
    }

    /// Loads a checkpoint directory when `environment.weights` names one.
    fn create(parameters: LogisticParameters, environment: &Environment) -> Result<Self> {
        let base = parameters.base_ctr;
        if !(0.0001..=0.9999).contains(&base) {
            return Err(PluginError::invalid_parameters(format!(
                "{ID}: base_ctr is {base}, it must be between 0.0001 and 0.9999"
            )));
        }
        let mut weights = vec![0.0; COUNT];
        weights[COUNT - 1] = (base / (1.0 - base)).ln();
        let state = State { weights, optimizer: AdamW::new(COUNT) };
        let mut made = Self { state, gradient: vec![0.0; COUNT] };
        if let Some(directory) = &environment.weights {
            made.load(directory, &CallContext::detached())?;
        }
        Ok(made)
    }
}

impl RewardModel for LogisticReward {
    fn compare(&self, pair: &PairRequest, cx: &CallContext<'_>) -> Result<Preference> {
        cx.check()?;
        let strength = |image| dot(&self.state.weights[..FEATURES], &features(image));
        Ok(Preference { left: sigmoid(strength(&pair.left) - strength(&pair.right)) })
    }

    fn score(&self, request: &ScoreRequest, cx: &CallContext<'_>) -> Result<PointScore> {
        cx.check()?;
        let f = features(&request.creative);
        let mut parts: std::collections::BTreeMap<_, _> =
            NAMES.iter().zip(f).map(|(name, value)| ((*name).to_owned(), value)).collect();
        parts.insert("preference".into(), dot(&self.state.weights[..FEATURES], &f));
        Ok(PointScore { ctr: self.ctr(&f), parts })
    }
}

impl Trainable for LogisticReward {
    type Example = LabelledPair;

    fn accumulate_gradient(
        &mut self,
        pairs: &[LabelledPair],
        options: &GradientOptions,
        cx: &CallContext<'_>,
    ) -> Result<TrainingReport> {
        if pairs.is_empty() {
            return Err(PluginError::invalid_request(format!("{ID}: no pairs to learn from")));
        }
        let mut sum = vec![0.0; COUNT];
        let mut total = Losses::default();
        for item in pairs {
            cx.check()?;
            let losses = self.pair(item, &mut sum)?;
            total.preference += losses.preference;
            total.point += losses.point;
            total.correct += losses.correct;
        }
        let count = pairs.len() as f64;
        let loss = (total.preference + POINT_WEIGHT * total.point) / count;
        if !loss.is_finite() {
            return Err(PluginError::new(ErrorKind::Numerical, format!("{ID}: the loss is {loss}")));
        }
        self.gradient.iter_mut().zip(sum).for_each(|(g, s)| *g += options.weight * s / count);
        let metrics = [
            ("loss/preference", total.preference / count),
            ("loss/point", total.point / count),
            ("accuracy", total.correct / count),
        ];
        let metrics = metrics.map(|(name, value)| (name.to_owned(), value)).into();
        Ok(TrainingReport { loss: Some(loss), grad_norm: None, metrics })
    }

    fn step(&mut self, options: &TrainingOptions, cx: &CallContext<'_>) -> Result<TrainingReport> {
        cx.check()?;
        let mut report = self.state.optimizer.step(&mut self.state.weights, &mut self.gradient, options)?;
        // All of the model is trained.
        for name in ["parameters/trained", "parameters/total"] {
            report.metrics.insert(name.to_owned(), COUNT as f64);
        }
        Ok(report)
    }

    fn clear_gradient(&mut self) -> Result<()> {
        self.gradient.fill(0.0);
        Ok(())
    }

    fn save(&self, directory: &Path, _: &CallContext<'_>) -> Result<()> {
        checkpoint::save(directory, ID, &self.state)
    }

    fn load(&mut self, directory: &Path, _: &CallContext<'_>) -> Result<()> {
        self.state = checkpoint::load(directory, ID, State::fits)?;
        self.clear_gradient()
    }
}
