//! Pictures cut into patches: a convolution whose kernel is as wide as its stride, as the linear layer that it is, because candle
//! convolves no bf16 on processors.

use candle_core::{Module, Tensor};
use candle_nn::Linear;

use crate::Result;
use crate::tensors::Weights;

/// The layer from pixels to tokens.
pub(crate) struct Patches {
    layer: Linear,
    size: usize,
}

impl Patches {
    /// `weight` (hidden, channels, size, size) and, if it `has_bias`, `bias` (hidden).
    pub fn load(
        hidden: usize,
        channels: usize,
        size: usize,
        has_bias: bool,
        weights: &Weights,
    ) -> Result<Self> {
        let kernel = weights.get("weight", &[hidden, channels, size, size])?.flatten_from(1)?;
        let bias = has_bias.then(|| weights.get("bias", &[hidden])).transpose()?;
        Ok(Self { layer: Linear::new(kernel, bias), size })
    }

    /// (batch, channels, height, width) to (batch, patches, hidden), and the rows and columns of patches; what is left at the right
    /// and the bottom is not seen.
    pub fn forward(&self, pictures: &Tensor) -> candle_core::Result<(Tensor, [usize; 2])> {
        let (batch, channels, height, width) = pictures.dims4()?;
        let (size, rows, columns) = (self.size, height / self.size, width / self.size);
        let whole = pictures.narrow(2, 0, rows * size)?.narrow(3, 0, columns * size)?.contiguous()?;
        let split = whole.reshape(&[batch, channels, rows, size, columns, size])?;
        let split = split.permute([0, 2, 4, 1, 3, 5])?.contiguous()?;
        let split = split.reshape((batch, rows * columns, channels * size * size))?;
        Ok((self.layer.forward(&split)?, [rows, columns]))
    }
}
