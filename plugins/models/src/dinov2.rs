//! DINOv2, with and without registers: an image encoder whose features keep to what people see better than those of Inception
//! (Stein et al. 2023), and the class token of which Fréchet distances are computed on.
//!
//! Oquab et al., "DINOv2: Learning Robust Visual Features without Supervision" (arXiv 2304.07193); Darcet et al., "Vision Transformers
//! Need Registers" (arXiv 2309.16588). Names and numbers are those of the files that `transformers` publishes (`Dinov2Model`,
//! `Dinov2WithRegistersModel`).

use candle_core::{DType, Device, Module, Tensor};
use candle_nn::{LayerNorm, Linear};
use serde::Deserialize;

use crate::attention::Attention;
use crate::clip::{Activation, Mlp};
use crate::layers::{layer_norm, linear};
use crate::patches::Patches;
use crate::positions::{self, Interpolation};
use crate::tensors::{Source, Weights};
use crate::{ModelError, Result};

/// `config.json`; what it leaves out has the default of `transformers`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct Dinov2Config {
    /// `dinov2` or `dinov2_with_registers`.
    pub model_type: String,
    /// Width of the transformer: 384, 768, 1024 and 1536 from small to giant.
    pub hidden_size: usize,
    /// Number of layers.
    pub num_hidden_layers: usize,
    /// Number of attention heads, a divisor of `hidden_size`.
    pub num_attention_heads: usize,
    /// Width inside the MLPs, in widths of the transformer.
    pub mlp_ratio: usize,
    /// The MLPs' activation.
    pub hidden_act: Activation,
    /// Whether the MLPs are gated, as in the giant one.
    pub use_swiglu_ffn: bool,
    /// Epsilon of the layer norms.
    pub layer_norm_eps: f64,
    /// Side in pixels of the pictures that positions were learned for: 518.
    pub image_size: usize,
    /// Side of a patch in pixels.
    pub patch_size: usize,
    /// Channels of a picture.
    pub num_channels: usize,
    /// Whether query, key and value have a bias; only true is known.
    pub qkv_bias: bool,
    /// Registers, in a model that has them.
    pub num_register_tokens: usize,
}

impl Default for Dinov2Config {
    fn default() -> Self {
        Self {
            model_type: "dinov2".to_owned(),
            hidden_size: 768,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            mlp_ratio: 4,
            hidden_act: Activation::Gelu,
            use_swiglu_ffn: false,
            layer_norm_eps: 1e-6,
            image_size: 224,
            patch_size: 14,
            num_channels: 3,
            qkv_bias: true,
            num_register_tokens: 4,
        }
    }
}

impl Dinov2Config {
    fn has_registers(&self) -> bool {
        self.model_type == "dinov2_with_registers"
    }

    fn fault(&self) -> Option<String> {
        let Self { hidden_size, num_attention_heads: heads, patch_size, image_size, .. } = *self;
        if !["dinov2", "dinov2_with_registers"].contains(&self.model_type.as_str()) {
            return Some(format!("model_type is {}, not dinov2 or dinov2_with_registers", self.model_type));
        }
        if heads == 0 || !hidden_size.is_multiple_of(heads) {
            return Some(format!(
                "hidden_size {hidden_size} cannot be shared among num_attention_heads {heads}"
            ));
        }
        if patch_size == 0 || image_size < patch_size {
            return Some(format!(
                "a picture of image_size {image_size} has no patch of patch_size {patch_size}"
            ));
        }
        (!self.qkv_bias).then(|| "qkv_bias is false, which no published DINOv2 has".to_owned())
    }

    /// Patches along a side of what positions were learned for.
    fn side(&self) -> usize {
        self.image_size / self.patch_size
    }

    /// Width inside a gated MLP: two thirds, rounded up to eights.
    fn gated_width(&self) -> usize {
        (self.hidden_size * self.mlp_ratio * 2 / 3).next_multiple_of(8)
    }
}

/// DINOv2 with loaded weights.
pub struct Dinov2 {
    config: Dinov2Config,
    patches: Patches,
    class: Tensor,
    positions: Tensor,
    registers: Option<Tensor>,
    layers: Vec<Layer>,
    norm: LayerNorm,
}

impl Dinov2 {
    /// Builds it from `source`, which may be a model with a head of classes: that is left alone.
    ///
    /// # Errors
    /// [`ModelError::Keys`], [`ModelError::Shape`] or [`ModelError::Value`] for a source that is no such encoder, and
    /// [`ModelError::Unfit`] for a configuration that describes none.
    pub fn load(source: &Source, config: &Dinov2Config) -> Result<Self> {
        if let Some(reason) = config.fault() {
            return Err(ModelError::Unfit { label: source.label().to_owned(), reason });
        }
        let root = source.weights();
        let prefixed = root.has(&format!("{}.embeddings.cls_token", config.model_type));
        let weights = if prefixed { root.pp(&config.model_type) } else { root };
        let (hidden, embeddings) = (config.hidden_size, weights.pp("embeddings"));
        let count = config.side() * config.side() + 1;
        let projection = embeddings.pp("patch_embeddings.projection");
        let layers = weights.pp("encoder.layer");
        let registers = config
            .has_registers()
            .then(|| embeddings.get("register_tokens", &[1, config.num_register_tokens, hidden]));
        let model = Self {
            patches: Patches::load(hidden, config.num_channels, config.patch_size, true, &projection)?,
            class: embeddings.get("cls_token", &[1, 1, hidden])?,
            positions: embeddings.get("position_embeddings", &[1, count, hidden])?,
            registers: registers.transpose()?,
            layers: (0..config.num_hidden_layers)
                .map(|number| Layer::load(config, &layers.pp(number)))
                .collect::<Result<_>>()?,
            norm: layer_norm(hidden, config.layer_norm_eps, &weights.pp("layernorm"))?,
            config: config.clone(),
        };
        source.finish("a DINOv2", |name| name.ends_with("mask_token") || name.starts_with("classifier."))?;
        Ok(model)
    }

