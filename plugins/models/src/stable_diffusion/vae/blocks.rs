//! The blocks that encoder and decoder are made of.

use candle_core::{Module, Tensor};
use candle_nn::Linear;

use super::VaeConfig;
use crate::Result;
use crate::stable_diffusion::nn::{Conv2d, GroupNorm, conv2d};
use crate::stable_diffusion::sdpa::attend;
use crate::tensors::Weights;

/// Epsilon of every group norm.
pub(super) const EPS: f64 = 1e-6;

/// Two convolutions with a shortcut (`ResnetBlock2D` without a time embedding).
pub(super) struct Residual {
    norm1: GroupNorm,
    conv1: Conv2d,
    norm2: GroupNorm,
    conv2: Conv2d,
    shortcut: Option<Conv2d>,
}

impl Residual {
    pub(super) fn load(groups: usize, inputs: usize, outputs: usize, weights: &Weights) -> Result<Self> {
        let shortcut = weights.pp("conv_shortcut");
        Ok(Self {
            norm1: GroupNorm::new(groups, inputs, EPS, &weights.pp("norm1"))?,
            conv1: conv2d(inputs, outputs, 3, 1, 1, &weights.pp("conv1"))?,
            norm2: GroupNorm::new(groups, outputs, EPS, &weights.pp("norm2"))?,
            conv2: conv2d(outputs, outputs, 3, 1, 1, &weights.pp("conv2"))?,
            shortcut: (inputs != outputs).then(|| conv2d(inputs, outputs, 1, 1, 0, &shortcut)).transpose()?,
        })
    }

    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let y = self.conv1.forward(&self.norm1.silu(x)?)?;
        let y = self.conv2.forward(&self.norm2.silu(&y)?)?;
        match &self.shortcut {
            Some(shortcut) => Ok((shortcut.forward(x)? + y)?),
            None => Ok((x + y)?),
        }
    }
}

/// The lowest resolution: residual, self-attention, residual (`UNetMidBlock2D`).
pub(super) struct Middle {
    first: Residual,
    attention: Option<Attention>,
    second: Residual,
}

impl Middle {
    pub(super) fn load(config: &VaeConfig, weights: &Weights) -> Result<Self> {
        let channels = config.block_out_channels.last().copied().unwrap_or(0);
        let groups = config.norm_num_groups;
        let residual = |i: usize| Residual::load(groups, channels, channels, &weights.pp("resnets").pp(i));
        let attention = weights.pp("attentions").pp(0);
        let attention = config.mid_block_add_attention.then(|| Attention::load(groups, channels, &attention));
        Ok(Self { first: residual(0)?, attention: attention.transpose()?, second: residual(1)? })
    }

    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut x = self.first.forward(x)?;
        if let Some(attention) = &self.attention {
            x = attention.forward(&x)?;
        }
        self.second.forward(&x)
    }
}

/// Self-attention over all places with one head, and a shortcut.
struct Attention {
    norm: GroupNorm,
    query: Linear,
    key: Linear,
    value: Linear,
    out: Linear,
}

impl Attention {
    fn load(groups: usize, channels: usize, weights: &Weights) -> Result<Self> {
        let projection = |now: &str, before: &str| {
            let now = weights.pp(now);
            let before = weights.pp(before);
            projection(channels, if before.has("weight") { &before } else { &now })
        };
        Ok(Self {
            norm: GroupNorm::new(groups, channels, EPS, &weights.pp("group_norm"))?,
            query: projection("to_q", "query")?,
            key: projection("to_k", "key")?,
            value: projection("to_v", "value")?,
            out: projection("to_out.0", "proj_attn")?,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (batch, channels, height, width) = x.dims4()?;
        let places = self.norm.forward(x)?.flatten_from(2)?.transpose(1, 2)?.contiguous()?;
        let (query, key) = (self.query.forward(&places)?, self.key.forward(&places)?);
        let mixed = attend(&query, &key, &self.value.forward(&places)?, 1, true)?;
        let mixed = self.out.forward(&mixed)?;
        Ok((x + mixed.transpose(1, 2)?.reshape((batch, channels, height, width))?)?)
    }
}

/// A square projection; original checkpoints hold it as a 1x1 convolution.
fn projection(channels: usize, weights: &Weights) -> Result<Linear> {
    let is_conv = weights.shape("weight").is_some_and(|shape| shape.len() == 4);
    let weight = if is_conv {
        weights.get("weight", &[channels, channels, 1, 1])?.reshape((channels, channels))?
    } else {
        weights.get("weight", &[channels, channels])?
    };
    Ok(Linear::new(weight, Some(weights.get("bias", &[channels])?)))
}
