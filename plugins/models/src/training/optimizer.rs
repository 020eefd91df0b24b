//! AdamW (Loshchilov and Hutter, "Decoupled weight decay regularization", 2019), as `torch.optim.AdamW` computes it.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use candle_core::{Device, Tensor, Var};

use super::Gradients;
use crate::tensors::check_finite;
use crate::{ModelError, Result};

/// The constants, with PyTorch's names and defaults, but for the decay: the paper has none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamWConfig {
    /// Decay of the mean.
    pub beta1: f64,
    /// Decay of the mean square.
    pub beta2: f64,
    /// Added to the root of the mean square.
    pub eps: f64,
    /// Share of the learning rate by which weights shrink.
    pub weight_decay: f64,
}

impl Default for AdamWConfig {
    fn default() -> Self {
        Self { beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.0 }
    }
}

/// The optimizer: means of gradients and of their squares, by the variable's name.
#[derive(Clone, Debug)]
pub struct AdamW {
    config: AdamWConfig,
    steps: u64,
    moments: BTreeMap<String, [Tensor; 2]>,
}

const MEAN: &str = "exp_avg.";
const SQUARE: &str = "exp_avg_sq.";
const STEPS: &str = "steps";

impl AdamW {
    /// Before the first step.
    pub fn new(config: AdamWConfig) -> Self {
        Self { config, steps: 0, moments: BTreeMap::new() }
    }

    /// The constants.
    pub fn config(&self) -> AdamWConfig {
        self.config
    }

    /// Another weight decay from the next step on.
    pub fn set_weight_decay(&mut self, weight_decay: f64) {
        self.config.weight_decay = weight_decay;
    }

    /// Steps that were taken.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// One step. Variables without a gradient stay as they are.
    ///
    /// # Errors
    /// [`ModelError::Numerical`] for a gradient that is not finite, [`ModelError::Unfit`] for one of no variable; then no
    /// variable was changed.
    pub fn step(
        &mut self,
        variables: &BTreeMap<String, Var>,
        gradients: &Gradients,
        learning_rate: f64,
    ) -> Result<()> {
        if !gradients.norm()?.is_finite() {
            return Err(ModelError::Numerical {
                what: "the gradients",
                mend: "take a lower learning rate, clip gradients, or look at the loss",
            });
        }
        if let Some((name, _)) = gradients.iter().find(|(name, _)| !variables.contains_key(*name)) {
            let reason = format!("there is a gradient of {name}, which is not among the variables");
            return Err(ModelError::Unfit { label: "the optimizer step".to_owned(), reason });
        }
        self.steps += 1;
        for (name, gradient) in gradients.iter() {
            self.update(name, &variables[name], gradient, learning_rate)?;
        }
        Ok(())
    }

    fn update(&mut self, name: &str, variable: &Var, gradient: &Tensor, rate: f64) -> Result<()> {
        let AdamWConfig { beta1, beta2, eps, weight_decay } = self.config;
        let value = variable.as_detached_tensor();
        let [mean, square] = match self.moments.remove(name) {
            Some(moments) => moments,
            None => [value.zeros_like()?, value.zeros_like()?],
        };
        let mean = ((mean * beta1)? + (gradient * (1.0 - beta1))?)?;
        let square = ((square * beta2)? + (gradient.sqr()? * (1.0 - beta2))?)?;
        let steps = self.steps as i32;
        let unbiased = (&mean / (1.0 - beta1.powi(steps)))?;
        let root = ((square.sqrt()? / (1.0 - beta2.powi(steps)).sqrt())? + eps)?;
        let shrunk = (value * (1.0 - rate * weight_decay))?;
        variable.set(&(shrunk - ((unbiased / root)? * rate)?)?)?;
        self.moments.insert(name.to_owned(), [mean, square]);
        Ok(())
    }

    /// Writes its state, safetensors.
    ///
    /// # Errors
    /// Failures of the device, and a file that cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let mut tensors = HashMap::new();
        for (name, [mean, square]) in &self.moments {
            tensors.insert(format!("{MEAN}{name}"), mean.clone());
            tensors.insert(format!("{SQUARE}{name}"), square.clone());
        }
        tensors.insert(STEPS.to_owned(), Tensor::new(&[self.steps as i64], &Device::Cpu)?);
        Ok(candle_core::safetensors::save(&tensors, path)?)
    }

    /// Reads what [`AdamW::save`] wrote; the constants are the caller's.
    ///
    /// # Errors
    /// [`ModelError::Read`], [`ModelError::Weights`], [`ModelError::Unfit`] for a file of another kind.
    pub fn read(path: &Path, config: AdamWConfig, device: &Device) -> Result<Self> {
        let label = path.display().to_string();
        let bytes =
            std::fs::read(path).map_err(|source| ModelError::Read { path: path.to_owned(), source })?;
        let mut tensors = candle_core::safetensors::load_buffer(&bytes, device)
            .map_err(|e| ModelError::Weights { label: label.clone(), reason: e.to_string() })?;
        let unfit = |reason: String| ModelError::Unfit { label: label.clone(), reason };
        let steps = tensors.remove(STEPS).and_then(|t| t.to_vec1::<i64>().ok()?.first().copied());
        let steps = steps.and_then(|n| u64::try_from(n).ok());
        let steps = steps.ok_or_else(|| unfit(format!("{STEPS} is missing; it is no state of AdamW")))?;
        let names = tensors.keys().filter_map(|key| key.strip_prefix(MEAN).map(str::to_owned));
        let names: Vec<String> = names.collect();
        let mut moments = BTreeMap::new();
        for name in names {
            let mut take = |prefix: &str| -> Result<Tensor> {
                let key = format!("{prefix}{name}");
                let tensor = tensors.remove(&key).ok_or_else(|| unfit(format!("{key} is missing")))?;
                check_finite(&label, &key, &tensor)?;
                Ok(tensor)
            };
            let pair = [take(MEAN)?, take(SQUARE)?];
            moments.insert(name, pair);
        }
        match tensors.keys().next() {
            Some(key) => Err(unfit(format!("{key} is no part of a state of AdamW"))),
            None => Ok(Self { config, steps, moments }),
        }
    }
}
