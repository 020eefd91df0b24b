//! AdamW (Loshchilov and Hutter, 2019) on a flat vector.

use adeval_sdk::prelude::*;
use serde::{Deserialize, Serialize};

const BETA: (f64, f64) = (0.9, 0.999);
const EPSILON: f64 = 1e-8;

/// The optimizer's state: first and second moments, and the number of steps taken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct AdamW {
    first: Vec<f64>,
    second: Vec<f64>,
    steps: u64,
}

fn norm(values: &[f64]) -> f64 {
    values.iter().map(|v| v * v).sum::<f64>().sqrt()
}

/// Checks the options of a step.
fn check(options: &TrainingOptions) -> Result<()> {
    let bad = |field: &str, value: f64, rule: &str| {
        Err(PluginError::invalid_request(format!("training options: {field} is {value}, {rule}")))
    };
    if !(options.learning_rate > 0.0 && options.learning_rate.is_finite()) {
        return bad("learning_rate", options.learning_rate, "it must be above 0 and finite");
    }
    if !(options.weight_decay >= 0.0 && options.weight_decay.is_finite()) {
        return bad("weight_decay", options.weight_decay, "it must be at least 0 and finite");
    }
    match options.max_grad_norm {
        Some(most) if !(most > 0.0 && most.is_finite()) => {
            bad("max_grad_norm", most, "it must be above 0 and finite")
        }
        _ => Ok(()),
    }
}

impl AdamW {
    /// A fresh state for `count` parameters.
    pub fn new(count: usize) -> Self {
        Self { first: vec![0.0; count], second: vec![0.0; count], steps: 0 }
    }

    /// Whether the state is for `count` parameters and made of numbers.
    pub fn fits(&self, count: usize) -> bool {
        self.first.len() == count
            && self.second.len() == count
            && self.first.iter().chain(&self.second).all(|v| v.is_finite())
            && self.second.iter().all(|v| *v >= 0.0)
    }

    /// Moves the parameters against the gradient, and sets the gradient to zero.
    ///
    /// # Errors
    /// `InvalidRequest` for options out of range, which keeps the gradient; `Numerical` when the gradient or what
    /// it would lead to is not finite, which drops the gradient. The parameters then stay as they were.
    pub fn step(
        &mut self,
        parameters: &mut Vec<f64>,
        gradient: &mut [f64],
        options: &TrainingOptions,
    ) -> Result<TrainingReport> {
        check(options)?;
        let length = norm(gradient);
        let outcome =
            if length.is_finite() { self.moved(parameters, gradient, length, options) } else { None };
        gradient.fill(0.0);
        let (next, state) = outcome.ok_or_else(|| {
            PluginError::new(
                ErrorKind::Numerical,
                format!("a gradient of norm {length} gives no finite step"),
            )
            .with_hint("lower the learning rate, or set max_grad_norm")
        })?;
        *parameters = next;
        *self = state;
        Ok(TrainingReport { grad_norm: Some(length), ..TrainingReport::default() })
    }

    fn moved(
        &self,
        from: &[f64],
        gradient: &[f64],
        length: f64,
        o: &TrainingOptions,
    ) -> Option<(Vec<f64>, Self)> {
        let clip = o.max_grad_norm.map_or(1.0, |most| if length > most { most / length } else { 1.0 });
        let mut state = self.clone();
        state.steps += 1;
        let power = i32::try_from(state.steps).unwrap_or(i32::MAX);
        let correction = (1.0 - BETA.0.powi(power), 1.0 - BETA.1.powi(power));
        let mut next = from.to_vec();
        for (i, value) in next.iter_mut().enumerate() {
            let g = gradient[i] * clip;
            state.first[i] = BETA.0 * state.first[i] + (1.0 - BETA.0) * g;
            state.second[i] = BETA.1 * state.second[i] + (1.0 - BETA.1) * g * g;
            let scale = (state.second[i] / correction.1).sqrt() + EPSILON;
            *value -= o.learning_rate * (state.first[i] / correction.0 / scale + o.weight_decay * *value);
        }
        let finite = next.iter().chain(&state.first).chain(&state.second).all(|v| v.is_finite());
        finite.then_some((next, state))
    }
}
