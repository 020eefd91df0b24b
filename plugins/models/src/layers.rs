//! The layers that all networks share, built from [`Weights`] under PyTorch's names (`weight`, `bias`).

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
