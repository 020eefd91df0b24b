//! The CLIP image encoder: its tower, which LLaVA sees pictures with (`CLIPVisionModel`), and the tower with its projection,
//! which IP-Adapter does (`CLIPVisionModelWithProjection`).

use candle_core::{DType, Device, Module, Tensor};
use candle_nn::{LayerNorm, Linear};
use serde::Deserialize;

use super::encoder::{Activation, LayerNames, Size, Transformer};
use crate::layers::{TrainableNorm, layer_norm, linear_no_bias};
use crate::patches::Patches;
use crate::tensors::{Source, Weights};
use crate::{ModelError, Result};

/// What a checkpoint calls the parts of the tower.
struct TowerNames {
    class: &'static str,
    patches: &'static str,
    positions: &'static str,
    norm_in: &'static str,
    transformer: &'static str,
    layers: LayerNames,
}

impl TowerNames {
    const TRANSFORMERS: Self = Self {
        class: "embeddings.class_embedding",
        patches: "embeddings.patch_embedding",
        positions: "embeddings.position_embedding.weight",
        norm_in: "pre_layrnorm", // misspelt on purpose: so are the checkpoints
        transformer: "encoder",
        layers: LayerNames::TRANSFORMERS,
    };
    const OPEN_CLIP: Self = Self {
        class: "class_embedding",
        patches: "conv1",
        positions: "positional_embedding",
        norm_in: "ln_pre",
        transformer: "transformer",
        layers: LayerNames::OPEN_CLIP,
    };
}

/// `config.json` of an image encoder; what it leaves out has the default of `transformers`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct VisionConfig {
    /// Width of the transformer: 1280 in IP-Adapter's encoder.
    pub hidden_size: usize,
    /// Width inside the MLPs.
    pub intermediate_size: usize,
    /// Width of the projected embedding: 1024 in IP-Adapter's encoder.
    pub projection_dim: usize,
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
}

impl Default for VisionConfig {
    fn default() -> Self {
        Self {
            hidden_size: 768,
            intermediate_size: 3072,
            projection_dim: 512,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            num_channels: 3,
            image_size: 224,
            patch_size: 32,
            hidden_act: Activation::QuickGelu,
            layer_norm_eps: 1e-5,
        }
    }
}

impl VisionConfig {
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

    /// Tokens of a picture: its patches and the class token.
    pub const fn tokens(&self) -> usize {
        let side = self.image_size / self.patch_size;
        side * side + 1
    }

    fn fault(&self) -> Option<String> {
        let Self { image_size, patch_size, .. } = *self;
        if patch_size == 0 || image_size < patch_size {
            return Some(format!(
                "a picture of image_size {image_size} has no patch of patch_size {patch_size}"
            ));
        }
        self.size().fault()
    }
}

/// What an image encoder makes of a batch.
pub struct VisionOutput {
    /// The projected embeddings, (batch, projection): what IP-Adapter takes.
    pub image_embeds: Tensor,
    /// The input and every layer's output, (batch, tokens, hidden), the class token first.
    pub hidden_states: Vec<Tensor>,
}

impl VisionOutput {
    /// The output of the last layer but one, (batch, tokens, hidden): what IP-Adapter Plus takes.
    pub fn penultimate(&self) -> &Tensor {
        // There are at least two: a transformer has a layer.
        &self.hidden_states[self.hidden_states.len() - 2]
    }
}

/// The layers between pixels and hidden states.
pub struct VisionTower {
    config: VisionConfig,
    class: Tensor,
    patches: Patches,
    positions: Tensor,
    norm_in: TrainableNorm,
    transformer: Transformer,
}

impl VisionTower {
    /// The device that it is on.
    pub fn device(&self) -> &Device {
        self.class.device()
    }

    /// The element type that it computes in.
    pub fn dtype(&self) -> DType {
        self.class.dtype()
    }

    /// Builds the first `layers` layers of an encoder from the place that holds `embeddings`, `pre_layrnorm` and `encoder`.
    ///
    /// # Errors
    /// [`ModelError::Unfit`] for a configuration that describes no encoder, or one of fewer layers; what the weights lack is
    /// told by [`Source::finish`].
    pub fn load(weights: &Weights, config: &VisionConfig, layers: usize) -> Result<Self> {
        Self::load_named(weights, config, layers, &TowerNames::TRANSFORMERS)
    }

    fn load_named(
        weights: &Weights,
        config: &VisionConfig,
        layers: usize,
        names: &TowerNames,
    ) -> Result<Self> {
        let few = (layers > config.num_hidden_layers).then(|| {
            format!("layer {layers} is asked for, and num_hidden_layers is {}", config.num_hidden_layers)
        });
        if let Some(reason) = config.fault().or(few) {
            return Err(ModelError::Unfit { label: weights.label().to_owned(), reason });
        }
        let size = Size { layers, ..config.size() };
        let (hidden, patches) = (size.hidden, weights.pp(names.patches));
        Ok(Self {
            class: weights.get(names.class, &[hidden])?,
            patches: Patches::load(hidden, config.num_channels, config.patch_size, false, &patches)?,
            positions: weights.get(names.positions, &[config.tokens(), hidden])?,
            norm_in: TrainableNorm::load(hidden, size.eps, &weights.pp(names.norm_in))?,
            transformer: Transformer::load_named(&size, &names.layers, &weights.pp(names.transformer))?,
            config: config.clone(),
        })
    }