    /// Its configuration.
    pub const fn config(&self) -> &Dinov2Config {
        &self.config
    }

    /// The device that it is on.
    pub fn device(&self) -> &Device {
        self.class.device()
    }

    /// All tokens behind the last norm, (batch, tokens, hidden): the class token first, then registers, then patches. `pictures`:
    /// (batch, channels, height, width) of at least one patch, of any size.
    ///
    /// # Errors
    /// [`ModelError::Input`] for another shape, and failures of the device.
    pub fn forward(&self, pictures: &Tensor) -> Result<Tensor> {
        let Dinov2Config { num_channels, patch_size, .. } = self.config;
        if !matches!(*pictures.dims(), [batch, c, h, w] if batch > 0 && c == num_channels && h.min(w) >= patch_size)
        {
            return Err(ModelError::Input {
                found: format!("pictures of shape {:?}, for patches of {patch_size}", pictures.dims()),
                expected: "(batch, channels, height, width) of at least one patch",
            });
        }
        let (patches, grid) = self.patches.forward(&pictures.to_dtype(self.class.dtype())?)?;
        let batch = patches.dim(0)?;
        let tokens = Tensor::cat(&[self.class.repeat((batch, 1, 1))?, patches], 1)?;
        let mut x = tokens.broadcast_add(&self.positions(grid)?)?;
        if let Some(registers) = &self.registers {
            let (class, patches) = (x.narrow(1, 0, 1)?, x.narrow(1, 1, x.dim(1)? - 1)?);
            x = Tensor::cat(&[class, registers.repeat((batch, 1, 1))?, patches], 1)?;
        }
        for layer in &self.layers {
            x = layer.forward(&x)?;
        }
        Ok(self.norm.forward(&x)?)
    }

    /// The class token behind the last norm, (batch, hidden) in float32.
    ///
    /// # Errors
    /// As [`Dinov2::forward`].
    pub fn features(&self, pictures: &Tensor) -> Result<Tensor> {
        Ok(self.forward(pictures)?.narrow(1, 0, 1)?.squeeze(1)?.to_dtype(DType::F32)?)
    }

    /// Positions of the class token and a grid of patches, (1, 1 + rows * columns, hidden).
    fn positions(&self, grid: [usize; 2]) -> Result<Tensor> {
        let how = if self.registers.is_some() { Interpolation::Antialiased } else { Interpolation::Bicubic };
        let (class, table) =
            (self.positions.narrow(1, 0, 1)?, self.positions.narrow(1, 1, self.positions.dim(1)? - 1)?);
        let table = positions::resized(&table.squeeze(0)?.contiguous()?, self.config.side(), grid, how)?;
        Ok(Tensor::cat(&[class, table.unsqueeze(0)?], 1)?)
    }
}

struct Layer {
    norm1: LayerNorm,
    attention: Attention,
    scale1: Tensor,
    norm2: LayerNorm,
    feed_forward: FeedForward,
    scale2: Tensor,
}

impl Layer {
    fn load(config: &Dinov2Config, weights: &Weights) -> Result<Self> {
        const NAMES: [&str; 4] = ["attention.query", "attention.key", "attention.value", "output.dense"];
        let (hidden, eps) = (config.hidden_size, config.layer_norm_eps);
        Ok(Self {
            norm1: layer_norm(hidden, eps, &weights.pp("norm1"))?,
            attention: Attention::load(hidden, config.num_attention_heads, NAMES, &weights.pp("attention"))?,
            scale1: weights.pp("layer_scale1").get("lambda1", &[hidden])?,
            norm2: layer_norm(hidden, eps, &weights.pp("norm2"))?,
            feed_forward: FeedForward::load(config, &weights.pp("mlp"))?,
            scale2: weights.pp("layer_scale2").get("lambda1", &[hidden])?,
        })
    }

    fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        let seen = self.norm1.forward(x)?;
        let x = (x + self.attention.forward(&seen, &seen, None)?.broadcast_mul(&self.scale1)?)?;
        let fed = self.feed_forward.forward(&self.norm2.forward(&x)?)?;
        x + fed.broadcast_mul(&self.scale2)?
    }
}

enum FeedForward {
    Plain(Mlp),
    /// The first half of the inner layer, through SiLU, times the second.
    Gated {
        inner: Linear,
        outer: Linear,
    },
}

impl FeedForward {
    fn load(config: &Dinov2Config, weights: &Weights) -> Result<Self> {
        let hidden = config.hidden_size;
        if !config.use_swiglu_ffn {
            return Ok(Self::Plain(Mlp::load(
                hidden,
                hidden * config.mlp_ratio,
                config.hidden_act,
                weights,
            )?));
        }
        let width = config.gated_width();
        let inner = linear(hidden, 2 * width, &weights.pp("weights_in"))?;
        Ok(Self::Gated { inner, outer: linear(width, hidden, &weights.pp("weights_out"))? })
    }

    fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        match self {
            Self::Plain(mlp) => mlp.forward(x),
            Self::Gated { inner, outer } => {
                let halves = inner.forward(x)?.chunk(2, candle_core::D::Minus1)?;
                outer.forward(&(halves[0].silu()? * &halves[1])?)
            }
        }
    }
}
