//! A gradient so far, and AdamW.

use std::collections::BTreeMap;
use std::path::Path;

use adeval_models::training::{AdamW, AdamWConfig, Gradients};
use adeval_sdk::{CallContext, Result, TrainingOptions, TrainingReport};
use candle_core::{Device, Var};

use crate::{plugin_error, unsaved};

const OPTIMIZER: &str = "optimizer.safetensors";

/// What turns gradients into steps, whatever they are of.
pub struct Learner {
    /// The gradient so far.
    pub gradients: Gradients,
    optimizer: AdamW,
}

impl Default for Learner {
    fn default() -> Self {
        Self { gradients: Gradients::default(), optimizer: AdamW::new(AdamWConfig::default()) }
    }
}

impl Learner {
    /// One step of `variables` with the gradient so far, which is then forgotten.
    ///
    /// # Errors
    /// `Numerical` for a gradient that is not finite: no variable was changed then.
    pub fn step(
        &mut self,
        variables: &BTreeMap<String, Var>,
        options: &TrainingOptions,
        cx: &CallContext<'_>,
    ) -> Result<TrainingReport> {
        options.validate()?;
        cx.check()?;
        let norm = match options.max_grad_norm {
            Some(most) => self.gradients.clip(most),
            None => self.gradients.norm(),
        };
        let norm = norm.map_err(plugin_error)?;
        self.optimizer.set_weight_decay(options.weight_decay);
        self.optimizer.step(variables, &self.gradients, options.learning_rate).map_err(plugin_error)?;
        self.gradients.clear();
        Ok(TrainingReport { loss: None, grad_norm: Some(norm), metrics: BTreeMap::new() })
    }

    /// Writes the optimizer's state into a folder that is there.
    ///
    /// # Errors
    /// `Io`.
    pub fn save(&self, directory: &Path) -> Result<()> {
        self.optimizer.save(&directory.join(OPTIMIZER)).map_err(unsaved)
    }

    /// The learner whose state [`Learner::save`] wrote, without a gradient.
    ///
    /// # Errors
    /// `MissingWeights`, `BadWeights`.
    pub fn saved(&self, directory: &Path) -> Result<Self> {
        let optimizer = AdamW::read(&directory.join(OPTIMIZER), self.optimizer.config(), &Device::Cpu);
        Ok(Self { gradients: Gradients::default(), optimizer: optimizer.map_err(plugin_error)? })
    }
}
