//! The layers that all networks share, built from [`Weights`] under PyTorch's names (`weight`, `bias`).

use candle_core::{D, DType, Module, Tensor};
use candle_nn::{Embedding, GroupNorm, LayerNorm, Linear};

use crate::Result;
use crate::tensors::Weights;

/// `torch.nn.Linear(inputs, outputs)`: weight `(outputs, inputs)`, bias `(outputs)`.
pub fn linear(inputs: usize, outputs: usize, weights: &Weights) -> Result<Linear> {
    Ok(Linear::new(weights.get("weight", &[outputs, inputs])?, Some(weights.get("bias", &[outputs])?)))
}

/// `torch.nn.Linear(inputs, outputs, bias=False)`.
pub fn linear_no_bias(inputs: usize, outputs: usize, weights: &Weights) -> Result<Linear> {
    Ok(Linear::new(weights.get("weight", &[outputs, inputs])?, None))
}

/// `torch.nn.GroupNorm(groups, channels, eps)`.
pub fn group_norm(groups: usize, channels: usize, eps: f64, weights: &Weights) -> Result<GroupNorm> {
    let (weight, bias) = (weights.get("weight", &[channels])?, weights.get("bias", &[channels])?);
    Ok(GroupNorm::new(weight, bias, channels, groups, eps)?)
}

/// `torch.nn.LayerNorm(size, eps)`.
pub fn layer_norm(size: usize, eps: f64, weights: &Weights) -> Result<LayerNorm> {
    Ok(LayerNorm::new(weights.get("weight", &[size])?, weights.get("bias", &[size])?, eps))
}

/// `torch.nn.Embedding(count, size)`.
pub fn embedding(count: usize, size: usize, weights: &Weights) -> Result<Embedding> {
    Ok(Embedding::new(weights.get("weight", &[count, size])?, size))
}

/// A layer norm that can be trained. Candle's own cuts the graph on contiguous input without a word; where the weights are
/// variables it is put together from operations that do not.
pub(crate) struct TrainableNorm {
    norm: LayerNorm,
    eps: f64,
}

impl TrainableNorm {
    /// As [`layer_norm`].
    pub(crate) fn load(size: usize, eps: f64, weights: &Weights) -> Result<Self> {
        Ok(Self { norm: layer_norm(size, eps, weights)?, eps })
    }

    /// The normed rows of `x`, `(.., size)`.
    pub(crate) fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        let Some(bias) = self.norm.bias().filter(|_| self.norm.weight().is_variable()) else {
            return self.norm.forward(x);
        };
        let wide = x.to_dtype(DType::F32)?;
        let centred = wide.broadcast_sub(&wide.mean_keepdim(D::Minus1)?)?;
        let deviation = (centred.sqr()?.mean_keepdim(D::Minus1)? + self.eps)?.sqrt()?;
        let normed = centred.broadcast_div(&deviation)?.to_dtype(x.dtype())?;
        normed.broadcast_mul(self.norm.weight())?.broadcast_add(bias)
    }
}
