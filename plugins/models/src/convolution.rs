//! Convolutions of `(N, C, H, W)` pictures in PyTorch's layout, in two forms: the kernel of [`crate::cpu`], and candle's operation for
//! all other devices and element types.

use candle_core::{Device, Tensor};

use crate::Result;
use crate::cpu::{self, conv, set};
use crate::tensors::Weights;

/// What a convolution is besides its weights.
#[derive(Clone, Copy, Debug)]
pub struct Geometry {
    /// Rows and columns of the kernel.
    pub kernel: [usize; 2],
    /// Pixels between two outputs, in both directions.
    pub stride: usize,
    /// Zeros before the first and behind the last row, and column.
    pub padding: [usize; 2],
}

impl Geometry {
    /// A square kernel.
    pub const fn square(kernel: usize, stride: usize, padding: usize) -> Self {
        Self { kernel: [kernel; 2], stride, padding: [padding; 2] }
    }
}

/// A convolution with a bias.
pub struct Convolution {
    weight: Tensor,
    bias: Tensor,
    geometry: Geometry,
}

/// `torch.nn.Conv2d(inputs, outputs, kernel, stride, padding)` with a square kernel and a bias.
///
/// # Errors
/// As [`Weights::get`].
pub fn conv2d(
    inputs: usize,
    outputs: usize,
    kernel: usize,
    stride: usize,
    padding: usize,
    weights: &Weights,
) -> Result<Convolution> {
    let weight = weights.get("weight", &[outputs, inputs, kernel, kernel])?;
    let geometry = Geometry::square(kernel, stride, padding);
    Ok(Convolution::new(weight, weights.get("bias", &[outputs])?, geometry))
}

impl Convolution {
    /// Of a weight `(outputs, inputs, rows, columns)` and a bias `(outputs)`.
    pub const fn new(weight: Tensor, bias: Tensor, geometry: Geometry) -> Self {
        Self { weight, bias, geometry }
    }

    /// `(N, inputs, H, W)` to `(N, outputs, H', W')`.
    ///
    /// # Errors
    /// An input of another shape, and failures of the device.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let Some(set) = set().filter(|_| cpu::takes(x) && cpu::takes(&self.weight)) else {
            return self.generic(x);
        };
        let (batch, inputs, height, width) = x.dims4()?;
        let (outputs, expected, _, _) = self.weight.dims4()?;
        let Geometry { kernel, stride, padding } = self.geometry;
        if inputs != expected || height + 2 * padding[0] < kernel[0] || width + 2 * padding[1] < kernel[1] {
            // Candle says what is wrong.
            return self.generic(x);
        }
        let shape = conv::Shape { batch, inputs, outputs, height, width, kernel, stride, padding };
        let values = cpu::with_values([x, &self.weight, &self.bias], |[x, weight, bias]| {
            Ok(conv::conv2d(set, shape, x, weight, bias))
        })?;
        let (height, width) = shape.output();
        Ok(Tensor::from_vec(values, (batch, outputs, height, width), &Device::Cpu)?)
    }

    fn generic(&self, x: &Tensor) -> Result<Tensor> {
        let Geometry { stride, padding: [rows, columns], .. } = self.geometry;
        // Candle pads all four sides alike.
        let y = if rows == columns {
            x.conv2d(&self.weight, rows, stride, 1, 1)?
        } else {
            let padded = x.pad_with_zeros(2, rows, rows)?.pad_with_zeros(3, columns, columns)?;
            padded.conv2d(&self.weight, 0, stride, 1, 1)?
        };
        Ok(y.broadcast_add(&self.bias.reshape((1, (), 1, 1))?)?)
    }
}
