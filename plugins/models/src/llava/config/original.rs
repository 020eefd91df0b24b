//! The flat configuration of LLaVA's original code (`liuhaotian/llava-v1.5-7b`, `liuhaotian/llava-v1.6-vicuna-7b`, ...).

use std::path::{Path, PathBuf};

use serde_json::Value;

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
use crate::tensors::read_config;

/// The tower of LLaVA-1.5 and 1.6, `openai/clip-vit-large-patch14-336`.
pub fn clip_vit_large_patch14_336() -> VisionConfig {
    VisionConfig {
        hidden_size: 1024,
        intermediate_size: 4096,
        projection_dim: 768,
        num_hidden_layers: 24,
        num_attention_heads: 16,
        image_size: 336,
        patch_size: 14,
        ..VisionConfig::default()
    }
}

/// The towers that original checkpoints name.
fn published(name: &str) -> Option<VisionConfig> {
    let large = clip_vit_large_patch14_336();
    match name {
        "openai/clip-vit-large-patch14-336" => Some(large),
        "openai/clip-vit-large-patch14" => Some(VisionConfig { image_size: 224, ..large }),
        _ => None,
    }
}

pub(super) fn read(dir: &Path, path: &Path, config: &Value, tower: Option<&Path>) -> Result<LlavaConfig> {
    let text = DecoderConfig::from_json(config, path)?;
    let name: String = part(path, "mm_vision_tower", &config["mm_vision_tower"])?;
    let folder = tower.map(Path::to_owned).or_else(|| beside(dir, &name));
    let vision = vision(path, &name, folder.as_deref())?;
    let found = processor::read_first(&[Some(dir), folder.as_deref()], vision.image_size as u32)?;
    let layers = layers(path, config, "mm_vision_select_layer")?;
    let kind: String = part_or(path, config, "mm_projector_type", "linear".to_owned())?;
    let Some(depth) = ProjectorConfig::depth_of(&kind) else {
        let reason =
            format!("mm_projector_type \"{kind}\" is not known; linear, mlp2x_gelu, mlp3x_gelu, ... are");
        return Err(unfit(path, reason));
    };
    let aspect = aspect(path, config, &vision)?;
    let features = FeaturesConfig {
        select: part_or(path, config, "mm_vision_select_feature", Select::Patches)?,
        projector: ProjectorConfig {
            inputs: vision.hidden_size * layers.len(),
            hidden: text.hidden_size,
            depth,
            activation: Activation::Gelu,
            bias: true,
        },
        layers,
        aspect: aspect.clone(),
        merge: part_or(path, config, "mm_patch_merge_type", Merge::Flat)?,
        vision,
    };
    Ok(LlavaConfig {
        text,
        features,
        images: LlavaImageProcessor { clip: found.clip, aspect },
        image_token: ImageToken::Word {
            enclosed: part_or(path, config, "mm_use_im_start_end", false)?,
            patch: part_or(path, config, "mm_use_im_patch_token", true)?,
        },
        tower: folder,
    })
}

/// The folder that a name is the path of, if it is one.
fn beside(dir: &Path, name: &str) -> Option<PathBuf> {
    [dir.join(name), PathBuf::from(name)].into_iter().find(|folder| folder.join("config.json").is_file())
}

fn vision(path: &Path, name: &str, folder: Option<&Path>) -> Result<VisionConfig> {
    let Some(folder) = folder else {
        return published(name).ok_or_else(|| {
            unfit(
                path,
                format!(
                    "the settings of the vision tower {name} are not here; download it and name its folder"
                ),
            )
        });
    };
    let path = folder.join("config.json");
    let config: Value = read_config(&path)?;
    // A whole CLIP keeps its tower's settings in a part of their own.
    let vision = if config["vision_config"].is_object() { &config["vision_config"] } else { &config };
    part(&path, "vision_config", vision)
}

fn aspect(path: &Path, config: &Value, vision: &VisionConfig) -> Result<Aspect> {
    let kind: String = part_or(path, config, "image_aspect_ratio", "square".to_owned())?;
    match kind.as_str() {
        "anyres" => {
            let pairs = pinpoints(path, &config["image_grid_pinpoints"])?;
            let tile = vision.image_size as u32;
            Ok(Aspect::Anyres(Pinpoints::new(&pairs, tile, Convention::Original)?))
        }
        "pad" => Ok(Aspect::Pad),
        "square" => Ok(Aspect::Square),
        _ => Err(unfit(
            path,
            format!("image_aspect_ratio \"{kind}\" is not known; \"anyres\", \"pad\" and \"square\" are"),
        )),
    }
}

/// A list, or a list written as a string of Python: `"[(336, 672), (672, 336)]"`.
fn pinpoints(path: &Path, value: &Value) -> Result<Vec<[u32; 2]>> {
    let Some(text) = value.as_str() else { return part(path, "image_grid_pinpoints", value) };
    let json = text.replace('(', "[").replace(')', "]");
    serde_json::from_str(&json)
        .map_err(|_| unfit(path, format!("image_grid_pinpoints {text:?} is no list of pairs of numbers")))
}
