//! `open_clip_config.json`: what OpenCLIP writes beside its weights, in the terms of the encoder and of what prepares its pictures.
//!
//! Ilharco et al., "OpenCLIP" (2021, doi 10.5281/zenodo.5143773); Cherti et al., "Reproducible scaling laws for contrastive
//! language-image learning" (arXiv 2212.07143). What a file leaves out has the default of PyPI `open_clip_torch`.

use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::Activation;
use super::preprocess::{Centre, Edges, ImageProcessor};
use super::vision::VisionConfig;
use crate::tensors::read_config;
use crate::{ModelError, Result};

/// The name that the code looks for.
pub const CONFIG_NAME: &str = "open_clip_config.json";

#[derive(Deserialize)]
struct File {
    model_cfg: Model,
    #[serde(default)]
    preprocess_cfg: Preprocess,
}

#[derive(Deserialize)]
struct Model {
    embed_dim: usize,
    #[serde(default)]
    quick_gelu: bool,
    vision_cfg: Vision,
}

#[derive(Deserialize)]
#[serde(default)]
struct Vision {
    layers: Value,
    width: usize,
    head_width: usize,
    mlp_ratio: f64,
    patch_size: usize,
    image_size: Side,
    #[serde(flatten)]
    others: Map<String, Value>,
}

impl Default for Vision {
    fn default() -> Self {
        Self {
            layers: Value::from(12),
            width: 768,
            head_width: 64,
            mlp_ratio: 4.0,
            patch_size: 16,
            image_size: Side::One(224),
            others: Map::new(),
        }
    }
}

