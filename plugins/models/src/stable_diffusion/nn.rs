//! The layers of the denoising networks, in PyTorch's layout (`(N, C, H, W)` pictures, `(N, tokens, C)` sequences). Each has
//! two forms: the kernels of [`crate::cpu`], and candle's operations for all other devices and element types.

use candle_core::{D, DType, Device, Tensor};
use candle_nn::Module;

use crate::cpu::{self, linear::Packed, math, norm, set};
use crate::layers;
use crate::tensors::Weights;
use crate::{ModelError, Result};

pub use crate::convolution::{Convolution as Conv2d, conv2d};

/// A linear layer.
pub enum Linear {
    /// In float32 on the CPU.
    Packed(Packed),
    /// Anywhere else.
    Plain(candle_nn::Linear),
}

/// `torch.nn.Linear(inputs, outputs)`.
///
/// # Errors
/// As [`Weights::get`].
pub fn linear(inputs: usize, outputs: usize, weights: &Weights) -> Result<Linear> {
    Linear::new(layers::linear(inputs, outputs, weights)?)
}

/// `torch.nn.Linear(inputs, outputs, bias=False)`.
///
/// # Errors
/// As [`Weights::get`].
pub fn linear_no_bias(inputs: usize, outputs: usize, weights: &Weights) -> Result<Linear> {
    Linear::new(layers::linear_no_bias(inputs, outputs, weights)?)
}

impl Linear {
    fn new(plain: candle_nn::Linear) -> Result<Self> {
        if !cpu::takes(plain.weight()) {
            return Ok(Self::Plain(plain));
        }
        let (outputs, inputs) = plain.weight().dims2()?;
        let bias = plain.bias().map(Tensor::to_vec1::<f32>).transpose()?;
        let packed =
            cpu::with_values([plain.weight()], |[weight]| Ok(Packed::new(weight, bias, inputs, outputs)))?;
        Ok(packed.map_or(Self::Plain(plain), Self::Packed))
    }

    /// `(.., inputs)` to `(.., outputs)`.
    ///
    /// # Errors
    /// An input of another width or type, and failures of the device.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let packed = match self {
            Self::Plain(plain) => return Ok(plain.forward(x)?),
            Self::Packed(packed) => packed,
        };
        if !cpu::takes(x) || x.dims().last() != Some(&packed.inputs()) {
            return Err(ModelError::Input {
                found: format!(
                    "{:?} {:?} where a layer takes {} values",
                    x.dtype(),
                    x.dims(),
                    packed.inputs()
                ),
                expected: "float32 on the CPU, as the weights are, of the layer's width",
            });
        }
        let values = cpu::with_values([x], |[x]| Ok(packed.run(x)))?;
        let mut shape = x.dims().to_vec();
        if let Some(width) = shape.last_mut() {
            *width = packed.outputs();
        }
        Ok(Tensor::from_vec(values, shape, &Device::Cpu)?)
    }
}

/// Layer norm over the last dimension.
pub struct LayerNorm {
    norm: candle_nn::LayerNorm,
    eps: f64,
}

/// `torch.nn.LayerNorm(size, eps)`.
///
/// # Errors
/// As [`Weights::get`].
pub fn layer_norm(size: usize, eps: f64, weights: &Weights) -> Result<LayerNorm> {
    Ok(LayerNorm { norm: layers::layer_norm(size, eps, weights)?, eps })
}

impl LayerNorm {
    /// The normalised rows.
    ///
    /// # Errors
    /// An input of another width, and failures of the device.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let fits = cpu::takes(x) && x.dims().last() == self.norm.weight().dims().first();
        let (Some(bias), Some(set)) = (self.norm.bias(), set().filter(|_| fits)) else {
            return self.generic(x);
        };
        let values = cpu::with_values([x, self.norm.weight(), bias], |[x, weight, bias]| {
            Ok(norm::layer_norm(set, x, weight, bias, self.eps))
        })?;
        Ok(Tensor::from_vec(values, x.dims(), &Device::Cpu)?)
    }

    /// Candle's fused operation knows no float64.
    fn generic(&self, x: &Tensor) -> Result<Tensor> {
        match self.norm.bias() {
            Some(bias) if x.dtype() == DType::F64 => {
                Ok(candle_nn::ops::layer_norm_slow(x, self.norm.weight(), bias, self.eps as f32)?)
            }
            _ => Ok(self.norm.forward(x)?),
        }
    }
}

/// Group norm, with or without the SiLU that follows it everywhere in residual blocks.
pub struct GroupNorm {
    norm: candle_nn::GroupNorm,
    weight: Tensor,
    bias: Tensor,
    groups: usize,
    eps: f64,
}

impl GroupNorm {
    /// `torch.nn.GroupNorm(groups, channels, eps)`.
    ///
    /// # Errors
    /// As [`Weights::get`].
    pub fn new(groups: usize, channels: usize, eps: f64, weights: &Weights) -> Result<Self> {
        let (weight, bias) = (weights.get("weight", &[channels])?, weights.get("bias", &[channels])?);
        let norm = candle_nn::GroupNorm::new(weight.clone(), bias.clone(), channels, groups, eps)?;
        Ok(Self { norm, weight, bias, groups, eps })
    }

    /// The norm alone.
    ///
    /// # Errors
    /// An input of another shape, and failures of the device.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.run(x, false)
    }

    /// `silu(norm(x))`.
    ///
    /// # Errors
    /// An input of another shape, and failures of the device.
    pub fn silu(&self, x: &Tensor) -> Result<Tensor> {
        self.run(x, true)
    }

    fn run(&self, x: &Tensor, activate: bool) -> Result<Tensor> {
        let fits = cpu::takes(x) && x.dims().get(1) == self.weight.dims().first();
        let Some(set) = set().filter(|_| fits) else {
            let normed = self.norm.forward(x)?;
            return if activate { Ok(normed.silu()?) } else { Ok(normed) };
        };
        let pixels = x.dims()[2..].iter().product();
        let values = cpu::with_values([x, &self.weight, &self.bias], |[x, weight, bias]| {
            let norm = norm::GroupNorm { groups: self.groups, eps: self.eps, weight, bias, activate };
            Ok(norm.run(set, x, pixels))
        })?;
        Ok(Tensor::from_vec(values, x.dims(), &Device::Cpu)?)
    }
}

/// `x / (1 + e^-x)`.
///
/// # Errors
/// Failures of the device.
pub fn silu(x: &Tensor) -> Result<Tensor> {
    let Some(set) = set().filter(|_| cpu::takes(x)) else { return Ok(x.silu()?) };
    let values = cpu::with_values([x], |[x]| Ok(math::silu_all(set, x)))?;
    Ok(Tensor::from_vec(values, x.dims(), &Device::Cpu)?)
}

/// `x * gelu(gate)` with the exact (erf) GELU, where `projected`, `(.., 2 C)`, holds `x` first and the gate behind it.
///
/// # Errors
/// Failures of the device.
pub fn geglu(projected: &Tensor) -> Result<Tensor> {
    let Some(set) = set().filter(|_| cpu::takes(projected)) else {
        let halves = projected.chunk(2, D::Minus1)?;
        return Ok((&halves[0] * halves[1].gelu_erf()?)?);
    };
    let mut shape = projected.dims().to_vec();
    let width = shape.last().copied().unwrap_or_default() / 2;
    if let Some(last) = shape.last_mut() {
        *last = width;
    }
    let values = cpu::with_values([projected], |[rows]| Ok(math::geglu(set, rows, width)))?;
    Ok(Tensor::from_vec(values, shape, &Device::Cpu)?)
}
