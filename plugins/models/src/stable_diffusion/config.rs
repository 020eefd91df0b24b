//! The published `config.json` of a UNet or a ControlNet: what is built from it, and what is refused.

use std::path::{Path, PathBuf};

use crate::Result;
use read::{config, kinds, parse, read};

mod read;

/// One resolution of the U, from the finest (the latent's own) to the coarsest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Level {
    /// Channels at this resolution.
    pub channels: usize,
    /// Residual blocks of the down path (the up path has one more).
    pub layers: usize,
    /// Attention heads.
    pub heads: usize,
    /// Transformer blocks behind each residual block that has attention.
    pub transformers: usize,
    /// Whether the down path attends here.
    pub attends: bool,
}

/// What the UNet and the ControlNet have in common: the encoder half.
#[derive(Debug, Clone, PartialEq)]
pub struct EncoderConfig {
    /// Where it was read, for messages.
    pub path: PathBuf,
    /// Channels of the sample: 4, or 9 for inpainting checkpoints.
    pub in_channels: usize,
    /// The resolutions, finest first.
    pub levels: Vec<Level>,
    /// Whether the middle block has a transformer and a second residual block.
    pub mid_attends: bool,
    /// Groups of every group norm.
    pub norm_groups: usize,
    /// Epsilon of the group norms of residual blocks and of the output.
    pub norm_eps: f64,
    /// Width of the text encoder's states: 768 for Stable Diffusion 1.
    pub cross_attention_dim: usize,
    /// Whether transformers project with linear layers instead of 1x1 convolutions.
    pub linear_projection: bool,
    /// Whether attention scores are computed in float32 whatever the weights' type.
    pub upcast_attention: bool,
    /// Whether the time embedding begins with its cosines.
    pub flip_sin_to_cos: bool,
    /// Shift of the time embedding's frequencies.
    pub freq_shift: f64,
    /// Width of the guidance embedding of LCM checkpoints.
    pub time_cond_dim: Option<usize>,
}

/// A `UNet2DConditionModel` of the Stable Diffusion 1 family.
#[derive(Debug, Clone, PartialEq)]
pub struct UNetConfig {
    /// The encoder half.
    pub encoder: EncoderConfig,
    /// Channels of the prediction, 4.
    pub out_channels: usize,
    /// Whether the up path attends, in the order of the up path (coarsest first).
    pub up_attends: Vec<bool>,
    /// Side of the latent that it was trained on: 64 for 512 pixels.
    pub sample_size: Option<usize>,
}

/// A `ControlNetModel` of the Stable Diffusion 1 family.
#[derive(Debug, Clone, PartialEq)]
pub struct ControlNetConfig {
    /// The encoder half.
    pub encoder: EncoderConfig,
    /// Channels of the control picture, 3.
    pub conditioning_channels: usize,
    /// Channels of the small network that brings the control picture to the latent's size.
    pub embedding_channels: Vec<usize>,
    /// Whether the control picture is wanted as BGR.
    pub bgr: bool,
    /// Whether each residual is averaged over the picture (the shuffle ControlNet).
    pub global_pool: bool,
}

impl UNetConfig {
    /// Reads `config.json`.
    ///
    /// # Errors
    /// [`crate::ModelError::Read`] for a file that cannot be read, [`crate::ModelError::Config`] for a network of another kind.
    pub fn read(path: &Path) -> Result<Self> {
        Self::parse(&read(path)?, path)
    }

    /// Parses the text of a `config.json`; `path` is what messages name.
    ///
    /// # Errors
    /// [`crate::ModelError::Config`], naming the key at fault.
    pub fn parse(text: &str, path: &Path) -> Result<Self> {
        let (raw, encoder) = parse(text, path)?;
        let up_attends =
            kinds(&raw.up_block_types, "up_block_types", "CrossAttnUpBlock2D", "UpBlock2D", path)?;
        if up_attends.len() != encoder.levels.len() {
            return Err(config(path, "up_block_types and block_out_channels have different lengths"));
        }
        Ok(Self { encoder, out_channels: raw.out_channels, up_attends, sample_size: raw.sample_size })
    }

    /// Channels at every cross attention, in the order in which IP-Adapter counts them: down, up, middle.
    pub fn cross_attentions(&self) -> Vec<usize> {
        let levels = &self.encoder.levels;
        let attentions = |level: &Level, count: usize| vec![level.channels; count * level.transformers];
        let down = levels.iter().filter(|l| l.attends).flat_map(|l| attentions(l, l.layers));
        let up = levels.iter().rev().zip(&self.up_attends).filter(|(_, attends)| **attends);
        let up = up.flat_map(|(l, _)| attentions(l, l.layers + 1));
        let mid = levels.last().filter(|_| self.encoder.mid_attends).into_iter();
        down.chain(up).chain(mid.flat_map(|l| attentions(l, 1))).collect()
    }

