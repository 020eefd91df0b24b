//! The frozen image encoder, whose features two of the rankers learn on.

use crate::cache::Cache;
use adeval_candle::{checkpoint, device, plugin_error};
use adeval_checkpoints::Layout;
use adeval_checkpoints::plan::{Plan, Precision};
use adeval_models::encoders::{ImageEncoder, Kind};
use adeval_models::{EfficientNetLite0, efficientnet};
use adeval_sdk::prelude::*;
use candle_core::{DType, Device};
use image::RgbImage;
use std::path::Path;
use std::sync::Arc;

/// The weights that the library carries, Apache-2.0: see `fixtures/weights/NOTICE.md`.
static WEIGHTS: &[u8] = include_bytes!("../../../fixtures/weights/efficientnet-lite0.safetensors");

/// Weights of EfficientNet-Lite0 without its classifier, which is not used here; the running moments of batch norm are no weights.
const EFFICIENTNET_WEIGHTS: u64 = 3_371_008;

/// Pictures that are encoded together; between two such groups the host may stop the call.
const GROUP: usize = 4;

/// Features of one picture.
pub type Features = Arc<[f32]>;

enum Network {
    EfficientNet(Box<EfficientNetLite0>),
    Folder(Box<ImageEncoder>),
}

/// An encoder, and the features that it gave.
pub struct Encoder {
    network: Network,
    device: Device,
    /// For messages.
    pub name: String,
    /// Number of its weights.
    pub weights: u64,
    /// Length of a feature vector.
    pub dimension: usize,
    cache: Cache<Features>,
    /// Features of a picture by formula: a ranker's save holds them, and so an encoder that is not the one of training is found out.
    pub probe: Features,
}

impl Encoder {
    /// EfficientNet-Lite0, or the folder or hub id `named`.
    pub fn open(
        named: Option<&str>,
        cache: u32,
        environment: &Environment,
        cx: &CallContext<'_>,
    ) -> Result<Self> {
        let device = device::open(&environment.device)?;
        let (network, name, weights, dimension) = match named {
            None => {
                let network = EfficientNetLite0::load(WEIGHTS, &device).map_err(plugin_error)?;
                let network = Network::EfficientNet(Box::new(network));
                (network, "EfficientNet-Lite0".to_owned(), EFFICIENTNET_WEIGHTS, efficientnet::FEATURES)
            }
            Some(named) => {
                let path = checkpoint::find(named)?;
                let kind = kind(&path)?;
                checkpoint::announce([path.as_path()], None, &environment.device, DType::F32, cx)?;
                let layout = Layout::recognise(&path).map_err(|error| plugin_error(error.into()))?;
                let on = adeval_checkpoints::plan::Device::Cpu;
                let plan = Plan::of(&layout, on, Some(Precision::F32));
                let weights = plan.map_err(|error| plugin_error(error.into()))?.parameters;
                cx.check()?;
                let encoder = ImageEncoder::open(&path, kind, &device, DType::F32).map_err(plugin_error)?;
                let dimension = encoder.dimension();
                let last = path.file_name().unwrap_or_default().to_string_lossy();
                (Network::Folder(Box::new(encoder)), format!("{kind:?}({last})"), weights, dimension)
            }
        };
        let cache = Cache::new(cache, dimension * size_of::<f32>());
        let mut made = Self { network, device, name, weights, dimension, cache, probe: Arc::new([]) };
        made.probe = made.encode(&[&probe()])?.swap_remove(0);
        Ok(made)
    }

    /// Hash and features of each picture; a picture at fault costs itself only.
    pub fn look(&self, pictures: &[&Image], cx: &CallContext<'_>) -> Vec<Result<(String, Features)>> {
        pictures.chunks(GROUP).flat_map(|group| self.group(group, cx)).collect()
    }

