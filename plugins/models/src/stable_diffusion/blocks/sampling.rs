//! From one resolution to the next.

use candle_core::Tensor;

use crate::Result;
use crate::stable_diffusion::nn::{self, Conv2d};
use crate::tensors::Weights;

/// `Downsample2D`: a 3x3 convolution with stride 2.
pub struct Downsample {
    conv: Conv2d,
}

impl Downsample {
    pub fn new(channels: usize, weights: &Weights) -> Result<Self> {
        Ok(Self { conv: nn::conv2d(channels, channels, 3, 2, 1, &weights.pp("conv"))? })
    }

    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.conv.forward(x)
    }
}

/// `Upsample2D`: nearest neighbour, then a 3x3 convolution.
pub struct Upsample {
    conv: Conv2d,
}

impl Upsample {
    pub fn new(channels: usize, weights: &Weights) -> Result<Self> {
        Ok(Self { conv: nn::conv2d(channels, channels, 3, 1, 1, &weights.pp("conv"))? })
    }

    /// To `size` (height, width): that of the skip it meets, which is odd where the latent is not divisible.
    pub fn forward(&self, x: &Tensor, size: (usize, usize)) -> Result<Tensor> {
        self.conv.forward(&x.upsample_nearest2d(size.0, size.1)?)
    }
}
