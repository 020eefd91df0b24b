//! The layers of the denoising networks, in PyTorch's layout (`(N, C, H, W)` pictures, `(N, tokens, C)` sequences).

use candle_core::Tensor;
use candle_nn::Module;

use crate::Result;
use crate::layers;
use crate::tensors::Weights;

pub use candle_nn::{Conv2d, LayerNorm, Linear};
pub use layers::{conv2d, layer_norm, linear, linear_no_bias};

/// Group norm, with or without the SiLU that follows it everywhere in residual blocks.
pub struct GroupNorm {
    norm: candle_nn::GroupNorm,
}

impl GroupNorm {
    /// `torch.nn.GroupNorm(groups, channels, eps)`.
    ///
    /// # Errors
    /// As [`Weights::get`].
    pub fn new(groups: usize, channels: usize, eps: f64, weights: &Weights) -> Result<Self> {
        Ok(Self { norm: layers::group_norm(groups, channels, eps, weights)? })
    }

    /// The norm alone.
    ///
    /// # Errors
    /// Failures of the device.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(self.norm.forward(x)?)
    }

    /// `silu(norm(x))`.
    ///
    /// # Errors
    /// Failures of the device.
    pub fn silu(&self, x: &Tensor) -> Result<Tensor> {
        Ok(self.norm.forward(x)?.silu()?)
    }
}

/// `x * gelu(gate)` with the exact (erf) GELU, where `projected`, `(.., 2 C)`, holds `x` first and the gate behind it.
///
/// # Errors
/// Failures of the device.
pub fn geglu(projected: &Tensor) -> Result<Tensor> {
    let halves = projected.chunk(2, candle_core::D::Minus1)?;
    Ok((&halves[0] * halves[1].gelu_erf()?)?)
}
