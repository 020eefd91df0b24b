//! The layers of the backbones.

use candle_core::Tensor;

use crate::Result;
use crate::convolution::{Convolution, conv2d};
use crate::tensors::Weights;

/// A layer without its weights.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A convolution with a bias.
    Conv {
        inputs: usize,
        outputs: usize,
        kernel: usize,
        stride: usize,
        padding: usize,
    },
    Relu,
    /// The largest of a square, without padding; `whole` goes on where the last square is only partly inside.
    Max {
        kernel: usize,
        stride: usize,
        whole: bool,
    },
    /// SqueezeNet's: a narrow layer, then two wide ones side by side.
    Fire {
        inputs: usize,
        narrow: usize,
        wide: usize,
    },
    /// A blur of [1, 2, 1] / 4 in both directions, then every other pixel.
    Blur,
}

/// A layer with its weights.
pub enum Layer {
    Conv(Convolution),
    Relu,
    Max { kernel: usize, stride: usize, whole: bool },
    Fire { squeeze: Convolution, expand: [Convolution; 2] },
    Blur,
}

impl Kind {
    pub fn load(self, weights: &Weights) -> Result<Layer> {
        Ok(match self {
            Self::Conv { inputs, outputs, kernel, stride, padding } => {
                Layer::Conv(conv2d(inputs, outputs, kernel, stride, padding, weights)?)
            }
            Self::Relu => Layer::Relu,
            Self::Max { kernel, stride, whole } => Layer::Max { kernel, stride, whole },
            Self::Fire { inputs, narrow, wide } => Layer::Fire {
                squeeze: conv2d(inputs, narrow, 1, 1, 0, &weights.pp("squeeze"))?,
                expand: [
                    conv2d(narrow, wide, 1, 1, 0, &weights.pp("expand1x1"))?,
                    conv2d(narrow, wide, 3, 1, 1, &weights.pp("expand3x3"))?,
                ],
            },
            Self::Blur => Layer::Blur,
        })
    }
}

impl Layer {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Conv(conv) => conv.forward(x),
            Self::Relu => Ok(x.relu()?),
            Self::Max { kernel, stride, whole } => {
                // What is pooled is behind a ReLU, so zeros beyond the edge change no maximum.
                let x = if *whole { rounded_up(x, *kernel, *stride)? } else { x.clone() };
                Ok(x.max_pool2d_with_stride(*kernel, *stride)?)
            }
            Self::Fire { squeeze, expand: [one, three] } => {
                let narrow = squeeze.forward(x)?.relu()?;
                Ok(Tensor::cat(&[one.forward(&narrow)?, three.forward(&narrow)?], 1)?.relu()?)
            }
            Self::Blur => blur(x),
        }
    }
}

fn rounded_up(x: &Tensor, kernel: usize, stride: usize) -> Result<Tensor> {
    let (_, _, height, width) = x.dims4()?;
    let missing = |side: usize| (stride - side.saturating_sub(kernel) % stride) % stride;
    Ok(x.pad_with_zeros(2, 0, missing(height))?.pad_with_zeros(3, 0, missing(width))?)
}

/// Pixels that the blur looks beyond the edge, where the picture is mirrored at its outermost pixels.
const MARGIN: usize = 2;

/// (N, C, H, W) to (N, C, H / 2 + 1, W / 2 + 1), rounded up from (H + 1) / 2 and (W + 1) / 2.
fn blur(x: &Tensor) -> Result<Tensor> {
    Ok(blur_along(&blur_along(x, 2)?, 3)?)
}

/// One direction: the binomial of three pixels at every other place.
fn blur_along(x: &Tensor, axis: usize) -> candle_core::Result<Tensor> {
    let side = x.dim(axis)?;
    let outputs = (side + 2 * MARGIN - 3) / 2 + 1;
    let at = |tap: usize| -> candle_core::Result<Tensor> {
        let places: Vec<u32> = (0..outputs).map(|out| mirrored(2 * out + tap, side)).collect();
        x.index_select(&Tensor::from_vec(places, outputs, x.device())?, axis)
    };
    ((at(0)? + at(2)?)? * 0.25)? + (at(1)? * 0.5)?
}

/// The pixel at a place of the widened axis, which starts [`MARGIN`] before the first.
fn mirrored(place: usize, side: usize) -> u32 {
    let at = place.abs_diff(MARGIN);
    let last = side - 1;
    (if at > last { (2 * last).saturating_sub(at) } else { at }) as u32
}
