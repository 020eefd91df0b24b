//! The forward pass on candle's operators: any device, and a second opinion on the CPU kernels.

use candle_core::{D, Device, Tensor};

use super::{
    CLASSES, FEATURES,
    plan::{FoldedNetwork, Kind, Layer, Then, same_padding},
};
use crate::Result;

/// EfficientNet-Lite0 as candle tensors.
pub struct Network {
    layers: Vec<(Layer, Tensor, Tensor)>,
    fc_weight: Tensor,
    fc_bias: Tensor,
}

impl Network {
    /// Copies the weights to `device`.
    pub fn new(network: &FoldedNetwork, device: &Device) -> Result<Self> {
        let mut layers = Vec::with_capacity(network.layers.len());
        for folded in &network.layers {
            let layer = folded.layer.clone();
            let inner = if layer.kind == Kind::Depthwise { 1 } else { layer.input };
            let shape = (layer.output, inner, layer.kernel, layer.kernel);
            let weight = Tensor::from_slice(&folded.weight, shape, device)?;
            let bias = Tensor::from_slice(&folded.bias, (1, layer.output, 1, 1), device)?;
            layers.push((layer, weight, bias));
        }
        let fc_weight = Tensor::from_slice(&network.fc_weight, (CLASSES, FEATURES), device)?.t()?;
        let fc_bias = Tensor::from_slice(&network.fc_bias, CLASSES, device)?;
        Ok(Self { layers, fc_weight, fc_bias })
    }

    /// `(N, 3, H, W)` to `(N, 1280)`.
    pub fn features(&self, images: &Tensor) -> Result<Tensor> {
        let mut x = images.clone();
        let mut block_input = x.clone();
        for (layer, weight, bias) in &self.layers {
            if layer.begins_block {
                block_input = x.clone();
            }
            let y = convolve(&x, layer, weight)?.broadcast_add(bias)?;
            x = match layer.then {
                Then::Relu6 => y.clamp(0f32, 6f32)?,
                Then::Linear => y,
                Then::AddBlockInput => (y + &block_input)?,
            };
        }
        Ok(x.mean(D::Minus1)?.mean(D::Minus1)?)
    }

    /// `(N, 1280)` to `(N, 1000)`.
    pub fn classify(&self, features: &Tensor) -> Result<Tensor> {
        Ok(features.matmul(&self.fc_weight)?.broadcast_add(&self.fc_bias)?)
    }
}

fn convolve(x: &Tensor, layer: &Layer, weight: &Tensor) -> Result<Tensor> {
    let (_, _, height, width) = x.dims4()?;
    let (_, top, bottom) = same_padding(height, layer.kernel, layer.stride);
    let (_, left, right) = same_padding(width, layer.kernel, layer.stride);
    let padded = x.pad_with_zeros(2, top, bottom)?.pad_with_zeros(3, left, right)?;
    let groups = if layer.kind == Kind::Depthwise { layer.input } else { 1 };
    Ok(padded.conv2d(weight, 0, layer.stride, 1, groups)?)
}
