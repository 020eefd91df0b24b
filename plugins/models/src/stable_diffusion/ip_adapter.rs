//! IP-Adapter (arXiv 2308.06721): the UNet attends to a picture beside the text, with keys and values of its own.

use candle_core::Tensor;

use super::config::UNetConfig;
use super::nn::{self, LayerNorm, Linear};
use crate::tensors::{Source, Weights};
use crate::{ModelError, Result};

mod resampler;

use resampler::Resampler;

/// Tokens that the plain adapter makes of a picture.
const TOKENS: usize = 4;

/// The projections of one adapter, in the published layout (`image_proj.*`, `ip_adapter.<n>.to_{k,v}_ip.weight`).
pub struct IpAdapter {
    projection: Projection,
    /// Keys' and values' projections for every cross attention of the UNet.
    layers: Vec<(Linear, Linear)>,
}

/// What becomes of an encoded picture before the UNet sees it.
enum Projection {
    /// The plain adapter: the pooled, projected embedding, to four tokens.
    Pooled { proj: Linear, norm: LayerNorm, width: usize },
    /// The "plus" adapter: the encoder's penultimate states, to sixteen tokens.
    States(Box<Resampler>),
}

/// What an adapter wants from the image encoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageEmbeds {
    /// The projected pooled embedding, `(batch, width)`; zeros stand for "no picture".
    Pooled,
    /// The states of the last layer but one, `(batch, tokens, width)`; those of a black picture stand for "no picture".
    Penultimate,
}

/// A picture as the UNet's cross attentions see it: keys and values for each. They do not depend on the time step.
#[derive(Clone)]
pub struct ImagePrompt {
    layers: Vec<(Tensor, Tensor)>,
    scale: f64,
}

impl IpAdapter {
    /// Loads an adapter for `unet`, and checks that `source` holds its tensors and no others.
    ///
    /// # Errors
    /// As [`Source::finish`].
    pub fn load(unet: &UNetConfig, source: &Source) -> Result<Self> {
        let adapter = Self::new(unet, &source.weights())?;
        source.finish("an IP-Adapter for this UNet", |_| false)?;
        Ok(adapter)
    }

    /// Builds the adapter at a place in a source; the caller calls [`Source::finish`].
    ///
    /// # Errors
    /// As [`Weights::get`].
    pub fn new(unet: &UNetConfig, weights: &Weights) -> Result<Self> {
        let context = unet.encoder.cross_attention_dim;
        let projection = Projection::new(context, &weights.pp("image_proj"))?;
        let layers = unet.cross_attentions().into_iter().enumerate().map(|(i, width)| {
            // Odd numbers: the adapter counts self attentions too, which come first and have nothing of their own.
            let weights = weights.pp("ip_adapter").pp(2 * i + 1);
            let key = nn::linear_no_bias(context, width, &weights.pp("to_k_ip"))?;
            Ok((key, nn::linear_no_bias(context, width, &weights.pp("to_v_ip"))?))
        });
        Ok(Self { projection, layers: layers.collect::<Result<_>>()? })
    }

    /// What it wants from the image encoder.
    pub fn wants(&self) -> ImageEmbeds {
        match self.projection {
            Projection::Pooled { .. } => ImageEmbeds::Pooled,
            Projection::States(_) => ImageEmbeds::Penultimate,
        }
    }

    /// The prompt of one or more pictures. `embeds` is `(batch, width)` or `(batch, pictures, width)` for
    /// [`ImageEmbeds::Pooled`], `(batch, tokens, width)` or `(batch, pictures, tokens, width)` for [`ImageEmbeds::Penultimate`];
    /// the batch is the UNet's, so that with guidance the embeds of "no picture" come first.
    ///
    /// # Errors
    /// [`ModelError::Input`] for another shape, and failures of the device.
    pub fn prompt(&self, embeds: &Tensor, scale: f64) -> Result<ImagePrompt> {
        let tokens = self.projection.tokens(embeds)?;
        let layers =
            self.layers.iter().map(|(key, value)| Ok((key.forward(&tokens)?, value.forward(&tokens)?)));
        Ok(ImagePrompt { layers: layers.collect::<Result<_>>()?, scale })
    }
}

