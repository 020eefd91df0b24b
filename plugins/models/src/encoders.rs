//! Image encoders as `transformers` publishes them, a folder of `config.json`, `preprocessor_config.json` and weights, and CLIP's as
//! OpenCLIP does, with `open_clip_config.json`: each becomes a function from pictures to feature vectors.

use std::path::{Path, PathBuf};

use adeval_checkpoints::{Component, Layout, Names};
use candle_core::{DType, Device, Tensor};
use image::RgbImage;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::clip::open_clip;
use crate::clip::preprocess::ImageProcessor;
use crate::clip::vision::{VisionConfig, VisionEncoder};
use crate::dinov2::{Dinov2, Dinov2Config};
use crate::siglip::{SiglipVision, SiglipVisionConfig};
use crate::tensors::{Source, read_config};
use crate::{ModelError, Result};

/// Which network a folder is to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `Dinov2Model` or `Dinov2WithRegistersModel`: the class token behind the last norm.
    Dinov2,
    /// `CLIPVisionModelWithProjection` or a whole CLIP, of transformers or of OpenCLIP: the projected embedding, not normalised.
    Clip,
    /// `SiglipVisionModel` or a whole SigLIP: what its head pools.
    Siglip,
}

/// An image encoder with its weights and what prepares its pictures.
pub struct ImageEncoder {
    network: Network,
    processor: ImageProcessor,
    device: Device,
}

enum Network {
    Dinov2(Box<Dinov2>),
    Clip(Box<VisionEncoder>),
    Siglip(Box<SiglipVision>),
}

impl ImageEncoder {
    /// Loads a folder.
    ///
    /// # Errors
    /// For files that are missing, damaged, or of another network; each is named.
    pub fn open(folder: &Path, kind: Kind, device: &Device, dtype: DType) -> Result<Self> {
        let layout = Layout::recognise(folder)?;
        let found = layout.components.iter().find_map(|part| Some((part, part.config.clone()?)));
        let Some((component, path)) = found else {
            let is_open_clip = layout.components.iter().any(|part| part.names == Names::OpenClip);
            let path = folder.join(if is_open_clip { open_clip::CONFIG_NAME } else { "config.json" });
            return Err(ModelError::Config { path, reason: "it is not there: name a model's folder".into() });
        };
        let source = Source::from_file(Component::file(component)?, device, dtype);
        if kind == Kind::Clip && component.names == Names::OpenClip {
            let (config, processor) = open_clip::read(&path)?;
            let network = Network::Clip(Box::new(VisionEncoder::load_open_clip(&source, &config)?));
            return Ok(Self { network, processor, device: device.clone() });
        }
        let processor = processor(folder, kind)?;
        let network = match kind {
            Kind::Dinov2 => {
                let config: Dinov2Config = part(&path, &read_config(&path)?)?;
                Network::Dinov2(Box::new(Dinov2::load(&source, &config)?))
            }
            Kind::Clip => {
                let config: VisionConfig = part(&path, &vision(&path)?)?;
                Network::Clip(Box::new(VisionEncoder::load(&source, &config)?))
            }
            Kind::Siglip => {
                let config: SiglipVisionConfig = part(&path, &vision(&path)?)?;
                Network::Siglip(Box::new(SiglipVision::load(&source, &config)?))
            }
        };
        Ok(Self { network, processor, device: device.clone() })
    }

    /// Length of a feature vector.
    pub fn dimension(&self) -> usize {
        match &self.network {
            Network::Dinov2(network) => network.config().hidden_size,
            Network::Clip(network) => network.config().projection_dim,
            Network::Siglip(network) => network.config().hidden_size,
        }
    }

    /// What is done with a picture before.
    pub const fn processor(&self) -> &ImageProcessor {
        &self.processor
    }

    /// Features of 8-bit sRGB pictures of any size, (N, dimension) float32.
    ///
    /// # Errors
    /// [`ModelError::Image`] for a picture that cannot be prepared, [`ModelError::Input`] for pictures that come out in different
    /// sizes, and failures of the device.
    pub fn features(&self, pictures: &[&RgbImage]) -> Result<Tensor> {
        let pictures = self.processor.forward(pictures, &self.device)?;
        match &self.network {
            Network::Dinov2(network) => network.features(&pictures),
            Network::Clip(network) => Ok(network.forward(&pictures)?.image_embeds.to_dtype(DType::F32)?),
            Network::Siglip(network) => network.features(&pictures),
        }
    }
}

/// The vision part of a model of two towers, or the whole. Some files of whole models leave the width of the projection to it.
fn vision(path: &Path) -> Result<Value> {
    let config: Value = read_config(path)?;
    let mut vision = config["vision_config"].clone();
    if !vision.is_object() {
        return Ok(config);
    }
    if vision["projection_dim"].is_null() || !config["projection_dim"].is_null() {
        vision["projection_dim"] = config["projection_dim"].clone();
    }
    Ok(vision)
}

/// A part of a configuration; what is null has its default.
fn part<T: DeserializeOwned>(path: &Path, value: &Value) -> Result<T> {
    serde_json::from_value(Value::Object(told(value)))
        .map_err(|error| ModelError::Config { path: path.to_owned(), reason: error.to_string() })
}

fn told(value: &Value) -> Map<String, Value> {
    let entries = value.as_object().into_iter().flatten();
    entries.filter(|(_, value)| !value.is_null()).map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// `preprocessor_config.json`, or the part of `processor_config.json` that transformers 5 writes.
fn processor(folder: &Path, kind: Kind) -> Result<ImageProcessor> {
    let (path, value) = processor_file(folder)?;
    let mut entries = told(&value);
    if kind == Kind::Siglip {
        // SigLIP's class crops nothing, and has defaults of its own.
        let defaults = json!({
            "do_center_crop": false, "size": { "height": 224, "width": 224 },
            "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5],
        });
        for (key, value) in told(&defaults) {
            entries.entry(key).or_insert(value);
        }
    }
    part(&path, &Value::Object(entries))
}

fn processor_file(folder: &Path) -> Result<(PathBuf, Value)> {
    let own = folder.join("preprocessor_config.json");
    if own.is_file() {
        return Ok((own.clone(), read_config(&own)?));
    }
    let shared = folder.join("processor_config.json");
    if shared.is_file() {
        let config: Value = read_config(&shared)?;
        if config["image_processor"].is_object() {
            return Ok((shared, config["image_processor"].clone()));
        }
    }
    let reason =
        "it is not there, and says how pictures are prepared: download it with the weights".to_owned();
    Err(ModelError::Config { path: own, reason })
}
