//! The variational autoencoder of latent diffusion (`AutoencoderKL`): pictures to latents and back.
//!
//! Rombach et al., "High-Resolution Image Synthesis with Latent Diffusion Models" (2022), sections 3.1 and G. Names and
//! numbers are those of diffusers. Pictures are (batch, 3, height, width) in [-1, 1]; latents are (batch, 4, height / 8,
//! width / 8), and **not** scaled: multiply by [`VaeConfig::scaling_factor`] for the UNet, divide before [`Vae::decode`].

mod blocks;
mod decoder;
mod encoder;
mod tiling;

use candle_core::Tensor;
use serde::Deserialize;

pub use tiling::Tiling;

use crate::stable_diffusion::nn::{Conv2d, conv2d};
use crate::tensors::{Source, Weights};
use crate::{ModelError, Result};
use decoder::Decoder;
use encoder::Encoder;

/// `config.json` of a VAE; what it leaves out has the default of diffusers.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct VaeConfig {
    /// Channels of the pictures that go in.
    pub in_channels: usize,
    /// Channels of the pictures that come out.
    pub out_channels: usize,
    /// Channels by resolution, the picture's first. Each but the last halves the size.
    pub block_out_channels: Vec<usize>,
    /// Residual blocks by resolution of the encoder; the decoder has one more.
    pub layers_per_block: usize,
    /// Channels of the latents.
    pub latent_channels: usize,
    /// Groups of the group norms.
    pub norm_num_groups: usize,
    /// Side of the pictures that it was trained on, in pixels; tiles have this size.
    pub sample_size: usize,
    /// What brings latents to unit variance.
    pub scaling_factor: f64,
    /// Whether float16 overflows in it (SDXL's), so that it is to be run in float32.
    pub force_upcast: bool,
    /// Whether a 1x1 convolution follows the encoder.
    pub use_quant_conv: bool,
    /// Whether a 1x1 convolution precedes the decoder.
    pub use_post_quant_conv: bool,
    /// Whether the lowest resolution has self-attention.
    pub mid_block_add_attention: bool,
    /// Only `silu` is known.
    pub act_fn: String,
    /// Only `DownEncoderBlock2D` is known.
    pub down_block_types: Vec<String>,
    /// Only `UpDecoderBlock2D` is known.
    pub up_block_types: Vec<String>,
}

impl Default for VaeConfig {
    fn default() -> Self {
        Self {
            in_channels: 3,
            out_channels: 3,
            block_out_channels: vec![64],
            layers_per_block: 1,
            latent_channels: 4,
            norm_num_groups: 32,
            sample_size: 32,
            scaling_factor: 0.18215,
            force_upcast: true,
            use_quant_conv: true,
            use_post_quant_conv: true,
            mid_block_add_attention: true,
            act_fn: "silu".to_owned(),
            down_block_types: vec!["DownEncoderBlock2D".to_owned()],
            up_block_types: vec!["UpDecoderBlock2D".to_owned()],
        }
    }
}

impl VaeConfig {
    /// Stable Diffusion 1.5's, for a checkpoint in one file that comes without configuration.
    pub fn stable_diffusion() -> Self {
        Self {
            block_out_channels: vec![128, 256, 512, 512],
            layers_per_block: 2,
            sample_size: 512,
            down_block_types: vec!["DownEncoderBlock2D".to_owned(); 4],
            up_block_types: vec!["UpDecoderBlock2D".to_owned(); 4],
            ..Self::default()
        }
    }

    /// Pixels of a picture for one value of a latent, in each direction: 8.
    pub fn downscale(&self) -> usize {
        1 << self.block_out_channels.len().saturating_sub(1).min(31)
    }

    fn fault(&self) -> Option<String> {
        let groups = self.norm_num_groups;
        if self.block_out_channels.is_empty() {
            return Some("block_out_channels is empty".to_owned());
        }
        if let Some(odd) = self.block_out_channels.iter().find(|c| groups == 0 || !c.is_multiple_of(groups)) {
            return Some(format!("{odd} channels cannot be shared among norm_num_groups {groups}"));
        }
        if self.act_fn != "silu" {
            return Some(format!("act_fn {:?} is not silu", self.act_fn));
        }
        let strange = |t: &&String| *t != "DownEncoderBlock2D" && *t != "UpDecoderBlock2D";
        let strange = self.down_block_types.iter().chain(&self.up_block_types).find(strange);
        strange.map(|t| {
            format!("block type {t} belongs to another autoencoder than AutoencoderKL of Stable Diffusion")
        })
    }
}

/// The Gaussian that a picture is encoded to.
pub struct Posterior {
    /// (batch, latent channels, height / 8, width / 8).
    pub mean: Tensor,
    /// Logarithm of the variance, clamped to [-30, 20]; of the mean's shape.
    pub log_variance: Tensor,
}

impl Posterior {
    fn new(moments: &Tensor) -> candle_core::Result<Self> {
        let channels = moments.dim(1)? / 2;
        let mean = moments.narrow(1, 0, channels)?.contiguous()?;
        let log_variance = moments.narrow(1, channels, channels)?.clamp(-30.0, 20.0)?;
        Ok(Self { mean, log_variance })
    }

    /// Mean plus standard deviation times `noise`, which is standard normal and of the mean's shape.
    ///
    /// # Errors
    /// [`ModelError::Shape`] for noise of another shape.
    pub fn sample(&self, noise: &Tensor) -> Result<Tensor> {
        if noise.dims() != self.mean.dims() {
            return Err(ModelError::Shape {
                name: "noise for the VAE's posterior".to_owned(),
                found: noise.dims().to_vec(),
                expected: self.mean.dims().to_vec(),
            });
        }
        let deviation = (&self.log_variance * 0.5)?.exp()?;
        let noise = noise.to_device(self.mean.device())?.to_dtype(self.mean.dtype())?;
        Ok((&self.mean + (deviation * noise)?)?)
    }

