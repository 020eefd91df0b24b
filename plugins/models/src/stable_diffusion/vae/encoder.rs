//! Pictures to the moments of their latents.

use candle_core::Tensor;

use super::VaeConfig;
use super::blocks::{EPS, Middle, Residual};
use crate::Result;
use crate::stable_diffusion::nn::{Conv2d, GroupNorm, conv2d};
use crate::tensors::Weights;

pub(super) struct Encoder {
    conv_in: Conv2d,
    levels: Vec<Level>,
    middle: Middle,
    norm: GroupNorm,
    conv_out: Conv2d,
}

/// One resolution; all but the lowest end with a halving.
struct Level {
    residuals: Vec<Residual>,
    halve: Option<Conv2d>,
}

impl Encoder {
    pub(super) fn load(config: &VaeConfig, weights: &Weights) -> Result<Self> {
        let channels = &config.block_out_channels;
        let (first, last) = (channels[0], channels[channels.len() - 1]);
        let mut inputs = first;
        let mut levels = Vec::with_capacity(channels.len());
        for (i, &outputs) in channels.iter().enumerate() {
            let halves = i + 1 < channels.len();
            levels.push(Level::load(config, inputs, outputs, halves, &weights.pp("down_blocks").pp(i))?);
            inputs = outputs;
        }
        Ok(Self {
            conv_in: conv2d(config.in_channels, first, 3, 1, 1, &weights.pp("conv_in"))?,
            levels,
            middle: Middle::load(config, &weights.pp("mid_block"))?,
            norm: GroupNorm::new(config.norm_num_groups, last, EPS, &weights.pp("conv_norm_out"))?,
            conv_out: conv2d(last, 2 * config.latent_channels, 3, 1, 1, &weights.pp("conv_out"))?,
        })
    }

    /// (batch, channels, height, width) to (batch, 2 * latent channels, height / 8, width / 8).
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut x = self.conv_in.forward(x)?;
        for level in &self.levels {
            x = level.forward(x)?;
        }
        x = self.middle.forward(&x)?;
        self.conv_out.forward(&self.norm.silu(&x)?)
    }
}

impl Level {
    fn load(
        config: &VaeConfig,
        inputs: usize,
        outputs: usize,
        halves: bool,
        weights: &Weights,
    ) -> Result<Self> {
        let mut residuals = Vec::with_capacity(config.layers_per_block);
        for i in 0..config.layers_per_block {
            let inputs = if i == 0 { inputs } else { outputs };
            residuals.push(Residual::load(
                config.norm_num_groups,
                inputs,
                outputs,
                &weights.pp("resnets").pp(i),
            )?);
        }
        let halve = weights.pp("downsamplers.0.conv");
        Ok(Self { residuals, halve: halves.then(|| conv2d(outputs, outputs, 3, 2, 0, &halve)).transpose()? })
    }

    fn forward(&self, mut x: Tensor) -> Result<Tensor> {
        for residual in &self.residuals {
            x = residual.forward(&x)?;
        }
        match &self.halve {
            // Padded below and to the right only, as the original is.
            Some(halve) => halve.forward(&x.pad_with_zeros(3, 0, 1)?.pad_with_zeros(2, 0, 1)?),
            None => Ok(x),
        }
    }
}
