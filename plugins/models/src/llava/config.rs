//! What a LLaVA checkpoint's folder says of itself: `config.json`, the image processor's settings, the tower's.

mod original;
mod processor;
mod transformers;

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::features::FeaturesConfig;
use super::image::LlavaImageProcessor;
use crate::decoder::DecoderConfig;
use crate::tensors::read_config;
use crate::{ModelError, Result};

pub use original::clip_vit_large_patch14_336;

/// How a prompt says where a picture is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageToken {
    /// A token of the vocabulary, by id: `image_token_index` of `transformers`.
    Id(u32),
    /// The word `<image>`, at which the text is cut before it is tokenized: the original code.
    Word {
        /// Whether `<im_start>` and `<im_end>` stand around it.
        enclosed: bool,
        /// Whether `<im_patch>` is added to the vocabulary, although no prompt has it.
        patch: bool,
    },
}

/// A checkpoint's settings.
#[derive(Clone, Debug)]
pub struct LlavaConfig {
    /// The language model.
    pub text: DecoderConfig,
    /// From pictures to embeddings.
    pub features: FeaturesConfig,
    /// From pictures to tiles.
    pub images: LlavaImageProcessor,
    /// Where pictures go.
    pub image_token: ImageToken,
    /// The folder of a vision tower that the checkpoint names and may not hold itself.
    pub tower: Option<PathBuf>,
}

impl LlavaConfig {
    /// Reads the folder `dir`. `tower` is the folder of the vision tower, for checkpoints of the original code that only name it;
    /// without it the name is looked for beside the checkpoint.
    ///
    /// # Errors
    /// [`ModelError::Read`] and [`ModelError::Config`], naming the file; the latter also for a language model without a tower
    /// and for towers other than CLIP's.
    pub fn from_dir(dir: &Path, tower: Option<&Path>) -> Result<Self> {
        let path = dir.join("config.json");
        let config: Value = read_config(&path)?;
        if config["text_config"].is_object() {
            return transformers::read(dir, &path, &config);
        }
        if config["mm_vision_tower"].is_string() {
            return original::read(dir, &path, &config, tower);
        }
        let kind = config["model_type"].as_str().unwrap_or("unknown");
        Err(unfit(
            &path,
            format!(
                "it describes a model of type \"{kind}\" without a vision tower (no text_config and no mm_vision_tower); name the \
                 folder of a LLaVA, for instance of llava-hf/llava-v1.6-vicuna-7b-hf"
            ),
        ))
    }
}

fn unfit(path: &Path, reason: impl Into<String>) -> ModelError {
    ModelError::Config { path: path.to_owned(), reason: reason.into() }
}

/// A part of a configuration, as a type.
fn part<T: serde::de::DeserializeOwned>(path: &Path, key: &str, value: &Value) -> Result<T> {
    serde_json::from_value(value.clone()).map_err(|error| unfit(path, format!("{key}: {error}")))
}

/// `value[key]`, or what stands for it where it is missing or null.
fn part_or<T: serde::de::DeserializeOwned>(path: &Path, value: &Value, key: &str, otherwise: T) -> Result<T> {
    match &value[key] {
        Value::Null => Ok(otherwise),
        found => part(path, key, found),
    }
}

/// One layer, or several.
fn layers(path: &Path, value: &Value, key: &str) -> Result<Vec<i64>> {
    match &value[key] {
        Value::Null => Ok(vec![-2]),
        Value::Array(_) => part(path, key, &value[key]),
        one => Ok(vec![part(path, key, one)?]),
    }
}
