//! What the trainable halves of prompt generators and reward models have in common.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How one optimizer step is taken.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TrainingOptions {
    /// Learning rate of this step, above 0.
    pub learning_rate: f64,
    /// The gradient is scaled down to this norm when it is longer.
    #[serde(default)]
    pub max_grad_norm: Option<f64>,
    /// Decoupled weight decay (AdamW).
    #[serde(default)]
    pub weight_decay: f64,
}

impl TrainingOptions {
    /// A step of this learning rate, without clipping or decay.
    pub fn new(learning_rate: f64) -> Self {
        Self { learning_rate, max_grad_norm: None, weight_decay: 0.0 }
    }
}

/// What a gradient or a step was like.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TrainingReport {
    /// Mean loss, where the component computes one.
    #[serde(default)]
    pub loss: Option<f64>,
    /// Norm of the gradient before clipping, where one is known.
    #[serde(default)]
    pub grad_norm: Option<f64>,
    /// Anything else worth plotting.
    #[serde(default)]
    pub metrics: BTreeMap<String, f64>,
}
