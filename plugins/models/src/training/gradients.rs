//! Gradients by the name of what they are of.

use std::collections::BTreeMap;

use candle_core::{DType, Tensor};

use crate::Result;

/// A sum of gradients, float32, by the variable's name.
#[derive(Clone, Debug, Default)]
pub struct Gradients {
    by_name: BTreeMap<String, Tensor>,
}

impl Gradients {
    /// Adds to the gradient of a variable.
    ///
    /// # Errors
    /// A gradient of another shape than before, and failures of the device.
    pub fn add(&mut self, name: &str, gradient: &Tensor) -> Result<()> {
        let gradient = gradient.detach().to_dtype(DType::F32)?;
        let sum = match self.by_name.get(name) {
            Some(before) => (before + gradient)?,
            None => gradient,
        };
        self.by_name.insert(name.to_owned(), sum);
        Ok(())
    }

    /// The gradient of a variable, none if nothing was added.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.by_name.get(name)
    }

    /// Names and gradients.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.by_name.iter().map(|(name, gradient)| (name.as_str(), gradient))
    }

    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.by_name.clear();
    }

    /// Multiplies all.
    ///
    /// # Errors
    /// Failures of the device.
    pub fn scale(&mut self, factor: f64) -> Result<()> {
        for gradient in self.by_name.values_mut() {
            *gradient = (&*gradient * factor)?;
        }
        Ok(())
    }

    /// The Euclidean norm of all together. It is not finite if a gradient is not.
    ///
    /// # Errors
    /// Failures of the device.
    pub fn norm(&self) -> Result<f64> {
        let mut sum = 0.0;
        for gradient in self.by_name.values() {
            sum += f64::from(gradient.sqr()?.sum_all()?.to_scalar::<f32>()?);
        }
        Ok(sum.sqrt())
    }

    /// Scales down to the norm `most` when it is longer, as `torch.nn.utils.clip_grad_norm_` does; gives the norm before.
    ///
    /// # Errors
    /// Failures of the device.
    pub fn clip(&mut self, most: f64) -> Result<f64> {
        let norm = self.norm()?;
        // PyTorch's guard against a division by zero.
        let factor = most / (norm + 1e-6);
        if factor < 1.0 {
            self.scale(factor)?;
        }
        Ok(norm)
    }
}
