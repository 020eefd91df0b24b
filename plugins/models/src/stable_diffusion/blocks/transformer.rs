//! The transformer behind a residual block: self attention, cross attention, feed-forward.

use candle_core::Tensor;

use super::attention::Attention;
use super::{Context, Counter, Sizes};
use crate::Result;
use crate::stable_diffusion::nn::{self, Conv2d, GroupNorm, LayerNorm, Linear};
use crate::tensors::Weights;

/// Epsilon of the group norm before the projection; the residual blocks' is in the configuration.
const GROUP_EPS: f64 = 1e-6;
const LAYER_EPS: f64 = 1e-5;
/// Width of the feed-forward's hidden layer in units of the model's.
const WIDENING: usize = 4;

/// `Transformer2DModel`.
pub struct Transformer {
    norm: GroupNorm,
    proj_in: Projection,
    blocks: Vec<Block>,
    proj_out: Projection,
}

impl Transformer {
    pub fn new(sizes: Sizes, counter: &mut Counter, weights: &Weights) -> Result<Self> {
        let Sizes { config, channels, transformers, .. } = sizes;
        let blocks = weights.pp("transformer_blocks");
        Ok(Self {
            norm: GroupNorm::new(config.norm_groups, channels, GROUP_EPS, &weights.pp("norm"))?,
            proj_in: Projection::new(channels, config.linear_projection, &weights.pp("proj_in"))?,
            blocks: (0..transformers)
                .map(|i| Block::new(sizes, counter.next(), &blocks.pp(i)))
                .collect::<Result<_>>()?,
            proj_out: Projection::new(channels, config.linear_projection, &weights.pp("proj_out"))?,
        })
    }

    /// `(batch, channels, height, width)` to the same.
    pub fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        let mut hidden = self.proj_in.to_tokens(&self.norm.forward(x)?)?;
        for block in &self.blocks {
            hidden = block.forward(&hidden, context)?;
        }
        Ok((self.proj_out.to_picture(&hidden, x)? + x)?)
    }
}

/// Between picture and tokens: a 1x1 convolution on the picture's side, or a linear layer on the tokens' side.
enum Projection {
    Conv(Conv2d),
    Linear(Linear),
}

impl Projection {
    fn new(channels: usize, linear: bool, weights: &Weights) -> Result<Self> {
        if linear {
            return Ok(Self::Linear(nn::linear(channels, channels, weights)?));
        }
        Ok(Self::Conv(nn::conv2d(channels, channels, 1, 1, 0, weights)?))
    }

    /// `(batch, channels, height, width)` to `(batch, height * width, channels)`.
    fn to_tokens(&self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Conv(conv) => Ok(conv.forward(x)?.flatten_from(2)?.transpose(1, 2)?.contiguous()?),
            Self::Linear(linear) => Ok(linear.forward(&x.flatten_from(2)?.transpose(1, 2)?.contiguous()?)?),
        }
    }

    /// Back to the shape of `like`.
    fn to_picture(&self, tokens: &Tensor, like: &Tensor) -> Result<Tensor> {
        let picture =
            |t: &Tensor| -> Result<Tensor> { Ok(t.transpose(1, 2)?.contiguous()?.reshape(like.dims())?) };
        match self {
            Self::Conv(conv) => Ok(conv.forward(&picture(tokens)?)?),
            Self::Linear(linear) => picture(&linear.forward(tokens)?),
        }
    }
}

/// `BasicTransformerBlock`.
struct Block {
    norm1: LayerNorm,
    attn1: Attention,
    norm2: LayerNorm,
    attn2: Attention,
    norm3: LayerNorm,
    widen: Linear,
    narrow: Linear,
    /// Which cross attention this is.
    number: usize,
}

impl Block {
    fn new(sizes: Sizes, number: usize, weights: &Weights) -> Result<Self> {
        let Sizes { config, channels, heads, .. } = sizes;
        let (text, upcast) = (config.cross_attention_dim, config.upcast_attention);
        let feed_forward = weights.pp("ff").pp("net");
        let hidden = WIDENING * channels;
        Ok(Self {
            norm1: nn::layer_norm(channels, LAYER_EPS, &weights.pp("norm1"))?,
            attn1: Attention::new(channels, channels, heads, upcast, &weights.pp("attn1"))?,
            norm2: nn::layer_norm(channels, LAYER_EPS, &weights.pp("norm2"))?,
            attn2: Attention::new(channels, text, heads, upcast, &weights.pp("attn2"))?,
            norm3: nn::layer_norm(channels, LAYER_EPS, &weights.pp("norm3"))?,
            widen: nn::linear(channels, 2 * hidden, &feed_forward.pp(0).pp("proj"))?,
            narrow: nn::linear(hidden, channels, &feed_forward.pp(2))?,
            number,
        })
    }

    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        let x = (x + self.attn1.itself(&self.norm1.forward(x)?)?)?;
        let normed = self.norm2.forward(&x)?;
        let x = (&x + self.attn2.forward(&normed, context.text, context.images, self.number)?)?;
        let hidden = nn::geglu(&self.widen.forward(&self.norm3.forward(&x)?)?)?;
        Ok((self.narrow.forward(&hidden)? + x)?)
    }
}
