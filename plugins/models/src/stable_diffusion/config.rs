//! The published `config.json` of a UNet or a ControlNet: what is built from it, and what is refused.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{ModelError, Result};

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
    /// [`ModelError::Read`] for a file that cannot be read, [`ModelError::Config`] for a network of another kind.
    pub fn read(path: &Path) -> Result<Self> {
        Self::parse(&read(path)?, path)
    }

    /// Parses the text of a `config.json`; `path` is what messages name.
    ///
    /// # Errors
    /// [`ModelError::Config`], naming the key at fault.
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
    /// [`ModelError::Read`] for a file that cannot be read, [`ModelError::Config`] for a network of another kind.
    pub fn read(path: &Path) -> Result<Self> {
        Self::parse(&read(path)?, path)
    }

    /// Parses the text of a `config.json`; `path` is what messages name.
    ///
    /// # Errors
    /// [`ModelError::Config`], naming the key at fault.
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
    /// [`ModelError::Config`] that says of which base this network is.
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

/// One value for all levels, or one for each.
#[derive(Deserialize, Clone)]
#[serde(untagged)]
enum PerLevel {
    All(usize),
    Each(Vec<usize>),
}

impl PerLevel {
    fn spread(&self, count: usize, key: &str, path: &Path) -> Result<Vec<usize>> {
        match self {
            Self::All(value) => Ok(vec![*value; count]),
            Self::Each(values) if values.len() == count => Ok(values.clone()),
            Self::Each(values) => {
                let reason =
                    format!("{key} has {} values, but there are {count} block_out_channels", values.len());
                Err(config(path, reason))
            }
        }
    }
}

/// The keys that are read, with the defaults of diffusers.
#[derive(Deserialize)]
#[serde(default)]
struct Raw {
    sample_size: Option<usize>,
    in_channels: usize,
    out_channels: usize,
    down_block_types: Vec<String>,
    up_block_types: Vec<String>,
    mid_block_type: String,
    block_out_channels: Vec<usize>,
    layers_per_block: PerLevel,
    transformer_layers_per_block: PerLevel,
    attention_head_dim: PerLevel,
    num_attention_heads: Option<PerLevel>,
    cross_attention_dim: PerLevel,
    norm_num_groups: usize,
    norm_eps: f64,
    use_linear_projection: bool,
    upcast_attention: bool,
    flip_sin_to_cos: bool,
    freq_shift: f64,
    time_cond_proj_dim: Option<usize>,
    conditioning_channels: usize,
    conditioning_embedding_out_channels: Vec<usize>,
    controlnet_conditioning_channel_order: String,
    global_pool_conditions: bool,
}

impl Default for Raw {
    fn default() -> Self {
        let strings = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect();
        let (down, up) = ("CrossAttnDownBlock2D", "CrossAttnUpBlock2D");
        Self {
            sample_size: None,
            in_channels: 4,
            out_channels: 4,
            down_block_types: strings(&[down, down, down, "DownBlock2D"]),
            up_block_types: strings(&["UpBlock2D", up, up, up]),
            mid_block_type: "UNetMidBlock2DCrossAttn".to_owned(),
            block_out_channels: vec![320, 640, 1280, 1280],
            layers_per_block: PerLevel::All(2),
            transformer_layers_per_block: PerLevel::All(1),
            attention_head_dim: PerLevel::All(8),
            num_attention_heads: None,
            cross_attention_dim: PerLevel::All(1280),
            norm_num_groups: 32,
            norm_eps: 1e-5,
            use_linear_projection: false,
            upcast_attention: false,
            flip_sin_to_cos: true,
            freq_shift: 0.0,
            time_cond_proj_dim: None,
            conditioning_channels: 3,
            conditioning_embedding_out_channels: vec![16, 32, 96, 256],
            controlnet_conditioning_channel_order: "rgb".to_owned(),
            global_pool_conditions: false,
        }
    }
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|source| ModelError::Read { path: path.to_owned(), source })
}

fn config(path: &Path, reason: impl Into<String>) -> ModelError {
    ModelError::Config { path: path.to_owned(), reason: reason.into() }
}

fn parse(text: &str, path: &Path) -> Result<(Raw, EncoderConfig)> {
    let unreadable = |e: serde_json::Error| config(path, format!("not a network's configuration: {e}"));
    let mut keys: Map<String, Value> = serde_json::from_str(text).map_err(unreadable)?;
    refuse(&keys, path)?;
    // A null stands for the default, as an absent key does.
    keys.retain(|_, value| !value.is_null());
    let raw: Raw = serde_json::from_value(Value::Object(keys)).map_err(unreadable)?;
    let encoder = encoder(&raw, path)?;
    Ok((raw, encoder))
}

/// Refuses what would make another network: every key that Stable Diffusion 1 leaves at its neutral value.
fn refuse(keys: &Map<String, Value>, path: &Path) -> Result<()> {
    let given = |key: &str| keys.get(key).filter(|v| !v.is_null());
    if given("addition_embed_type").is_some_and(|v| v == "text_time") {
        let reason = "this is an SDXL UNet or ControlNet (addition_embed_type is text_time); \
                      take a checkpoint of Stable Diffusion 1.5";
        return Err(config(path, reason));
    }
    if let Some(class) = given("_class_name").and_then(Value::as_str)
        && !["UNet2DConditionModel", "ControlNetModel"].contains(&class)
    {
        let reason = format!("_class_name is {class}, expected UNet2DConditionModel or ControlNetModel");
        return Err(config(path, reason));
    }
    for (key, neutral) in neutral_values() {
        let changes_nothing = |found: &Value| neutral.iter().any(|v| same(v, found));
        if let Some(found) = given(key)
            && !changes_nothing(found)
            && !found.as_array().is_some_and(|levels| levels.iter().all(changes_nothing))
        {
            let wanted = neutral.first().map_or("null".to_owned(), Value::to_string);
            let reason =
                format!("{key} is {found}, which Stable Diffusion 1.5 has not; only {wanted} is supported");
            return Err(config(path, reason));
        }
    }
    Ok(())
}

