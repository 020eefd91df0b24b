//! What the trainable halves of prompt generators and reward models have in common.

use crate::{CallContext, Component, PluginError, Result};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::collections::BTreeMap;
use std::path::Path;

/// How a batch of examples enters the gradient.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct GradientOptions {
    /// Factor on the batch's gradient. A step over several batches of a mean loss gives each its share of the examples,
    /// so that their sum is the gradient of the mean over all.
    #[serde(default = "one")]
    pub weight: f64,
    /// All randomness of the pass (dropout) comes from this.
    #[serde(default)]
    pub seed: u64,
}

fn one() -> f64 {
    1.0
}

impl Default for GradientOptions {
    fn default() -> Self {
        Self { weight: 1.0, seed: 0 }
    }
}

impl GradientOptions {
    /// Checks the weight.
    ///
    /// # Errors
    /// `InvalidRequest` when it is not finite.
    pub fn validate(&self) -> Result<()> {
        in_range("weight", self.weight, self.weight.is_finite(), "it must be finite")
    }
}

/// How one optimizer step is taken.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TrainingOptions {
    /// Learning rate of this step, above 0.
    pub learning_rate: f64,
    /// The gradient is scaled down to this Euclidean norm when it is longer; above 0.
    #[serde(default)]
    pub max_grad_norm: Option<f64>,
    /// Decoupled weight decay (AdamW), at least 0.
    #[serde(default)]
    pub weight_decay: f64,
}

impl TrainingOptions {
    /// A step of this learning rate, without clipping or decay.
    pub fn new(learning_rate: f64) -> Self {
        Self { learning_rate, max_grad_norm: None, weight_decay: 0.0 }
    }

    /// Checks the options' own numbers.
    ///
    /// # Errors
    /// `InvalidRequest`, naming the field.
    pub fn validate(&self) -> Result<()> {
        let positive = |v: f64| v > 0.0 && v.is_finite();
        let rule = "it must be above 0 and finite";
        in_range("learning_rate", self.learning_rate, positive(self.learning_rate), rule)?;
        if let Some(norm) = self.max_grad_norm {
            in_range("max_grad_norm", norm, positive(norm), rule)?;
        }
        let decay = self.weight_decay;
        in_range("weight_decay", decay, decay >= 0.0 && decay.is_finite(), "it must be at least 0 and finite")
    }
}

fn in_range(field: &str, value: f64, fits: bool, rule: &str) -> Result<()> {
    if fits {
        return Ok(());
    }
    Err(PluginError::invalid_request(format!("training: {field} is {value}, {rule}")))
}

/// What a gradient or a step was like.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TrainingReport {
    /// Mean loss over the examples, where the component computes one.
    #[serde(default)]
    pub loss: Option<f64>,
    /// Euclidean norm of the gradient before clipping, where one is known.
    #[serde(default)]
    pub grad_norm: Option<f64>,
    /// Anything else worth plotting.
    #[serde(default)]
    pub metrics: BTreeMap<String, f64>,
}

/// A component that learns: it adds up a gradient, takes steps with it, and keeps its state in a directory.
///
/// The host calls it alone, so `&mut self` needs no lock; the component's other calls wait meanwhile.
pub trait Trainable: Component {
    /// What it learns from: [`AnswerGradient`](crate::AnswerGradient) for a prompt generator,
    /// [`LabelledPair`](crate::LabelledPair) for a reward model. What the gradient is of stands there.
    type Example: Serialize + DeserializeOwned;

    /// Adds `options.weight` times the gradient of these examples to the gradient so far.
    ///
    /// # Errors
    /// `InvalidRequest` for an example that makes no sense, `Numerical` when a loss is not finite. What the gradient
    /// is after an error is not defined: the host goes on with [`Trainable::clear_gradient`] or [`Trainable::load`].
    fn accumulate_gradient(
        &mut self,
        examples: &[Self::Example],
        options: &GradientOptions,
        cx: &CallContext<'_>,
    ) -> Result<TrainingReport>;

    /// Takes one optimizer step with the gradient so far, and clears it.
    ///
    /// # Errors
    /// `Numerical` when the gradient is not finite; the parameters then stay as they were.
    fn step(&mut self, options: &TrainingOptions, cx: &CallContext<'_>) -> Result<TrainingReport>;

    /// Forgets the gradient so far.
    ///
    /// # Errors
    /// See [`crate::ErrorKind`].
    fn clear_gradient(&mut self) -> Result<()>;

    /// Writes what was trained (parameters, reference, optimizer state; not the gradient so far) into a directory, which
    /// is an absolute path and need not exist.
    ///
    /// # Errors
    /// `Io`.
    fn save(&self, directory: &Path, cx: &CallContext<'_>) -> Result<()>;

    /// Reads what [`Trainable::save`] wrote, and clears the gradient.
    ///
    /// # Errors
    /// `MissingWeights`, `BadWeights`; the parameters then stay as they were.
    fn load(&mut self, directory: &Path, cx: &CallContext<'_>) -> Result<()>;
}
