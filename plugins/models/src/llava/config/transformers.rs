//! `LlavaConfig` and `LlavaNextConfig` of `transformers`.

use std::path::Path;

use serde_json::{Value, json};

use super::{ImageToken, LlavaConfig, layers, part, part_or, processor, unfit};
use crate::Result;
use crate::clip::Activation;
use crate::clip::vision::VisionConfig;
use crate::decoder::DecoderConfig;
use crate::llava::features::{FeaturesConfig, Select};
use crate::llava::grid::{Convention, Pinpoints};
use crate::llava::image::{Aspect, LlavaImageProcessor};
use crate::llava::pack::Merge;
use crate::llava::projector::ProjectorConfig;

/// What both classes assume.
const PINPOINTS: [[u32; 2]; 5] = [[336, 672], [672, 336], [672, 672], [1008, 336], [336, 1008]];

pub(super) fn read(dir: &Path, path: &Path, config: &Value) -> Result<LlavaConfig> {
    let kind = config["model_type"].as_str().unwrap_or("llava");
    if !matches!(kind, "llava" | "llava_next") {
        return Err(unfit(
            path,
            format!("model_type \"{kind}\" is not known; \"llava\" and \"llava_next\" are"),
        ));
    }
    let text = DecoderConfig::from_json(&text(config), path)?;
    let vision = vision(path, config)?;
    let found = processor::read(dir, vision.image_size as u32)?;
    let aspect = match kind {
        "llava_next" => {
            let pairs = part_or(path, config, "image_grid_pinpoints", PINPOINTS.to_vec())?;
            if found.pinpoints.as_ref().is_some_and(|other| *other != pairs) {
                let file = found.path.display();
                let reason = format!(
                    "image_grid_pinpoints are not those of {file}; take both files of one checkpoint"
                );
                return Err(unfit(path, reason));
            }
            let tile = vision.image_size as u32;
            Aspect::Anyres(Pinpoints::new(&pairs, tile, Convention::Transformers)?)
        }
        _ if found.pads => Aspect::Pad,
        _ => Aspect::Square,
    };
    let layers = layers(path, config, "vision_feature_layer")?;
    let features = FeaturesConfig {
        select: part_or(path, config, "vision_feature_select_strategy", Select::Patches)?,
        projector: ProjectorConfig {
            inputs: vision.hidden_size * layers.len(),
            hidden: text.hidden_size,
            depth: 2,
            activation: part_or(path, config, "projector_hidden_act", Activation::Gelu)?,
            bias: part_or(path, config, "multimodal_projector_bias", true)?,
        },
        layers,
        aspect: aspect.clone(),
        merge: Merge::SpatialUnpad,
        vision,
    };
    // Both spellings are written; the older is read by all versions.
    let token = [&config["image_token_index"], &config["image_token_id"]];
    let token = token.into_iter().find(|token| !token.is_null()).cloned().unwrap_or(32000.into());
    Ok(LlavaConfig {
        text,
        features,
        images: LlavaImageProcessor { clip: found.clip, aspect },
        image_token: ImageToken::Id(part(path, "image_token_index", &token)?),
        tower: None,
    })
}

/// The language model's own settings, with what its class assumes: published configurations leave out what is usual.
fn text(config: &Value) -> Value {
    let found = &config["text_config"];
    let mut text = match found["model_type"].as_str() {
        Some("mistral") => json!({ "intermediate_size": 14336, "num_key_value_heads": 8 }),
        Some("qwen2") => json!({ "intermediate_size": 22016 }),
        _ => json!({ "intermediate_size": 11008 }),
    };
    let usual = json!({ "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32 });
    // Which of the two says that the head is the embedding has changed between versions.
    let tied = [&config["tie_word_embeddings"], &found["tie_word_embeddings"]].contains(&&Value::Bool(true));
    let tied = json!({ "tie_word_embeddings": tied });
    for settings in [&usual, found, &tied] {
        for (key, value) in settings.as_object().into_iter().flatten() {
            text[key] = value.clone();
        }
    }
    text
}

/// The tower's own settings; where there are none, those of CLIP ViT-L/14 at 336 pixels, as `transformers` assumes.
fn vision(path: &Path, config: &Value) -> Result<VisionConfig> {
    let vision = &config["vision_config"];
    if vision.is_null() {
        return Ok(super::clip_vit_large_patch14_336());
    }
    let kind = vision["model_type"].as_str().unwrap_or("clip_vision_model");
    if kind != "clip_vision_model" {
        return Err(unfit(path, format!("the vision tower is a {kind}; only clip_vision_model is known")));
    }
    part(path, "vision_config", vision)
}