/// The values of a key that change nothing. None but null where the list is empty.
fn neutral_values() -> [(&'static str, Vec<Value>); 25] {
    let off = || vec![Value::from(false)];
    let number = |n: f64| vec![Value::from(n)];
    [
        ("act_fn", vec!["silu".into(), "swish".into()]),
        ("addition_embed_type", vec![]),
        ("attention_type", vec!["default".into()]),
        ("center_input_sample", off()),
        ("class_embed_type", vec![]),
        ("class_embeddings_concat", off()),
        ("conv_in_kernel", number(3.0)),
        ("conv_out_kernel", number(3.0)),
        ("cross_attention_norm", vec![]),
        ("downsample_padding", number(1.0)),
        ("dual_cross_attention", off()),
        ("encoder_hid_dim", vec![]),
        ("encoder_hid_dim_type", vec![]),
        ("mid_block_only_cross_attention", off()),
        ("mid_block_scale_factor", number(1.0)),
        ("num_class_embeds", vec![]),
        ("only_cross_attention", off()),
        ("resnet_out_scale_factor", number(1.0)),
        ("resnet_skip_time_act", off()),
        ("resnet_time_scale_shift", vec!["default".into()]),
        ("reverse_transformer_layers_per_block", vec![]),
        ("time_embedding_act_fn", vec![]),
        ("time_embedding_dim", vec![]),
        ("time_embedding_type", vec!["positional".into()]),
        ("timestep_post_act", vec![]),
    ]
}

fn same(a: &Value, b: &Value) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a == b,
        _ => a == b,
    }
}

fn encoder(raw: &Raw, path: &Path) -> Result<EncoderConfig> {
    let count = raw.block_out_channels.len();
    let attends =
        kinds(&raw.down_block_types, "down_block_types", "CrossAttnDownBlock2D", "DownBlock2D", path)?;
    if count == 0 || attends.len() != count {
        return Err(config(path, "down_block_types and block_out_channels are empty or differ in length"));
    }
    let mid_attends = match raw.mid_block_type.as_str() {
        "UNetMidBlock2DCrossAttn" => true,
        "UNetMidBlock2D" => false,
        other => {
            return Err(config(path, format!("mid_block_type {other} is not one of Stable Diffusion 1.5")));
        }
    };
    // Configurations say attention_head_dim and mean the number of heads; the key with the right name wins.
    let heads = raw.num_attention_heads.as_ref().unwrap_or(&raw.attention_head_dim);
    let heads = heads.spread(count, "attention_head_dim", path)?;
    let layers = raw.layers_per_block.spread(count, "layers_per_block", path)?;
    let transformers =
        raw.transformer_layers_per_block.spread(count, "transformer_layers_per_block", path)?;
    let widths = raw.cross_attention_dim.spread(count, "cross_attention_dim", path)?;
    let cross_attention_dim = widths.first().copied().unwrap_or_default();
    if widths.iter().any(|w| *w != cross_attention_dim) {
        return Err(config(path, "cross_attention_dim differs between levels, which is not supported"));
    }
    let levels = (0..count)
        .map(|i| Level {
            channels: raw.block_out_channels[i],
            layers: layers[i],
            heads: heads[i],
            transformers: transformers[i],
            attends: attends[i],
        })
        .collect::<Vec<_>>();
    let encoder = EncoderConfig {
        path: path.to_owned(),
        in_channels: raw.in_channels,
        levels,
        mid_attends,
        norm_groups: raw.norm_num_groups,
        norm_eps: raw.norm_eps,
        cross_attention_dim,
        linear_projection: raw.use_linear_projection,
        upcast_attention: raw.upcast_attention,
        flip_sin_to_cos: raw.flip_sin_to_cos,
        freq_shift: raw.freq_shift,
        time_cond_dim: raw.time_cond_proj_dim,
    };
    divisible(&encoder)?;
    Ok(encoder)
}

fn divisible(encoder: &EncoderConfig) -> Result<()> {
    for Level { channels, heads, .. } in &encoder.levels {
        let groups = encoder.norm_groups;
        if *heads == 0 || groups == 0 || channels % heads != 0 || channels % groups != 0 {
            let reason = format!(
                "{channels} block_out_channels are not divisible by {heads} heads (attention_head_dim) \
                 and {groups} groups (norm_num_groups)"
            );
            return Err(config(&encoder.path, reason));
        }
    }
    Ok(())
}

fn kinds(types: &[String], key: &str, attends: &str, plain: &str, path: &Path) -> Result<Vec<bool>> {
    let kind = |name: &String| match name.as_str() {
        n if n == attends => Ok(true),
        n if n == plain => Ok(false),
        other => Err(config(path, format!("{key} has {other}; known are {attends} and {plain}"))),
    };
    types.iter().map(kind).collect()
}

#[cfg(test)]
mod tests;
