//! Image embedders: images in, feature vectors out.

use crate::{CallContext, Component, Floats, Image, Result};
use serde::{Deserialize, Serialize};

/// What an encoder is, for the names of metrics and for feature caches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct EncoderInfo {
    /// Short name, used in metric names: `FD-<name>`. [`EncoderInfo::FID`] and [`EncoderInfo::CLEAN_FID`] are for one network only.
    pub name: String,
    /// Length of a feature vector.
    pub dimension: u32,
    /// Size, resampling and normalisation, in words.
    pub preprocessing: String,
}

impl EncoderInfo {
    /// The name of the Inception-v3 with the weights of 5 December 2015 and TensorFlow 1's resizing. The Fréchet distance of its
    /// features, and of no others, is called FID (Heusel et al. 2017).
    pub const FID: &str = "Inception-v3-2015";
    /// The same network with the resizing of Clean-FID (Parmar et al. 2022).
    pub const CLEAN_FID: &str = "Inception-v3-2015-clean";
}

/// One image to embed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EmbedRequest {
    /// The image; RGB (an alpha channel is ignored).
    pub image: Image,
    /// Whether spatial features are wanted too (for perceptual distances).
    #[serde(default)]
    pub spatial: bool,
}

/// A stack of spatial features, channel by channel, rows from the top.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeatureMap {
    /// Channels.
    pub channels: u32,
    /// Rows.
    pub height: u32,
    /// Columns.
    pub width: u32,
    /// `channels * height * width` values, finite.
    pub values: Floats,
}

/// The features of one image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Embedding {
    /// `dimension` values, finite; not normalised unless the encoder's preprocessing says so.
    pub vector: Vec<f32>,
    /// One map a layer, from shallow to deep; empty unless asked for.
    #[serde(default)]
    pub spatial: Vec<FeatureMap>,
}

/// Embeds images.
pub trait ImageEmbedder: Component {
    /// What the encoder is.
    fn describe(&self) -> EncoderInfo;

    /// The features of one image.
    ///
    /// # Errors
    /// `Unsupported` when spatial features are wanted and there are none.
    fn embed(&self, request: &EmbedRequest, cx: &CallContext<'_>) -> Result<Embedding>;

    /// Many images, in order.
    fn embed_batch(&self, requests: &[EmbedRequest], cx: &CallContext<'_>) -> Vec<Result<Embedding>> {
        requests.iter().map(|request| cx.check().and_then(|()| self.embed(request, cx))).collect()
    }
}
