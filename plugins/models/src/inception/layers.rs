//! A convolution with its batch norm and ReLU, and the pools.

use candle_core::Tensor;

use crate::Result;
use crate::convolution::{Convolution, Geometry};
use crate::tensors::Weights;

pub const ONE: Geometry = Geometry::square(1, 1, 0);
pub const THREE: Geometry = Geometry::square(3, 1, 1);
pub const FIVE: Geometry = Geometry::square(5, 1, 2);
/// Without padding.
pub const VALID: Geometry = Geometry::square(3, 1, 0);
/// Halves the sides.
pub const DOWN: Geometry = Geometry::square(3, 2, 0);
pub const ROW_3: Geometry = Geometry { kernel: [1, 3], stride: 1, padding: [0, 1] };
pub const COLUMN_3: Geometry = Geometry { kernel: [3, 1], stride: 1, padding: [1, 0] };
pub const ROW_7: Geometry = Geometry { kernel: [1, 7], stride: 1, padding: [0, 3] };
pub const COLUMN_7: Geometry = Geometry { kernel: [7, 1], stride: 1, padding: [3, 0] };

/// Epsilon of all batch norms.
const EPS: f64 = 1e-3;

/// `relu(batch_norm(conv(x)))`, the norm folded into the convolution.
pub struct BasicConv(Convolution);

impl BasicConv {
    pub fn load(weights: &Weights, inputs: usize, outputs: usize, geometry: Geometry) -> Result<Self> {
        let [rows, columns] = geometry.kernel;
        let weight = weights.pp("conv").get("weight", &[outputs, inputs, rows, columns])?;
        let norm = weights.pp("bn");
        let vector = |name: &str| norm.get(name, &[outputs]);
        let scale = (vector("weight")? / (vector("running_var")? + EPS)?.sqrt()?)?;
        let bias = (vector("bias")? - (vector("running_mean")? * &scale)?)?;
        let weight = weight.broadcast_mul(&scale.reshape((outputs, 1, 1, 1))?)?;
        Ok(Self(Convolution::new(weight, bias, geometry)))
    }

    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(self.0.forward(x)?.relu()?)
    }
}

/// What a branch may start with.
#[derive(Clone, Copy)]
pub enum Pool {
    /// The mean of 3x3 pixels, at the edge of those that there are.
    Average,
    /// The largest of 3x3 pixels.
    Max,
    /// The same, at every other pixel.
    MaxDown,
}

impl Pool {
    pub fn forward(self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Average => average(x),
            // What is pooled here is behind a ReLU, so zeros around it change no maximum.
            Self::Max => Ok(padded(x)?.max_pool2d_with_stride(3, 1)?),
            Self::MaxDown => max_pool(x),
        }
    }
}

/// 3x3, every other pixel.
pub fn max_pool(x: &Tensor) -> Result<Tensor> {
    Ok(x.max_pool2d_with_stride(3, 2)?)
}

fn padded(x: &Tensor) -> Result<Tensor> {
    Ok(x.pad_with_zeros(2, 1, 1)?.pad_with_zeros(3, 1, 1)?)
}

/// Of nine, as PyTorch counts them, then of those that are inside.
fn average(x: &Tensor) -> Result<Tensor> {
    let (_, _, height, width) = x.dims4()?;
    let inside = |at: usize, side: usize| (at.min(1) + 1 + (side - 1 - at).min(1)) as f32;
    let share = |y, x| 9.0 / (inside(y, height) * inside(x, width));
    let shares = (0..height).flat_map(|y| (0..width).map(move |x| share(y, x))).collect();
    let shares = Tensor::from_vec(shares, (1, 1, height, width), x.device())?;
    Ok(padded(x)?.avg_pool2d_with_stride(3, 1)?.broadcast_mul(&shares)?)
}
