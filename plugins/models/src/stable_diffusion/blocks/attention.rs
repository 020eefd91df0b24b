//! Multi-head attention, with the second branch for pictures that IP-Adapter adds.

use candle_core::Tensor;

use crate::Result;
use crate::stable_diffusion::ip_adapter::ImagePrompt;
use crate::stable_diffusion::nn::{self, Linear};
use crate::stable_diffusion::sdpa::attend;
use crate::tensors::Weights;

/// `Attention`: queries from the picture, keys and values from the picture or the text.
pub struct Attention {
    to_q: Linear,
    to_k: Linear,
    to_v: Linear,
    to_out: Linear,
    heads: usize,
    upcast: bool,
}

impl Attention {
    /// `width` channels of the picture, `context` of what is attended to.
    pub fn new(width: usize, context: usize, heads: usize, upcast: bool, weights: &Weights) -> Result<Self> {
        Ok(Self {
            to_q: nn::linear_no_bias(width, width, &weights.pp("to_q"))?,
            to_k: nn::linear_no_bias(context, width, &weights.pp("to_k"))?,
            to_v: nn::linear_no_bias(context, width, &weights.pp("to_v"))?,
            to_out: nn::linear(width, width, &weights.pp("to_out").pp(0))?,
            heads,
            upcast,
        })
    }

    /// `x` attends to itself.
    pub fn itself(&self, x: &Tensor) -> Result<Tensor> {
        self.forward(x, x, &[], 0)
    }

    /// `x`, `(batch, pixels, width)`, attends to `context`, `(batch, tokens, context width)`, and apart from it to each of
    /// `images`, which keep their keys and values for cross attention `number`.
    pub fn forward(
        &self,
        x: &Tensor,
        context: &Tensor,
        images: &[ImagePrompt],
        number: usize,
    ) -> Result<Tensor> {
        let query = self.to_q.forward(x)?;
        let (key, value) = (self.to_k.forward(context)?, self.to_v.forward(context)?);
        let mut attended = attend(&query, &key, &value, self.heads, self.upcast)?;
        for image in images {
            if image.scale() != 0.0 {
                let (key, value) = image.keys_and_values(number)?;
                let seen = attend(&query, key, value, self.heads, self.upcast)?;
                attended = (attended + (seen * image.scale())?)?;
            }
        }
        self.to_out.forward(&attended)
    }
}
