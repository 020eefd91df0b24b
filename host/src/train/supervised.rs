//! Learning from given answers: epochs over examples, until the loss on others falls no more. Reward models learn so from pairs, prompt
//! generators from instructions.

mod fit;
mod state;

pub use fit::{Fit, Learner, Metrics};
pub use state::State;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a model is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Training {
    /// The most epochs. 0 leaves a model as it is.
    pub epochs: u32,
    /// Epochs without a lower loss on the validation examples after which training ends.
    #[schemars(range(min = 1))]
    pub patience: u32,
    /// Peak learning rate of `AdamW`.
    pub learning_rate: f64,
    /// Share of the steps of all epochs in which the rate rises; then it falls as a cosine. [0, 1).
    pub warm_up: f64,
    /// Examples a step: pairs (with `both_orders` each is asked twice), or instructions.
    #[schemars(range(min = 1))]
    pub batch: usize,
    /// Examples in one call of the model: fewer take less memory.
    #[schemars(range(min = 1))]
    pub examples_per_call: usize,
    /// Gradients are scaled down to this norm; never when absent.
    pub max_grad_norm: Option<f64>,
    /// Decoupled weight decay.
    pub weight_decay: f64,
}

impl Default for Training {
    fn default() -> Self {
        Self {
            epochs: 20,
            patience: 4,
            learning_rate: 1e-3,
            warm_up: 0.05,
            batch: 16,
            examples_per_call: 16,
            max_grad_norm: Some(1.0),
            weight_decay: 0.0,
        }
    }
}

impl Training {
    /// Checks all values; one sentence that names the key.
    pub(super) fn check(&self) -> Result<(), String> {
        let positive = |name: &str, value: f64| match value > 0.0 && value.is_finite() {
            true => Ok(()),
            false => Err(format!("training.{name} is {value}, it must be above 0 and finite")),
        };
        positive("learning_rate", self.learning_rate)?;
        positive("max_grad_norm", self.max_grad_norm.unwrap_or(1.0))?;
        if !(0.0..1.0).contains(&self.warm_up) {
            return Err(format!("training.warm_up is {}, it must be at least 0 and below 1", self.warm_up));
        }
        if !(self.weight_decay >= 0.0 && self.weight_decay.is_finite()) {
            return Err(format!("training.weight_decay is {}, it must be at least 0", self.weight_decay));
        }
        let least = [
            ("patience", self.patience as usize),
            ("batch", self.batch),
            ("examples_per_call", self.examples_per_call),
        ];
        match least.iter().find(|(_, value)| *value == 0) {
            Some((name, _)) => Err(format!("training.{name} is 0, it must be at least 1")),
            None => Ok(()),
        }
    }
}
