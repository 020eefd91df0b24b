//! The down path of the U, shared by UNet and ControlNet.

use candle_core::Tensor;

use super::resnet::ResnetBlock;
use super::sampling::Downsample;
use super::transformer::Transformer;
use super::{Context, Counter, Sizes};
use crate::Result;
use crate::stable_diffusion::config::{EncoderConfig, Level};
use crate::stable_diffusion::nn::{self, Conv2d};
use crate::tensors::Weights;

/// `conv_in` and `down_blocks`.
pub struct Encoder {
    conv_in: Conv2d,
    blocks: Vec<DownBlock>,
}

impl Encoder {
    /// `weights` is the network's root.
    pub fn new(config: &EncoderConfig, counter: &mut Counter, weights: &Weights) -> Result<Self> {
        let first = config.first_channels();
        let conv_in = nn::conv2d(config.in_channels, first, 3, 1, 1, &weights.pp("conv_in"))?;
        let mut inputs = first;
        let mut blocks = Vec::with_capacity(config.levels.len());
        for (i, level) in config.levels.iter().enumerate() {
            let last = i + 1 == config.levels.len();
            let weights = weights.pp("down_blocks").pp(i);
            blocks.push(DownBlock::new(config, level, inputs, last, counter, &weights)?);
            inputs = level.channels;
        }
        Ok(Self { conv_in, blocks })
    }

    /// The first convolution, to which a ControlNet adds its picture.
    pub fn enter(&self, sample: &Tensor) -> Result<Tensor> {
        self.conv_in.forward(sample)
    }

    /// From behind [`Encoder::enter`] to the coarsest resolution: (its states, all skips from first to last).
    pub fn forward(&self, x: Tensor, context: &Context) -> Result<(Tensor, Vec<Tensor>)> {
        let mut skips = vec![x];
        for block in &self.blocks {
            block.forward(&mut skips, context)?;
        }
        // The last skip is the state that leaves the path; there is one from the start.
        let state = skips[skips.len() - 1].clone();
        Ok((state, skips))
    }
}

/// `CrossAttnDownBlock2D` or `DownBlock2D`.
struct DownBlock {
    layers: Vec<(ResnetBlock, Option<Transformer>)>,
    downsample: Option<Downsample>,
}

impl DownBlock {
    fn new(
        config: &EncoderConfig,
        level: &Level,
        inputs: usize,
        last: bool,
        counter: &mut Counter,
        weights: &Weights,
    ) -> Result<Self> {
        let Level { channels, layers, heads, transformers, attends } = *level;
        let sizes = Sizes { config, channels, heads, transformers };
        let mut built = Vec::with_capacity(layers);
        for i in 0..layers {
            let from = if i == 0 { inputs } else { channels };
            let resnet = ResnetBlock::new(config, from, channels, &weights.pp("resnets").pp(i))?;
            let transformer = attends
                .then(|| Transformer::new(sizes, counter, &weights.pp("attentions").pp(i)))
                .transpose()?;
            built.push((resnet, transformer));
        }
        let downsample =
            (!last).then(|| Downsample::new(channels, &weights.pp("downsamplers").pp(0))).transpose()?;
        Ok(Self { layers: built, downsample })
    }

    /// Goes on from the last of `skips`, and adds a skip for each layer and for the downsampling.
    fn forward(&self, skips: &mut Vec<Tensor>, context: &Context) -> Result<()> {
        let mut x = skips[skips.len() - 1].clone();
        for (resnet, transformer) in &self.layers {
            x = resnet.forward(&x, &context.time)?;
            if let Some(transformer) = transformer {
                x = transformer.forward(&x, context)?;
            }
            skips.push(x.clone());
        }
        if let Some(downsample) = &self.downsample {
            skips.push(downsample.forward(&x)?);
        }
        Ok(())
    }
}
