//! What turns a vision tower's features into embeddings of the language model: linear layers with an activation between them
//! (`linear`, `mlp2x_gelu`, `mlp3x_gelu`, ...).

use candle_core::{Module, Tensor};
use candle_nn::Linear;

use crate::clip::Activation;
use crate::layers::{linear, linear_no_bias};
use crate::tensors::Weights;
use crate::{ModelError, Result};

/// The shape of a [`Projector`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProjectorConfig {
    /// Width of the features: that of the tower times the number of its layers that are looked at.
    pub inputs: usize,
    /// Width of the language model.
    pub hidden: usize,
    /// Number of linear layers; 0 passes features on as they are.
    pub depth: usize,
    /// Between the layers.
    pub activation: Activation,
    /// Whether the layers have biases.
    pub bias: bool,
}

impl ProjectorConfig {
    /// The depth that `mm_projector_type` of an original configuration names: `identity`, `linear`, `mlp2x_gelu`, ...
    pub fn depth_of(name: &str) -> Option<usize> {
        match name {
            "identity" => Some(0),
            "linear" => Some(1),
            _ => name.strip_prefix("mlp")?.strip_suffix("x_gelu")?.parse().ok().filter(|&depth| depth > 0),
        }
    }
}

/// A projector with its weights.
pub struct Projector {
    layers: Vec<Linear>,
    activation: Activation,
}

impl Projector {
    /// Reads `linear_1`, `linear_2`, ... below `weights`.
    ///
    /// # Errors
    /// [`ModelError::Unfit`] for features that are passed on in another width than the language model's; what the weights lack is
    /// told by [`crate::tensors::Source::finish`].
    pub fn load(config: &ProjectorConfig, weights: &Weights) -> Result<Self> {
        let ProjectorConfig { inputs, hidden, depth, activation, bias } = *config;
        if depth == 0 && inputs != hidden {
            let reason = format!(
                "the projector passes features of {inputs} numbers on, and the language model takes {hidden}"
            );
            return Err(ModelError::Unfit { label: weights.label().to_owned(), reason });
        }
        let layer = |number: usize| {
            let (inputs, weights) =
                (if number == 1 { inputs } else { hidden }, weights.pp(format!("linear_{number}")));
            if bias { linear(inputs, hidden, &weights) } else { linear_no_bias(inputs, hidden, &weights) }
        };
        Ok(Self { layers: (1..=depth).map(layer).collect::<Result<_>>()?, activation })
    }

    /// (.., inputs) to (.., hidden).
    ///
    /// # Errors
    /// Failures of the device.
    pub fn forward(&self, features: &Tensor) -> Result<Tensor> {
        let mut x = features.clone();
        for (number, layer) in self.layers.iter().enumerate() {
            if number > 0 {
                x = self.activation.forward(&x)?;
            }
            x = layer.forward(&x)?;
        }
        Ok(x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depths_are_read_out_of_names() {
        let depth = ProjectorConfig::depth_of;
        assert_eq!(["linear", "mlp2x_gelu", "mlp3x_gelu", "identity"].map(depth), [1, 2, 3, 0].map(Some));
        assert_eq!(["mlp0x_gelu", "mlpx_gelu", "resampler", "mlp2x_relu"].map(depth), [None; 4]);
    }
}