    /// The most probable latent, its mean.
    pub const fn mode(&self) -> &Tensor {
        &self.mean
    }
}

/// A VAE with its weights.
pub struct Vae {
    config: VaeConfig,
    encoder: Encoder,
    quant: Option<Conv2d>,
    post_quant: Option<Conv2d>,
    decoder: Decoder,
    tiling: Option<Tiling>,
    slicing: bool,
}

impl Vae {
    /// Builds it from all tensors of `source`. Attention is named as today (`to_q`, `to_out.0`) or as before diffusers
    /// 0.14 (`query`, `proj_attn`), its matrices with two or, as in original checkpoints, four dimensions.
    ///
    /// # Errors
    /// [`ModelError::Keys`], [`ModelError::Shape`] or [`ModelError::Value`] for a source that is no such VAE, and
    /// [`ModelError::Unfit`] for a configuration that describes none.
    pub fn load(source: &Source, config: &VaeConfig) -> Result<Self> {
        if let Some(reason) = config.fault() {
            return Err(ModelError::Unfit { label: source.label().to_owned(), reason });
        }
        let weights = source.weights();
        let latent = config.latent_channels;
        let pointwise = |wanted: bool, channels: usize, weights: Weights| {
            wanted.then(|| conv2d(channels, channels, 1, 1, 0, &weights)).transpose()
        };
        let vae = Self {
            encoder: Encoder::load(config, &weights.pp("encoder"))?,
            quant: pointwise(config.use_quant_conv, 2 * latent, weights.pp("quant_conv"))?,
            post_quant: pointwise(config.use_post_quant_conv, latent, weights.pp("post_quant_conv"))?,
            decoder: Decoder::load(config, &weights.pp("decoder"))?,
            config: config.clone(),
            tiling: None,
            slicing: false,
        };
        source.finish("a Stable Diffusion VAE", |_| false)?;
        Ok(vae)
    }

    /// Its configuration.
    pub const fn config(&self) -> &VaeConfig {
        &self.config
    }

    /// Works in overlapping tiles from now on, where a picture is larger than one: memory stays bounded, and the result
    /// differs slightly, because each tile sees only itself. [`Tiling::new`] gives the tiles of diffusers.
    pub const fn set_tiling(&mut self, tiling: Option<Tiling>) {
        self.tiling = tiling;
    }

    /// Works picture by picture from now on: less memory for a batch, the same result.
    pub const fn set_slicing(&mut self, slicing: bool) {
        self.slicing = slicing;
    }

    /// Encodes pictures (batch, channels, height, width) in [-1, 1].
    ///
    /// # Errors
    /// [`ModelError::Input`] for sides that are no multiples of [`VaeConfig::downscale`] or other channels, and failures
    /// of the device.
    pub fn encode(&self, pictures: &Tensor) -> Result<Posterior> {
        let factor = self.config.downscale();
        let fits = |d: &[usize]| {
            matches!(*d, [batch, c, h, w] if batch * h * w > 0
                && c == self.config.in_channels && h.is_multiple_of(factor) && w.is_multiple_of(factor))
        };
        if !fits(pictures.dims()) {
            return Err(ModelError::Input {
                found: format!(
                    "pictures of shape {:?} (sides must be multiples of {factor})",
                    pictures.dims()
                ),
                expected: "(batch, channels, height, width) with sides that are multiples of the VAE's factor",
            });
        }
        let moments = self.by_slice(pictures, |x| match &self.tiling {
            Some(tiling) if tiling.exceeded_by_picture(x) => tiling.encode(x, |tile| self.moments(tile)),
            _ => self.moments(x),
        })?;
        Ok(Posterior::new(&moments)?)
    }

    /// Decodes latents (batch, latent channels, height / 8, width / 8) to pictures, about [-1, 1], not clamped.
    ///
    /// # Errors
    /// [`ModelError::Input`] for other channels, and failures of the device.
    pub fn decode(&self, latents: &Tensor) -> Result<Tensor> {
        if !matches!(*latents.dims(), [batch, c, h, w]
            if batch * h * w > 0 && c == self.config.latent_channels)
        {
            return Err(ModelError::Input {
                found: format!("latents of shape {:?}", latents.dims()),
                expected: "(batch, latent channels, height, width)",
            });
        }
        self.by_slice(latents, |z| match &self.tiling {
            Some(tiling) if tiling.exceeded_by_latent(z) => tiling.decode(z, |tile| self.picture(tile)),
            _ => self.picture(z),
        })
    }

    fn by_slice(&self, x: &Tensor, run: impl Fn(&Tensor) -> Result<Tensor>) -> Result<Tensor> {
        let batch = x.dim(0)?;
        if !self.slicing || batch == 1 {
            return run(x);
        }
        let slices = (0..batch).map(|i| run(&x.narrow(0, i, 1)?)).collect::<Result<Vec<_>>>()?;
        Ok(Tensor::cat(&slices, 0)?)
    }

    fn moments(&self, pictures: &Tensor) -> Result<Tensor> {
        let moments = self.encoder.forward(pictures)?;
        self.quant.as_ref().map_or(Ok(moments.clone()), |conv| conv.forward(&moments))
    }

    fn picture(&self, latents: &Tensor) -> Result<Tensor> {
        let latents = self.post_quant.as_ref().map_or(Ok(latents.clone()), |conv| conv.forward(latents))?;
        self.decoder.forward(&latents)
    }
}
