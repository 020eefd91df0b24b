//! From the text of a `config.json` to what is built: the keys with diffusers' defaults, and all refusals.

use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{EncoderConfig, Level};
use crate::{ModelError, Result};

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
pub(super) struct Raw {
    pub(super) sample_size: Option<usize>,
    in_channels: usize,
    pub(super) out_channels: usize,
    down_block_types: Vec<String>,
    pub(super) up_block_types: Vec<String>,
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
    pub(super) conditioning_channels: usize,
    pub(super) conditioning_embedding_out_channels: Vec<usize>,
    pub(super) controlnet_conditioning_channel_order: String,
    pub(super) global_pool_conditions: bool,
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

pub(super) fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|source| ModelError::Read { path: path.to_owned(), source })
}

pub(super) fn config(path: &Path, reason: impl Into<String>) -> ModelError {
    ModelError::Config { path: path.to_owned(), reason: reason.into() }
}

pub(super) fn parse(text: &str, path: &Path) -> Result<(Raw, EncoderConfig)> {
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

pub(super) fn kinds(
    types: &[String],
    key: &str,
    attends: &str,
    plain: &str,
    path: &Path,
) -> Result<Vec<bool>> {
    let kind = |name: &String| match name.as_str() {
        n if n == attends => Ok(true),
        n if n == plain => Ok(false),
        other => Err(config(path, format!("{key} has {other}; known are {attends} and {plain}"))),
    };
    types.iter().map(kind).collect()
}
