//! The layers that all networks share, built from [`Weights`] under PyTorch's names (`weight`, `bias`).

use candle_nn::{Conv2d, Conv2dConfig, Embedding, GroupNorm, LayerNorm, Linear};

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

/// `torch.nn.Conv2d(inputs, outputs, kernel, stride, padding)` with a square kernel and a bias.
pub fn conv2d(
    inputs: usize,
    outputs: usize,
    kernel: usize,
    stride: usize,
    padding: usize,
    weights: &Weights,
) -> Result<Conv2d> {
    let config = Conv2dConfig { stride, padding, ..Conv2dConfig::default() };
    let weight = weights.get("weight", &[outputs, inputs, kernel, kernel])?;
    Ok(Conv2d::new(weight, Some(weights.get("bias", &[outputs])?), config))
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
