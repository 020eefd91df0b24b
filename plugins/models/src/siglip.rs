//! SigLIP's image encoder: a tower of CLIP's layers without a class token, and a head that pools the patches by attention.
//!
//! Zhai et al., "Sigmoid Loss for Language Image Pre-Training" (arXiv 2303.15343). Names and numbers are those of `transformers`
//! (`SiglipVisionModel`), which SigLIP 2 of a fixed resolution shares.

use candle_core::{DType, Device, Module, Tensor};
use candle_nn::LayerNorm;
use serde::Deserialize;

use crate::attention::Attention;
use crate::clip::{Activation, Mlp, Size, Transformer};
use crate::layers::layer_norm;
use crate::patches::Patches;
use crate::tensors::{Source, Weights};
use crate::{ModelError, Result};

/// `config.json` of an image encoder, or `vision_config` in that of a whole SigLIP; what it leaves out has the default of
/// `transformers`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct SiglipVisionConfig {
    /// Width of the transformer.
    pub hidden_size: usize,
    /// Width inside the MLPs.
    pub intermediate_size: usize,
    /// Number of layers.
    pub num_hidden_layers: usize,
    /// Number of attention heads, a divisor of `hidden_size`.
    pub num_attention_heads: usize,
    /// Channels of a picture.
    pub num_channels: usize,
    /// Side of a picture in pixels.
    pub image_size: usize,
    /// Side of a patch in pixels.
    pub patch_size: usize,
    /// The MLPs' activation.
    pub hidden_act: Activation,
    /// Epsilon of the layer norms.
    pub layer_norm_eps: f64,
    /// Whether there is a head; without one there are no pooled features.
    pub vision_use_head: bool,
}

impl Default for SiglipVisionConfig {
    fn default() -> Self {
        Self {
            hidden_size: 768,
            intermediate_size: 3072,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            num_channels: 3,
            image_size: 224,
            patch_size: 16,
            hidden_act: Activation::GeluTanh,
            layer_norm_eps: 1e-6,
            vision_use_head: true,
        }
    }
}

impl SiglipVisionConfig {
    fn size(&self) -> Size {
        Size {
            hidden: self.hidden_size,
            intermediate: self.intermediate_size,
            layers: self.num_hidden_layers,
            heads: self.num_attention_heads,
            eps: self.layer_norm_eps,
            activation: self.hidden_act,
        }
    }

    fn fault(&self) -> Option<String> {
        let Self { image_size, patch_size, .. } = *self;
        if patch_size == 0 || image_size < patch_size {
            return Some(format!(
                "a picture of image_size {image_size} has no patch of patch_size {patch_size}"
            ));
        }
        if !self.vision_use_head {
            return Some("vision_use_head is false: without a head there are no pooled features".to_owned());
        }
        self.size().fault()
    }
}

/// SigLIP's image encoder with loaded weights.
pub struct SiglipVision {
    config: SiglipVisionConfig,
    patches: Patches,
    positions: Tensor,
    transformer: Transformer,
    norm_out: LayerNorm,
    head: Head,
}

impl SiglipVision {
    /// Builds it from `source`, which may be a whole SigLIP: the tensors of its text encoder are left alone. Names are taken with
    /// the prefix `vision_model.` and without.
    ///
    /// # Errors
    /// [`ModelError::Keys`], [`ModelError::Shape`] or [`ModelError::Value`] for a source that is no such encoder, and
    /// [`ModelError::Unfit`] for a configuration that describes none.
    pub fn load(source: &Source, config: &SiglipVisionConfig) -> Result<Self> {
        if let Some(reason) = config.fault() {
            return Err(ModelError::Unfit { label: source.label().to_owned(), reason });
        }
        let root = source.weights();
        let prefixed = root.has("vision_model.embeddings.patch_embedding.weight");
        let weights = if prefixed { root.pp("vision_model") } else { root };
        let (size, embeddings) = (config.size(), weights.pp("embeddings"));
        let (hidden, side) = (size.hidden, config.image_size / config.patch_size);
        let patch = embeddings.pp("patch_embedding");
        let model = Self {
            patches: Patches::load(hidden, config.num_channels, config.patch_size, true, &patch)?,
            positions: embeddings.get("position_embedding.weight", &[side * side, hidden])?,
            transformer: Transformer::load(&size, &weights.pp("encoder"))?,
            norm_out: layer_norm(hidden, size.eps, &weights.pp("post_layernorm"))?,
            head: Head::load(&size, &weights.pp("head"))?,
            config: config.clone(),
        };
        source.finish("a SigLIP image encoder", |name| {
            name.ends_with("position_ids") || name.starts_with("text_") || name.starts_with("logit_")
        })?;
        Ok(model)
    }

    /// Its configuration.
    pub const fn config(&self) -> &SiglipVisionConfig {
        &self.config
    }

    /// The device that it is on.
    pub fn device(&self) -> &Device {
        self.positions.device()
    }

    /// Pooled features, (batch, hidden) in float32, of (batch, channels, side, side) pictures.
    ///
    /// # Errors
    /// [`ModelError::Input`] for another shape, and failures of the device.
    pub fn features(&self, pictures: &Tensor) -> Result<Tensor> {
        let SiglipVisionConfig { num_channels, image_size, .. } = self.config;
        if !matches!(*pictures.dims(), [batch, c, h, w] if batch > 0 && c == num_channels && h == image_size && w == image_size)
        {
            return Err(ModelError::Input {
                found: format!("pictures of shape {:?}, for a side of {image_size}", pictures.dims()),
                expected: "(batch, channels, side, side) with the side of the encoder's configuration",
            });
        }
        let (patches, _) = self.patches.forward(&pictures.to_dtype(self.positions.dtype())?)?;
        let tokens = patches.broadcast_add(&self.positions)?;
        let mut states =
            self.transformer.states(tokens, None, |number| number == self.config.num_hidden_layers)?;
        // The state behind the last layer is the only one that was asked for.
        let last = self.norm_out.forward(&states.remove(0))?;
        Ok(self.head.forward(&last)?.to_dtype(DType::F32)?)
    }
}

/// One learned token asks all patches.
struct Head {
    probe: Tensor,
    attention: Attention,
    norm: LayerNorm,
    mlp: Mlp,
}

impl Head {
    fn load(size: &Size, weights: &Weights) -> Result<Self> {
        Ok(Self {
            probe: weights.get("probe", &[1, 1, size.hidden])?,
            attention: Attention::load_packed(size.hidden, size.heads, &weights.pp("attention"))?,
            norm: layer_norm(size.hidden, size.eps, &weights.pp("layernorm"))?,
            mlp: Mlp::load(size.hidden, size.intermediate, size.activation, &weights.pp("mlp"))?,
        })
    }

    /// (batch, patches, hidden) to (batch, hidden).
    fn forward(&self, patches: &Tensor) -> candle_core::Result<Tensor> {
        let probe = self.probe.repeat((patches.dim(0)?, 1, 1))?;
        let x = self.attention.forward(&probe, patches, None)?;
        let x = (&x + self.mlp.forward(&self.norm.forward(&x)?)?)?;
        x.squeeze(1)
    }
}