    fn group(&self, pictures: &[&Image], cx: &CallContext<'_>) -> Vec<Result<(String, Features)>> {
        if let Err(stop) = cx.check() {
            return pictures.iter().map(|_| Err(stop.clone())).collect();
        }
        let keys: Vec<String> = pictures.iter().map(|picture| picture.hash()).collect();
        let mut found: Vec<Option<Result<Features>>> =
            keys.iter().map(|key| self.cache.get(key).map(Ok)).collect();
        let missing: Vec<usize> = (0..keys.len()).filter(|at| found[*at].is_none()).collect();
        let rgb: Vec<RgbImage> = missing.iter().map(|at| pictures[*at].to_rgb()).collect();
        let together = self.encode(&rgb.iter().collect::<Vec<_>>());
        match together {
            Ok(features) => {
                for (at, features) in missing.into_iter().zip(features) {
                    self.cache.put(&keys[at], features.clone());
                    found[at] = Some(Ok(features));
                }
            }
            Err(_) => {
                // One of them is at fault: alone each gets its own answer.
                for (at, rgb) in missing.into_iter().zip(&rgb) {
                    found[at] = Some(self.encode(&[rgb]).map(|mut features| features.swap_remove(0)));
                }
            }
        }
        let lost = || Err(PluginError::violation("a picture was encoded and no features came back"));
        keys.into_iter().zip(found).map(|(key, found)| Ok((key, found.unwrap_or_else(lost)?))).collect()
    }

    fn encode(&self, pictures: &[&RgbImage]) -> Result<Vec<Features>> {
        // On the processor EfficientNet's kernels give a picture the same features in every batch; elsewhere it goes alone.
        let group = match &self.network {
            Network::EfficientNet(_) if self.device.is_cpu() => GROUP,
            _ => 1,
        };
        let mut all = Vec::with_capacity(pictures.len());
        for group in pictures.chunks(group) {
            for features in self.forward(group).map_err(plugin_error)? {
                all.push(standardised(&self.name, &features)?);
            }
        }
        Ok(all)
    }

    fn forward(&self, pictures: &[&RgbImage]) -> adeval_models::Result<Vec<Vec<f32>>> {
        let features = match &self.network {
            Network::EfficientNet(network) => {
                network.features(&efficientnet::preprocess(pictures, &self.device)?)?
            }
            Network::Folder(encoder) => encoder.features(pictures)?,
        };
        Ok(features.to_vec2()?)
    }

    /// Whether a save was made with this encoder's features: they differ by roundings on another machine, and by much more for other
    /// weights or another network.
    pub fn is_that_of(&self, probe: &[f32]) -> bool {
        probe.len() == self.probe.len()
            && probe.iter().zip(self.probe.iter()).all(|(a, b)| (a - b).abs() <= 0.02)
    }
}

/// Mean 0 and variance 1 over the features of one picture, so that encoders of any scale are learned from alike.
fn standardised(encoder: &str, features: &[f32]) -> Result<Features> {
    let count = features.len() as f64;
    let mean = features.iter().map(|v| f64::from(*v)).sum::<f64>() / count;
    let variance = features.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>() / count;
    if !variance.is_finite() {
        let message = format!("the features of {encoder} are not finite");
        return Err(PluginError::new(ErrorKind::Numerical, message)
            .with_hint("the encoder's weights do not belong to its network, or are damaged"));
    }
    let spread = (variance + 1e-12).sqrt();
    Ok(features.iter().map(|v| ((f64::from(*v) - mean) / spread) as f32).collect())
}

/// Which network a folder holds, from its configuration.
fn kind(folder: &Path) -> Result<Kind> {
    let path = folder.join("config.json");
    let bad = |why: String| {
        PluginError::new(ErrorKind::BadWeights, format!("{}: {why}", path.display())).with_hint(
            "name a folder of DINOv2, CLIP or SigLIP (also SigLIP 2 of fixed size) as transformers writes it",
        )
    };
    let text = std::fs::read(&path).map_err(|error| {
        PluginError::new(ErrorKind::MissingWeights, format!("cannot read {}: {error}", path.display()))
            .with_hint("name a model's folder, or a hub id that `adeval models pull` fetched")
    })?;
    let config: serde_json::Value =
        serde_json::from_slice(&text).map_err(|error| bad(format!("it is no JSON: {error}")))?;
    match config["model_type"].as_str() {
        Some("dinov2" | "dinov2_with_registers") => Ok(Kind::Dinov2),
        Some("clip" | "clip_vision_model") => Ok(Kind::Clip),
        Some("siglip" | "siglip_vision_model") => Ok(Kind::Siglip),
        other => Err(bad(format!("model_type is {}", other.unwrap_or("not there")))),
    }
}

/// A picture by formula: stripes, a gradient and a square.
fn probe() -> RgbImage {
    RgbImage::from_fn(224, 224, |x, y| {
        let square = (64..160).contains(&x) && (80..176).contains(&y);
        let stripe = if (x / 16 + y / 16) % 2 == 0 { 40 } else { 0 };
        image::Rgb(if square { [210, 90, 40] } else { [x as u8, y as u8, 120 + stripe] })
    })
}
