//! The components `dinov2`, `clip-vision` and `siglip`: folders as transformers publishes them, and OpenCLIP's.

use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use adeval_candle::{Precision, checkpoint, device, plugin_error};
use adeval_models::clip::preprocess::{Edges, ImageProcessor};
use adeval_models::encoders::{ImageEncoder, Kind};
use adeval_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::batch;

/// Parameters of an encoder that is a folder of transformers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CheckpointParameters {
    /// A folder with config.json, preprocessor_config.json and weights (of OpenCLIP open_clip_config.json and weights), or a hub
    /// id in the cache.
    pub checkpoint: Option<String>,
    /// The type of the weights while they are used; numbers that are to be compared take one.
    pub precision: Precision,
}

impl Default for CheckpointParameters {
    fn default() -> Self {
        Self { checkpoint: None, precision: Precision::F32 }
    }
}

/// What tells the three components apart.
pub trait Family: Send + Sync + 'static {
    /// The component's id.
    const ID: &str;
    /// What it is called in the names of metrics.
    const NAME: &str;
    /// One line for lists.
    const SUMMARY: &str;
    /// What the parameter `checkpoint` is to name.
    const WANTED: &str;
    /// Which vector is taken.
    const VECTOR: &str;
    /// The network.
    const KIND: Kind;
}

/// DINOv2 of any size.
pub struct Dinov2Family;

impl Family for Dinov2Family {
    const ID: &str = "dinov2";
    const NAME: &str = "DINOv2";
    const SUMMARY: &str = "DINOv2, with or without registers: the class token";
    const WANTED: &str = "a DINOv2 such as facebook/dinov2-large";
    const VECTOR: &str = "class token behind the last norm";
    const KIND: Kind = Kind::Dinov2;
}

/// CLIP's image encoder.
pub struct ClipFamily;

impl Family for ClipFamily {
    const ID: &str = "clip-vision";
    const NAME: &str = "CLIP";
    const SUMMARY: &str = "The image encoder of CLIP or OpenCLIP with its projection";
    const WANTED: &str = "a CLIP such as openai/clip-vit-large-patch14-336 or, of OpenCLIP, laion/CLIP-ViT-B-32-laion2B-s34B-b79K";
    const VECTOR: &str = "projected embedding, not normalised";
    const KIND: Kind = Kind::Clip;
}

/// SigLIP's image encoder.
pub struct SiglipFamily;

impl Family for SiglipFamily {
    const ID: &str = "siglip";
    const NAME: &str = "SigLIP";
    const SUMMARY: &str = "SigLIP's image encoder: what its head pools";
    const WANTED: &str = "a SigLIP such as google/siglip-base-patch16-224";
    const VECTOR: &str = "what the head pools, not normalised";
    const KIND: Kind = Kind::Siglip;
}

/// An image encoder of a family.
pub struct HubEncoder<F> {
    encoder: ImageEncoder,
    /// The checkpoint as the user called it.
    called: String,
    precision: &'static str,
    family: PhantomData<F>,
}

/// DINOv2 as an image embedder.
pub type Dinov2 = HubEncoder<Dinov2Family>;
/// CLIP's image encoder as an image embedder.
pub type ClipVision = HubEncoder<ClipFamily>;
/// SigLIP's image encoder as an image embedder.
pub type Siglip = HubEncoder<SiglipFamily>;

impl<F: Family> Component for HubEncoder<F> {
    type Parameters = CheckpointParameters;

    fn info() -> ComponentInfo {
        let mut info = ComponentInfo::new(F::ID, F::SUMMARY).weights(
            "none inside: the parameter checkpoint names a local path or a hub id, under the licence of its authors",
        );
        info.devices.extend(device::extra());
        info
    }

    fn create(parameters: CheckpointParameters, environment: &Environment) -> Result<Self> {
        Self::create_watched(parameters, environment, &CallContext::detached())
    }

    fn create_watched(
        parameters: CheckpointParameters,
        environment: &Environment,
        cx: &CallContext<'_>,
    ) -> Result<Self> {
        let device = device::open(&environment.device)?;
        let dtype = parameters.precision.on(&device)?;
        let path = checkpoint::checkpoint(F::ID, F::WANTED, parameters.checkpoint.as_deref(), environment)?;
        checkpoint::announce([path.as_path()], None, &environment.device, dtype, cx)?;
        cx.check()?;
        let encoder = ImageEncoder::open(&path, F::KIND, &device, dtype).map_err(plugin_error)?;
        let called = parameters.checkpoint.unwrap_or_else(|| path.display().to_string());
        Ok(Self { encoder, called, precision: dtype.as_str(), family: PhantomData })
    }
}

impl<F: Family> ImageEmbedder for HubEncoder<F> {
    fn describe(&self) -> EncoderInfo {
        let last: PathBuf = Path::new(&self.called).file_name().unwrap_or_default().into();
        EncoderInfo {
            name: format!("{}({})", F::NAME, last.display()),
            dimension: self.encoder.dimension() as u32,
            preprocessing: format!(
                "{} {}, {}, {}; 8-bit sRGB, {}",
                F::NAME,
                self.called,
                self.precision,
                F::VECTOR,
                in_words(self.encoder.processor())
            ),
        }
    }

    fn embed(&self, request: &EmbedRequest, cx: &CallContext<'_>) -> Result<Embedding> {
        batch::single(self.embed_batch(std::slice::from_ref(request), cx))
    }

    fn embed_batch(&self, requests: &[EmbedRequest], cx: &CallContext<'_>) -> Vec<Result<Embedding>> {
        batch::pooled(F::ID, requests, cx, |pictures| Ok(self.encoder.features(pictures)?.to_vec2()?))
    }
}

fn in_words(processor: &ImageProcessor) -> String {
    let mut steps = Vec::new();
    if processor.do_resize {
        let filter = if processor.resample == 2 { "bilinear" } else { "bicubic" };
        steps.push(format!("{} by Pillow's {filter}", edges("resized to", processor.size)));
    }
    if processor.do_center_crop {
        steps.push(edges("cropped to", processor.crop_size));
    }
    if processor.do_normalize {
        steps.push(format!("mean {:?}, deviation {:?}", processor.image_mean, processor.image_std));
    }
    steps.join(", ")
}

fn edges(verb: &str, edges: Edges) -> String {
    match edges {
        Edges::Both { height, width } => format!("{verb} {height}x{width}"),
        Edges::Shortest { shortest_edge: side } | Edges::One(side) => {
            format!("{verb} {side} at the shorter edge")
        }
    }
}
