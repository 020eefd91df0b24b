//! The up path of the U.

use candle_core::Tensor;

use super::resnet::ResnetBlock;
use super::sampling::Upsample;
use super::transformer::Transformer;
use super::{Context, Counter, Sizes};
use crate::Result;
use crate::stable_diffusion::config::{Level, UNetConfig};
use crate::tensors::Weights;

/// `CrossAttnUpBlock2D` or `UpBlock2D`.
pub struct UpBlock {
    layers: Vec<(ResnetBlock, Option<Transformer>)>,
    upsample: Option<Upsample>,
}

impl UpBlock {
    /// Block `index` of the up path, counted from the coarsest level. `weights` is the network's root.
    pub fn new(config: &UNetConfig, index: usize, counter: &mut Counter, weights: &Weights) -> Result<Self> {
        let weights = weights.pp("up_blocks").pp(index);
        let levels = &config.encoder.levels;
        let at = levels.len() - 1 - index;
        let Level { channels, layers, heads, transformers, .. } = levels[at];
        // What comes from below, and the skip of the finer level that this one's last layer meets.
        let below = levels[(at + 1).min(levels.len() - 1)].channels;
        let finer = levels[at.saturating_sub(1)].channels;
        let sizes = Sizes { config: &config.encoder, channels, heads, transformers };
        let mut built = Vec::with_capacity(layers + 1);
        for i in 0..=layers {
            let from = if i == 0 { below } else { channels };
            let skip = if i == layers { finer } else { channels };
            let resnet =
                ResnetBlock::new(&config.encoder, from + skip, channels, &weights.pp("resnets").pp(i))?;
            let transformer = config.up_attends[index]
                .then(|| Transformer::new(sizes, counter, &weights.pp("attentions").pp(i)))
                .transpose()?;
            built.push((resnet, transformer));
        }
        let upsample =
            (at > 0).then(|| Upsample::new(channels, &weights.pp("upsamplers").pp(0))).transpose()?;
        Ok(Self { layers: built, upsample })
    }

    /// Takes one skip from the end of `skips` for each layer, and grows to the size of the next one.
    pub fn forward(&self, x: &Tensor, skips: &mut Vec<Tensor>, context: &Context) -> Result<Tensor> {
        let mut x = x.clone();
        for (resnet, transformer) in &self.layers {
            if let Some(skip) = skips.pop() {
                x = Tensor::cat(&[&x, &skip], 1)?;
            }
            x = resnet.forward(&x, &context.time)?;
            if let Some(transformer) = transformer {
                x = transformer.forward(&x, context)?;
            }
        }
        match (&self.upsample, skips.last()) {
            (Some(upsample), Some(next)) => {
                let (_, _, height, width) = next.dims4()?;
                upsample.forward(&x, (height, width))
            }
            _ => Ok(x),
        }
    }
}
