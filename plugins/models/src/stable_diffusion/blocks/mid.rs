//! The middle of the U, at the coarsest resolution.

use candle_core::Tensor;

use super::resnet::ResnetBlock;
use super::transformer::Transformer;
use super::{Context, Counter, Sizes};
use crate::Result;
use crate::stable_diffusion::config::EncoderConfig;
use crate::tensors::Weights;

/// `UNetMidBlock2DCrossAttn`, or `UNetMidBlock2D` without attention, which is one residual block.
pub struct MidBlock {
    first: ResnetBlock,
    rest: Option<(Transformer, ResnetBlock)>,
}

impl MidBlock {
    /// `weights` is the network's root.
    pub fn new(config: &EncoderConfig, counter: &mut Counter, weights: &Weights) -> Result<Self> {
        let weights = weights.pp("mid_block");
        let (channels, heads, transformers) =
            config.levels.last().map_or((0, 1, 0), |l| (l.channels, l.heads, l.transformers));
        let resnet = |i: usize| ResnetBlock::new(config, channels, channels, &weights.pp("resnets").pp(i));
        let first = resnet(0)?;
        if !config.mid_attends {
            return Ok(Self { first, rest: None });
        }
        let sizes = Sizes { config, channels, heads, transformers };
        let transformer = Transformer::new(sizes, counter, &weights.pp("attentions").pp(0))?;
        Ok(Self { first, rest: Some((transformer, resnet(1)?)) })
    }

    pub fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        let x = self.first.forward(x, &context.time)?;
        match &self.rest {
            Some((transformer, second)) => second.forward(&transformer.forward(&x, context)?, &context.time),
            None => Ok(x),
        }
    }
}