impl ImagePrompt {
    /// The same picture with another strength.
    pub fn with_scale(&self, scale: f64) -> Self {
        Self { layers: self.layers.clone(), scale }
    }

    /// How strongly the UNet attends to it: 1 as much as to the text.
    pub fn scale(&self) -> f64 {
        self.scale
    }

    pub(super) fn keys_and_values(&self, number: usize) -> Result<(&Tensor, &Tensor)> {
        let (key, value) = self.layers.get(number).ok_or_else(|| ModelError::Input {
            found: format!("an image prompt for {} cross attentions", self.layers.len()),
            expected: "the prompt of an adapter that was loaded for this UNet",
        })?;
        Ok((key, value))
    }

    /// Fails unless it is for a UNet with cross attentions of these widths, and for `batch` samples.
    pub(super) fn check(&self, batch: usize, widths: &[usize]) -> Result<()> {
        let found: Vec<usize> = self.layers.iter().map(|(key, _)| key.dims()[2]).collect();
        if found != widths {
            return Err(ModelError::Input {
                found: format!("an image prompt for cross attentions of widths {found:?}"),
                expected: "the prompt of an adapter that was loaded for this UNet",
            });
        }
        let samples = self.layers.first().map_or(batch, |(key, _)| key.dims()[0]);
        if samples == batch {
            return Ok(());
        }
        Err(ModelError::Input {
            found: format!("an image prompt for {samples} samples in a batch of {batch}"),
            expected: "one image embedding for each sample, those of no picture first under guidance",
        })
    }
}

impl Projection {
    fn new(context: usize, weights: &Weights) -> Result<Self> {
        if weights.has("latents") {
            return Ok(Self::States(Box::new(Resampler::new(context, weights)?)));
        }
        let width = weights.shape("proj.weight").and_then(|s| s.get(1).copied()).unwrap_or_default();
        Ok(Self::Pooled {
            proj: nn::linear(width, TOKENS * context, &weights.pp("proj"))?,
            norm: nn::layer_norm(context, 1e-5, &weights.pp("norm"))?,
            width,
        })
    }

    /// `(batch, tokens, cross_attention_dim)`, the tokens of several pictures one after the other.
    fn tokens(&self, embeds: &Tensor) -> Result<Tensor> {
        match (self, embeds.dims()) {
            (Self::Pooled { width, .. }, [batch, w]) if w == width => self.project(embeds, *batch),
            (Self::Pooled { width, .. }, [batch, _, w]) if w == width => {
                self.project(&embeds.flatten_to(1)?, *batch)
            }
            (Self::States(resampler), [batch, _, w]) if *w == resampler.width() => {
                self.project(embeds, *batch)
            }
            (Self::States(resampler), [batch, _, _, w]) if *w == resampler.width() => {
                self.project(&embeds.flatten_to(1)?, *batch)
            }
            (Self::Pooled { width, .. }, dims) => Err(ModelError::Input {
                found: format!("image embeds {dims:?} for a width of {width}"),
                expected: "(batch, width) or (batch, pictures, width): the adapter's own image encoder",
            }),
            (Self::States(resampler), dims) => Err(ModelError::Input {
                found: format!("image states {dims:?} for a width of {}", resampler.width()),
                expected: "(batch, tokens, width) or (batch, pictures, tokens, width): the adapter's own image encoder",
            }),
        }
    }

    /// `pictures` has one row (or sequence) for each picture of each sample.
    fn project(&self, pictures: &Tensor, batch: usize) -> Result<Tensor> {
        let tokens = match self {
            Self::Pooled { proj, norm, .. } => {
                let tokens = proj.forward(pictures)?;
                let (count, width) = tokens.dims2()?;
                norm.forward(&tokens.reshape((count, TOKENS, width / TOKENS))?)?
            }
            Self::States(resampler) => resampler.forward(pictures)?,
        };
        let (count, per_picture, width) = tokens.dims3()?;
        Ok(tokens.reshape((batch, count * per_picture / batch.max(1), width))?)
    }
}