    /// Its configuration.
    pub const fn config(&self) -> &VisionConfig {
        &self.config
    }

    /// The input and every layer's output, (batch, tokens, hidden), the class token first, for pictures as
    /// [`super::preprocess`] prepares them: (batch, channels, side, side).
    ///
    /// # Errors
    /// [`ModelError::Input`] for another shape, and failures of the device.
    pub fn forward(&self, pictures: &Tensor) -> Result<Vec<Tensor>> {
        self.states(pictures, |_| true)
    }

    /// As [`VisionTower::forward`], but only the states whose number `is_wanted`, in their order; 0 is the first layer's input.
    ///
    /// # Errors
    /// As [`VisionTower::forward`].
    pub fn states(&self, pictures: &Tensor, is_wanted: impl Fn(usize) -> bool) -> Result<Vec<Tensor>> {
        let VisionConfig { num_channels, image_size, .. } = self.config;
        if !matches!(*pictures.dims(), [batch, c, h, w] if batch > 0 && c == num_channels && h == image_size && w == image_size)
        {
            return Err(ModelError::Input {
                found: format!("pictures of shape {:?}, for a side of {image_size}", pictures.dims()),
                expected: "(batch, channels, side, side) with the side of the encoder's configuration",
            });
        }
        let batch = pictures.dim(0)?;
        let pictures = pictures.to_dtype(self.class.dtype())?;
        let (patches, _) = self.patches.forward(&pictures)?;
        let class = self.class.reshape((1, 1, ()))?.repeat((batch, 1, 1))?;
        let tokens = Tensor::cat(&[class, patches], 1)?.broadcast_add(&self.positions)?;
        Ok(self.transformer.states(self.norm_in.forward(&tokens)?, None, is_wanted)?)
    }
}

/// An image encoder with its projection.
pub struct VisionEncoder {
    tower: VisionTower,
    norm_out: LayerNorm,
    projection: Linear,
}

impl VisionEncoder {
    /// Builds it from `source`, which may be a whole CLIP: the tensors of its text encoder are left alone. Names are taken
    /// with the prefix `vision_model.` and without.
    ///
    /// # Errors
    /// [`ModelError::Keys`], [`ModelError::Shape`] or [`ModelError::Value`] for a source that is no such encoder, and
    /// [`ModelError::Unfit`] for a configuration that describes none.
    pub fn load(source: &Source, config: &VisionConfig) -> Result<Self> {
        let (size, root) = (config.size(), source.weights());
        let prefixed = root.has("vision_model.embeddings.class_embedding");
        let weights = if prefixed { root.pp("vision_model") } else { root.clone() };
        let encoder = Self {
            tower: VisionTower::load(&weights, config, config.num_hidden_layers)?,
            norm_out: layer_norm(size.hidden, size.eps, &weights.pp("post_layernorm"))?,
            projection: linear_no_bias(size.hidden, config.projection_dim, &root.pp("visual_projection"))?,
        };
        source.finish("a CLIP image encoder with projection", |name| {
            name.ends_with("position_ids") || name.starts_with("text_") || name == "logit_scale"
        })?;
        Ok(encoder)
    }

    /// Builds it from an OpenCLIP model in that code's own names (`visual.*`), whose text encoder is left alone. A checkpoint
    /// of a distributed training has `module.` before them.
    ///
    /// # Errors
    /// As [`VisionEncoder::load`].
    pub fn load_open_clip(source: &Source, config: &VisionConfig) -> Result<Self> {
        let (size, root) = (config.size(), source.weights());
        let trained = root.has("module.visual.class_embedding");
        let weights = if trained { root.pp("module").pp("visual") } else { root.pp("visual") };
        // Kept as what the features are multiplied by, where a linear layer keeps the transpose.
        let projection = weights.get("proj", &[size.hidden, config.projection_dim])?.t()?.contiguous()?;
        let names = &TowerNames::OPEN_CLIP;
        let encoder = Self {
            tower: VisionTower::load_named(&weights, config, config.num_hidden_layers, names)?,
            norm_out: layer_norm(size.hidden, size.eps, &weights.pp("ln_post"))?,
            projection: Linear::new(projection, None),
        };
        source.finish("an OpenCLIP image encoder", |name| {
            !name.trim_start_matches("module.").starts_with("visual.")
        })?;
        Ok(encoder)
    }

    /// Its configuration.
    pub const fn config(&self) -> &VisionConfig {
        self.tower.config()
    }

    /// Encodes pictures as [`super::preprocess`] prepares them: (batch, channels, side, side).
    ///
    /// # Errors
    /// [`ModelError::Input`] for another shape, and failures of the device.
    pub fn forward(&self, pictures: &Tensor) -> Result<VisionOutput> {
        let hidden_states = self.tower.forward(pictures)?;
        // There are at least two: a transformer has a layer.
        let last = &hidden_states[hidden_states.len() - 1];
        let class = self.norm_out.forward(&last.narrow(1, 0, 1)?.squeeze(1)?.contiguous()?)?;
        Ok(VisionOutput { image_embeds: self.projection.forward(&class)?, hidden_states })
    }
}
