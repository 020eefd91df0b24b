//! The denoising network, diffusers' `UNet2DConditionModel` in the shapes of Stable Diffusion 1.

use candle_core::Tensor;

use super::blocks::{Context, Counter, Encoder, MidBlock, UpBlock};
use super::config::UNetConfig;
use super::controlnet::ControlResiduals;
use super::ip_adapter::ImagePrompt;
use super::nn::{self, Conv2d, GroupNorm};
use super::time_embedding::TimeEmbedding;
use crate::tensors::{Source, Weights};
use crate::{ModelError, Result};

/// Predicts the noise (or the velocity) in a noisy latent.
pub struct UNet2DConditionModel {
    config: UNetConfig,
    time: TimeEmbedding,
    encoder: Encoder,
    mid: MidBlock,
    up: Vec<UpBlock>,
    norm_out: GroupNorm,
    conv_out: Conv2d,
}

/// What else a forward pass may be conditioned on. `Conditions::default()` is none of it.
#[derive(Clone, Copy, Default)]
pub struct Conditions<'a> {
    /// Residuals of one ControlNet, or the sum of several.
    pub residuals: Option<&'a ControlResiduals>,
    /// Pictures to attend to, from IP-Adapters.
    pub images: &'a [ImagePrompt],
    /// Embedding of the guidance scale, `(batch, time_cond_dim)`, for checkpoints distilled with it (LCM).
    pub guidance: Option<&'a Tensor>,
}

impl UNet2DConditionModel {
    /// Builds the network and checks that `source` holds its tensors and no others.
    ///
    /// # Errors
    /// As [`Source::finish`].
    pub fn load(config: UNetConfig, source: &Source) -> Result<Self> {
        let unet = Self::new(config, &source.weights())?;
        source.finish("the Stable Diffusion UNet", |_| false)?;
        Ok(unet)
    }

    /// Builds the network at a place in a source; the caller calls [`Source::finish`].
    ///
    /// # Errors
    /// As [`Weights::get`].
    pub fn new(config: UNetConfig, weights: &Weights) -> Result<Self> {
        let encoder_config = &config.encoder;
        let first = encoder_config.first_channels();
        let mut counter = Counter::default();
        let encoder = Encoder::new(encoder_config, &mut counter, weights)?;
        // The up path comes before the middle: IP-Adapter counts the cross attentions in this order.
        let up = (0..config.up_attends.len())
            .map(|i| UpBlock::new(&config, i, &mut counter, weights))
            .collect::<Result<_>>()?;
        let (groups, eps) = (encoder_config.norm_groups, encoder_config.norm_eps);
        Ok(Self {
            time: TimeEmbedding::new(encoder_config, weights)?,
            encoder,
            mid: MidBlock::new(encoder_config, &mut counter, weights)?,
            up,
            norm_out: GroupNorm::new(groups, first, eps, &weights.pp("conv_norm_out"))?,
            conv_out: nn::conv2d(first, config.out_channels, 3, 1, 1, &weights.pp("conv_out"))?,
            config,
        })
    }

    /// What it was built from.
    pub fn config(&self) -> &UNetConfig {
        &self.config
    }

    /// The prediction, `(batch, out_channels, height, width)`.
    ///
    /// * `sample`: `(batch, in_channels, height, width)`, of any size from one pixel on, in the weights' type.
    /// * `timesteps`: one for all samples, or one for each; 0..=999, fractions allowed.
    /// * `text`: `(batch, tokens, cross_attention_dim)`.
    ///
    /// # Errors
    /// [`ModelError::Input`] for shapes that do not fit, residuals included, and failures of the device.
    pub fn forward(
        &self,
        sample: &Tensor,
        timesteps: &[f64],
        text: &Tensor,
        conditions: Conditions,
    ) -> Result<Tensor> {
        let batch = self.check(sample, text, &conditions)?;
        let time =
            self.time.forward(timesteps, batch, conditions.guidance, sample.dtype(), sample.device())?;
        let context = Context { time: time.silu()?, text, images: conditions.images };
        let (state, mut skips) = self.encoder.forward(self.encoder.enter(sample)?, &context)?;
        let mut x = self.mid.forward(&state, &context)?;
        if let Some(residuals) = conditions.residuals {
            residuals.add_to(&mut skips, &mut x)?;
        }
        for block in &self.up {
            x = block.forward(&x, &mut skips, &context)?;
        }
        self.conv_out.forward(&self.norm_out.silu(&x)?)
    }

    /// The batch size.
    fn check(&self, sample: &Tensor, text: &Tensor, conditions: &Conditions) -> Result<usize> {
        let config = &self.config.encoder;
        check_sample(sample, config.in_channels)?;
        let batch = sample.dim(0)?;
        check_text(text, batch, config.cross_attention_dim)?;
        let widths = self.config.cross_attentions();
        conditions.images.iter().try_for_each(|image| image.check(batch, &widths))?;
        Ok(batch)
    }
}

/// Checks the rank and the channels of a latent.
pub(super) fn check_sample(sample: &Tensor, channels: usize) -> Result<()> {
    match sample.dims() {
        [_, c, _, _] if *c == channels && sample.elem_count() > 0 => Ok(()),
        [_, 4, _, _] if channels == 9 => Err(ModelError::Input {
            found: format!("a sample {:?} for a UNet with 9 input channels", sample.dims()),
            expected: "latent, mask and masked image's latent together: this is an inpainting checkpoint",
        }),
        [_, 9, _, _] if channels == 4 => Err(ModelError::Input {
            found: format!("a sample {:?} for a UNet with 4 input channels", sample.dims()),
            expected: "the latent alone: this is not an inpainting checkpoint",
        }),
        dims => Err(ModelError::Input {
            found: format!("a sample {dims:?} for {channels} input channels"),
            expected: "(batch, in_channels, height, width), none of them zero",
        }),
    }
}

/// Checks the text states against the batch and the network's width.
pub(super) fn check_text(text: &Tensor, batch: usize, width: usize) -> Result<()> {
    match text.dims() {
        [b, tokens, w] if (*b, *w) == (batch, width) && *tokens > 0 => Ok(()),
        dims => Err(ModelError::Input {
            found: format!("text states {dims:?} for a batch of {batch} and a width of {width}"),
            expected: "(batch, tokens, cross_attention_dim), as the text encoder of this checkpoint gives them",
        }),
    }
}
