//! The parts that UNet and ControlNet are made of, under diffusers' names.

mod attention;
mod encoder;
mod mid;
mod resnet;
mod sampling;
mod transformer;
mod up;

pub(super) use encoder::Encoder;
pub(super) use mid::MidBlock;
pub(super) use up::UpBlock;

use candle_core::Tensor;

use super::config::EncoderConfig;
use super::ip_adapter::ImagePrompt;

/// What every block of one forward pass sees.
pub(super) struct Context<'a> {
    /// `silu` of the time embedding, `(batch, time_dim)`: residual blocks project nothing else.
    pub time: Tensor,
    /// The text encoder's states, `(batch, tokens, cross_attention_dim)`.
    pub text: &'a Tensor,
    /// Pictures to attend to beside the text.
    pub images: &'a [ImagePrompt],
}

/// Gives every cross attention its number, in the order in which IP-Adapter counts them.
#[derive(Default)]
pub(super) struct Counter(usize);

impl Counter {
    fn next(&mut self) -> usize {
        self.0 += 1;
        self.0 - 1
    }
}

/// Sizes of one residual block and of the transformer behind it.
#[derive(Clone, Copy)]
struct Sizes<'a> {
    config: &'a EncoderConfig,
    channels: usize,
    heads: usize,
    transformers: usize,
}
