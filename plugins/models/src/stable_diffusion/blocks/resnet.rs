//! The residual block: two 3x3 convolutions, with the time embedding added between them.

use candle_core::{D, Tensor};

use crate::Result;
use crate::stable_diffusion::config::EncoderConfig;
use crate::stable_diffusion::nn::{self, Conv2d, GroupNorm, Linear};
use crate::tensors::Weights;

/// `ResnetBlock2D`.
pub struct ResnetBlock {
    norm1: GroupNorm,
    conv1: Conv2d,
    time_emb_proj: Linear,
    norm2: GroupNorm,
    conv2: Conv2d,
    shortcut: Option<Conv2d>,
}

impl ResnetBlock {
    pub fn new(config: &EncoderConfig, inputs: usize, outputs: usize, weights: &Weights) -> Result<Self> {
        let (groups, eps) = (config.norm_groups, config.norm_eps);
        let shortcut = (inputs != outputs)
            .then(|| nn::conv2d(inputs, outputs, 1, 1, 0, &weights.pp("conv_shortcut")))
            .transpose()?;
        Ok(Self {
            norm1: GroupNorm::new(groups, inputs, eps, &weights.pp("norm1"))?,
            conv1: nn::conv2d(inputs, outputs, 3, 1, 1, &weights.pp("conv1"))?,
            time_emb_proj: nn::linear(config.time_dim(), outputs, &weights.pp("time_emb_proj"))?,
            norm2: GroupNorm::new(groups, outputs, eps, &weights.pp("norm2"))?,
            conv2: nn::conv2d(outputs, outputs, 3, 1, 1, &weights.pp("conv2"))?,
            shortcut,
        })
    }

    /// `time` is the activated time embedding, `(batch, time_dim)`.
    pub fn forward(&self, x: &Tensor, time: &Tensor) -> Result<Tensor> {
        let hidden = self.conv1.forward(&self.norm1.silu(x)?)?;
        let time = self.time_emb_proj.forward(time)?.unsqueeze(D::Minus1)?.unsqueeze(D::Minus1)?;
        let hidden = hidden.broadcast_add(&time)?;
        let hidden = self.conv2.forward(&self.norm2.silu(&hidden)?)?;
        match &self.shortcut {
            Some(shortcut) => Ok((shortcut.forward(x)? + hidden)?),
            None => Ok((x + hidden)?),
        }
    }
}
