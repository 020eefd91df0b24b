//! The Perceiver resampler of the "plus" adapters: learned queries read the image encoder's states.

use candle_core::Tensor;

use crate::stable_diffusion::nn::{self, LayerNorm, Linear};
use crate::stable_diffusion::sdpa::attend;
use crate::tensors::Weights;
use crate::{ModelError, Result};

/// Channels of one attention head, in every published adapter.
const HEAD: usize = 64;
const EPS: f64 = 1e-5;

pub struct Resampler {
    latents: Tensor,
    proj_in: Linear,
    layers: Vec<Layer>,
    proj_out: Linear,
    norm_out: LayerNorm,
    width: usize,
}

struct Layer {
    norm1: LayerNorm,
    norm2: LayerNorm,
    to_q: Linear,
    to_kv: Linear,
    to_out: Linear,
    norm3: LayerNorm,
    widen: Linear,
    narrow: Linear,
    heads: usize,
}

impl Resampler {
    /// Sizes come from the weights; `context` is the UNet's `cross_attention_dim`.
    pub fn new(context: usize, weights: &Weights) -> Result<Self> {
        let shape = |name: &str, rank| match weights.shape(name) {
            Some(shape) if shape.len() == rank => Ok(shape),
            other => Err(ModelError::Shape {
                name: format!("image_proj.{name}"),
                found: other.unwrap_or_default(),
                expected: vec![0; rank],
            }),
        };
        let latents = shape("latents", 3)?;
        let (queries, hidden) = (latents[1], latents[2]);
        let width = shape("proj_in.weight", 2)?[1];
        let layers = weights.pp("layers");
        let depth = (0..).take_while(|i| layers.pp(i).has("0.to_q.weight")).count();
        Ok(Self {
            latents: weights.get("latents", &[1, queries, hidden])?,
            proj_in: nn::linear(width, hidden, &weights.pp("proj_in"))?,
            layers: (0..depth).map(|i| Layer::new(hidden, &layers.pp(i))).collect::<Result<_>>()?,
            proj_out: nn::linear(hidden, context, &weights.pp("proj_out"))?,
            norm_out: nn::layer_norm(context, EPS, &weights.pp("norm_out"))?,
            width,
        })
    }

    /// Width of the states that it reads.
    pub fn width(&self) -> usize {
        self.width
    }

    /// `(pictures, tokens, width)` to `(pictures, queries, context)`.
    pub fn forward(&self, states: &Tensor) -> Result<Tensor> {
        let (_, queries, hidden) = self.latents.dims3()?;
        let mut latents = self.latents.broadcast_as((states.dim(0)?, queries, hidden))?.contiguous()?;
        let states = self.proj_in.forward(states)?;
        for layer in &self.layers {
            latents = layer.forward(&states, &latents)?;
        }
        self.norm_out.forward(&self.proj_out.forward(&latents)?)
    }
}

impl Layer {
    fn new(hidden: usize, weights: &Weights) -> Result<Self> {
        let (attention, feed_forward) = (weights.pp(0), weights.pp(1));
        let inner = attention.shape("to_q.weight").and_then(|s| s.first().copied()).unwrap_or_default();
        let widened = feed_forward.shape("1.weight").and_then(|s| s.first().copied()).unwrap_or_default();
        Ok(Self {
            norm1: nn::layer_norm(hidden, EPS, &attention.pp("norm1"))?,
            norm2: nn::layer_norm(hidden, EPS, &attention.pp("norm2"))?,
            to_q: nn::linear_no_bias(hidden, inner, &attention.pp("to_q"))?,
            to_kv: nn::linear_no_bias(hidden, 2 * inner, &attention.pp("to_kv"))?,
            to_out: nn::linear_no_bias(inner, hidden, &attention.pp("to_out"))?,
            norm3: nn::layer_norm(hidden, EPS, &feed_forward.pp(0))?,
            widen: nn::linear_no_bias(hidden, widened, &feed_forward.pp(1))?,
            narrow: nn::linear_no_bias(widened, hidden, &feed_forward.pp(3))?,
            heads: (inner / HEAD).max(1),
        })
    }

    /// The latents attend to the states and to themselves.
    fn forward(&self, states: &Tensor, latents: &Tensor) -> Result<Tensor> {
        let (states, normed) = (self.norm1.forward(states)?, self.norm2.forward(latents)?);
        let both = self.to_kv.forward(&Tensor::cat(&[&states, &normed], 1)?)?.chunk(2, 2)?;
        let attended = attend(&self.to_q.forward(&normed)?, &both[0], &both[1], self.heads, false)?;
        let latents = (self.to_out.forward(&attended)? + latents)?;
        let hidden = self.widen.forward(&self.norm3.forward(&latents)?)?.gelu_erf()?;
        Ok((self.narrow.forward(&hidden)? + latents)?)
    }
}
