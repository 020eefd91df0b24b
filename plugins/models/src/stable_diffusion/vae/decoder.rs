//! Latents to pictures.

use candle_core::Tensor;

use super::VaeConfig;
use super::blocks::{EPS, Middle, Residual};
use crate::Result;
use crate::stable_diffusion::nn::{Conv2d, GroupNorm, conv2d};
use crate::tensors::Weights;

pub(super) struct Decoder {
    conv_in: Conv2d,
    middle: Middle,
    levels: Vec<Level>,
    norm: GroupNorm,
    conv_out: Conv2d,
}

/// One resolution, the lowest first; all but the picture's own end with a doubling.
struct Level {
    residuals: Vec<Residual>,
    double: Option<Conv2d>,
}

impl Decoder {
    pub(super) fn load(config: &VaeConfig, weights: &Weights) -> Result<Self> {
        let channels = &config.block_out_channels;
        let (first, last) = (channels[0], channels[channels.len() - 1]);
        let mut inputs = last;
        let mut levels = Vec::with_capacity(channels.len());
        for (i, &outputs) in channels.iter().rev().enumerate() {
            let doubles = i + 1 < channels.len();
            levels.push(Level::load(config, inputs, outputs, doubles, &weights.pp("up_blocks").pp(i))?);
            inputs = outputs;
        }
        Ok(Self {
            conv_in: conv2d(config.latent_channels, last, 3, 1, 1, &weights.pp("conv_in"))?,
            middle: Middle::load(config, &weights.pp("mid_block"))?,
            levels,
            norm: GroupNorm::new(config.norm_num_groups, first, EPS, &weights.pp("conv_norm_out"))?,
            conv_out: conv2d(first, config.out_channels, 3, 1, 1, &weights.pp("conv_out"))?,
        })
    }

    /// (batch, latent channels, height, width) to (batch, channels, 8 * height, 8 * width).
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut x = self.middle.forward(&self.conv_in.forward(x)?)?;
        for level in &self.levels {
            x = level.forward(x)?;
        }
        let x = self.norm.silu(&x)?;
        self.conv_out.forward(&x)
    }
}

impl Level {
    fn load(
        config: &VaeConfig,
        inputs: usize,
        outputs: usize,
        doubles: bool,
        weights: &Weights,
    ) -> Result<Self> {
        let count = config.layers_per_block + 1;
        let mut residuals = Vec::with_capacity(count);
        for i in 0..count {
            let inputs = if i == 0 { inputs } else { outputs };
            residuals.push(Residual::load(
                config.norm_num_groups,
                inputs,
                outputs,
                &weights.pp("resnets").pp(i),
            )?);
        }
        let double = weights.pp("upsamplers.0.conv");
        Ok(Self {
            residuals,
            double: doubles.then(|| conv2d(outputs, outputs, 3, 1, 1, &double)).transpose()?,
        })
    }

    fn forward(&self, mut x: Tensor) -> Result<Tensor> {
        for residual in &self.residuals {
            x = residual.forward(&x)?;
        }
        match &self.double {
            Some(double) => {
                let (_, _, height, width) = x.dims4()?;
                x = x.upsample_nearest2d(2 * height, 2 * width)?;
                double.forward(&x)
            }
            None => Ok(x),
        }
    }
}