/// Of a square in pixels.
#[derive(Clone, Copy, Deserialize)]
#[serde(untagged)]
enum Side {
    One(u32),
    Both([u32; 2]),
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Preprocess {
    mean: Option<[f32; 3]>,
    std: Option<[f32; 3]>,
    interpolation: Option<String>,
    resize_mode: Option<String>,
}

/// Settings of the image encoder that change nothing of what a trained model computes.
const HARMLESS: [&str; 8] = [
    "patch_dropout",
    "output_tokens",
    "timm_model_pretrained",
    "timm_pool",
    "timm_proj",
    "timm_proj_bias",
    "timm_drop",
    "timm_drop_path",
];

/// Settings that say, with these values, what is the case here anyhow.
const USUAL: [(&str, &str); 3] =
    [("pool_type", "tok"), ("pos_embed_type", "learnable"), ("block_type", "default")];

/// Reads the encoder's sizes and what is done with a picture.
///
/// # Errors
/// [`ModelError::Read`] and [`ModelError::Config`] for a file that cannot be read, and for an image encoder that is none of OpenCLIP's
/// own vision transformers: a ResNet, a model of timm, a pooling of another kind.
pub fn read(path: &Path) -> Result<(VisionConfig, ImageProcessor)> {
    let file: File = read_config(path)?;
    of(&file).map_err(|reason| ModelError::Config { path: path.to_owned(), reason })
}

fn of(file: &File) -> std::result::Result<(VisionConfig, ImageProcessor), String> {
    let vision = &file.model_cfg.vision_cfg;
    if let Some(name) = vision.others.get("timm_model_name").and_then(Value::as_str) {
        return Err(format!(
            "vision_cfg: timm_model_name is {name}; only OpenCLIP's own vision transformers are known"
        ));
    }
    let layers = vision.layers.as_u64().ok_or_else(|| {
        format!("vision_cfg: layers is {}: a ResNet; only vision transformers are known", vision.layers)
    })?;
    if let Some((key, value)) = vision.others.iter().find(|(key, value)| !is_usual(key, value)) {
        return Err(format!("vision_cfg: {key} = {value} is not known here"));
    }
    if vision.head_width == 0 {
        return Err("vision_cfg: head_width is 0".to_owned());
    }
    let side = match vision.image_size {
        Side::One(side) => side,
        Side::Both([height, width]) if height == width => height,
        Side::Both(both) => {
            return Err(format!("vision_cfg: image_size is {both:?}; only squares are known"));
        }
    };
    let config = VisionConfig {
        hidden_size: vision.width,
        // Cut off, as the code's `int` does.
        intermediate_size: (vision.width as f64 * vision.mlp_ratio) as usize,
        projection_dim: file.model_cfg.embed_dim,
        num_hidden_layers: layers as usize,
        num_attention_heads: vision.width / vision.head_width,
        num_channels: 3,
        image_size: side as usize,
        patch_size: vision.patch_size,
        hidden_act: if file.model_cfg.quick_gelu { Activation::QuickGelu } else { Activation::Gelu },
        layer_norm_eps: 1e-5,
    };
    Ok((config, processor(&file.preprocess_cfg, side)?))
}

fn is_usual(key: &str, value: &Value) -> bool {
    let is_off = value.is_null() || *value == false;
    is_off || HARMLESS.contains(&key) || USUAL.iter().any(|&(known, usual)| known == key && value == usual)
}

fn processor(stated: &Preprocess, side: u32) -> std::result::Result<ImageProcessor, String> {
    let usual = ImageProcessor::default();
    let square = Edges::Both { height: side, width: side };
    let (size, do_center_crop) = match stated.resize_mode.as_deref() {
        None | Some("shortest") => (Edges::Shortest { shortest_edge: side }, true),
        Some("squash") => (square, false),
        Some(other) => {
            return Err(format!("preprocess_cfg: resize_mode is {other}; shortest and squash are known"));
        }
    };
    Ok(ImageProcessor {
        size,
        do_center_crop,
        crop_size: square,
        centre: Centre::Nearest,
        resample: if stated.interpolation.as_deref() == Some("bilinear") { 2 } else { 3 },
        image_mean: stated.mean.unwrap_or(usual.image_mean),
        image_std: stated.std.unwrap_or(usual.image_std),
        ..usual
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn said(change: impl Fn(&mut Value)) -> std::result::Result<(VisionConfig, ImageProcessor), String> {
        let mut config = json!({
            "model_cfg": {
                "embed_dim": 1280,
                "vision_cfg": { "image_size": 224, "layers": 48, "width": 1664, "head_width": 104,
                                "mlp_ratio": 4.9231, "patch_size": 14 },
                "text_cfg": { "context_length": 77 },
            },
            "preprocess_cfg": { "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5] },
        });
        change(&mut config);
        of(&serde_json::from_value(config).expect("a configuration"))
    }

    /// The published sizes of ViT-bigG-14, the largest.
    #[test]
    fn sizes_and_means_are_read() {
        let (config, processor) = said(|_| {}).expect("a vision transformer");
        assert_eq!((config.num_attention_heads, config.intermediate_size), (16, 8192));
        assert_eq!((config.projection_dim, config.tokens()), (1280, 257));
        assert_eq!(config.hidden_act, Activation::Gelu);
        assert_eq!((processor.image_mean, processor.resample), ([0.5; 3], 3));
        let (config, _) = said(|c| c["model_cfg"]["quick_gelu"] = true.into()).expect("OpenAI's activation");
        assert_eq!(config.hidden_act, Activation::QuickGelu);
    }

    #[test]
    fn other_encoders_are_refused_by_name() {
        let vision = |key: &str, value: Value| {
            said(|c| c["model_cfg"]["vision_cfg"][key] = value.clone()).err().unwrap_or_default()
        };
        assert!(vision("timm_model_name", json!("vit_base_patch16_siglip_224")).contains("patch16_siglip"));
        assert!(vision("layers", json!([3, 4, 6, 3])).contains("layers is [3,4,6,3]: a ResNet"));
        assert!(vision("attentional_pool", json!(true)).contains("attentional_pool = true"));
        assert!(vision("pool_type", json!("avg")).contains("pool_type = \"avg\""));
        assert!(vision("image_size", json!([224, 336])).contains("only squares"));
        assert_eq!(vision("pool_type", json!("tok")) + &vision("patch_dropout", json!(0.5)), "");
        let longest = said(|c| c["preprocess_cfg"]["resize_mode"] = "longest".into()).err();
        assert!(longest.is_some_and(|reason| reason.contains("resize_mode is longest")));
    }
}