    /// Stable Diffusion 1.5, whose single-file checkpoints come without a configuration. `in_channels` is 4, or 9 for
    /// the inpainting checkpoint.
    pub fn sd15(in_channels: usize) -> Self {
        Self {
            encoder: EncoderConfig::sd15(in_channels),
            out_channels: 4,
            up_attends: vec![false, true, true, true],
            sample_size: Some(64),
        }
    }
}

impl ControlNetConfig {
    /// Reads `config.json`.
    ///
    /// # Errors
    /// [`crate::ModelError::Read`] for a file that cannot be read, [`crate::ModelError::Config`] for a network of another kind.
    pub fn read(path: &Path) -> Result<Self> {
        Self::parse(&read(path)?, path)
    }

    /// Parses the text of a `config.json`; `path` is what messages name.
    ///
    /// # Errors
    /// [`crate::ModelError::Config`], naming the key at fault.
    pub fn parse(text: &str, path: &Path) -> Result<Self> {
        let (raw, encoder) = parse(text, path)?;
        let bgr = match raw.controlnet_conditioning_channel_order.as_str() {
            "rgb" => false,
            "bgr" => true,
            other => {
                let reason = format!(
                    "controlnet_conditioning_channel_order is {other:?}, which is neither rgb nor bgr"
                );
                return Err(config(path, reason));
            }
        };
        if raw.conditioning_embedding_out_channels.is_empty() {
            return Err(config(path, "conditioning_embedding_out_channels is empty"));
        }
        Ok(Self {
            encoder,
            conditioning_channels: raw.conditioning_channels,
            embedding_channels: raw.conditioning_embedding_out_channels,
            bgr,
            global_pool: raw.global_pool_conditions,
        })
    }

    /// The ControlNets published for Stable Diffusion 1.5, whose single-file checkpoints come without a configuration.
    pub fn sd15() -> Self {
        Self {
            encoder: EncoderConfig::sd15(4),
            conditioning_channels: 3,
            embedding_channels: vec![16, 32, 96, 256],
            bgr: false,
            global_pool: false,
        }
    }

    /// Fails unless the residuals of this network fit the skips of `unet`.
    ///
    /// # Errors
    /// [`crate::ModelError::Config`] that says of which base this network is.
    pub fn fits(&self, unet: &UNetConfig) -> Result<()> {
        let (own, its) = (&self.encoder, &unet.encoder);
        let base = |dim| match dim {
            768 => " (Stable Diffusion 1)",
            1024 => " (Stable Diffusion 2)",
            2048 => " (SDXL)",
            _ => "",
        };
        if own.cross_attention_dim != its.cross_attention_dim {
            let (found, wanted) = (own.cross_attention_dim, its.cross_attention_dim);
            let reason = format!(
                "this ControlNet has cross_attention_dim {found}{}, but the UNet {} has {wanted}{}; \
                 take a ControlNet that was trained for the same base model",
                base(found),
                its.path.display(),
                base(wanted)
            );
            return Err(config(&own.path, reason));
        }
        let shape = |c: &EncoderConfig| c.levels.iter().map(|l| (l.channels, l.layers)).collect::<Vec<_>>();
        if shape(own) != shape(its) {
            let reason = format!(
                "this ControlNet has levels of (channels, layers) {:?}, but the UNet {} has {:?}; \
                 take a ControlNet that was trained for the same base model",
                shape(own),
                its.path.display(),
                shape(its)
            );
            return Err(config(&own.path, reason));
        }
        Ok(())
    }
}

impl EncoderConfig {
    fn sd15(in_channels: usize) -> Self {
        let level = |channels, attends| Level { channels, layers: 2, heads: 8, transformers: 1, attends };
        Self {
            path: PathBuf::from("Stable Diffusion 1.5"),
            in_channels,
            levels: vec![level(320, true), level(640, true), level(1280, true), level(1280, false)],
            mid_attends: true,
            norm_groups: 32,
            norm_eps: 1e-5,
            cross_attention_dim: 768,
            linear_projection: false,
            upcast_attention: false,
            flip_sin_to_cos: true,
            freq_shift: 0.0,
            time_cond_dim: None,
        }
    }

    /// Width of the time embedding that residual blocks get.
    pub fn time_dim(&self) -> usize {
        4 * self.first_channels()
    }

    /// Channels of the finest level.
    pub fn first_channels(&self) -> usize {
        self.levels.first().map_or(0, |l| l.channels)
    }
}

#[cfg(test)]
mod tests;
