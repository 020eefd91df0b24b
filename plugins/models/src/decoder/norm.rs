//! Root-mean-square norm (Zhang and Sennrich, 2019): `weight * x / sqrt(mean(x^2) + eps)`, the mean at least in float32.

use candle_core::{D, DType, Device, Tensor};

use super::Pass;
use super::gradient::{with_backward, with_backward2};
use crate::Result;
use crate::cpu::{self, norm};
use crate::tensors::{Parameter, Weights};

/// The type that sums are formed in: float32, or float64 for float64.
pub(super) const fn wide(dtype: DType) -> DType {
    if matches!(dtype, DType::F64) { DType::F64 } else { DType::F32 }
}

/// `LlamaRMSNorm`.
#[derive(Clone)]
pub(super) struct RmsNorm {
    weight: Tensor,
    eps: f64,
    /// The weight, where it is trained.
    own: Option<Parameter>,
}

impl RmsNorm {
    pub(super) fn load(size: usize, eps: f64, weights: &Weights) -> Result<Self> {
        let weight = weights.get("weight", &[size])?;
        Ok(Self { own: weights.parameter("weight", &weight), weight: weight.detach(), eps })
    }

    /// The normalised rows of `x`, `(.., size)`.
    pub(super) fn forward(&self, x: &Tensor, pass: Pass) -> Result<Tensor> {
        if !pass.is_training() {
            return self.run(x);
        }
        let (input, weight, eps) = (x.detach(), self.weight.clone(), self.eps);
        let result = self.run(&input)?;
        let name = "root-mean-square norm";
        match &self.own {
            None => with_backward(name, x, result, move |grad| backward(&input, &weight, eps, grad)),
            Some(own) => with_backward2(name, [x, &own.tensor], result, move |grad| {
                Ok([backward(&input, &weight, eps, grad)?, by_weight(&input, eps, grad)?])
            }),
        }
    }

    /// The weight, if it is trained.
    pub(super) fn parameter(&self) -> Option<&Parameter> {
        self.own.as_ref()
    }

    fn run(&self, x: &Tensor) -> Result<Tensor> {
        let fits = cpu::takes(x) && x.dims().last() == self.weight.dims().first();
        if let Some(set) = cpu::set().filter(|_| fits) {
            let values = cpu::with_values([x, &self.weight], |[x, weight]| {
                Ok(norm::rms_norm(set, x, weight, self.eps))
            })?;
            return Ok(Tensor::from_vec(values, x.dims(), &Device::Cpu)?);
        }
        let wide = x.to_dtype(wide(x.dtype()))?;
        let normed = wide.broadcast_mul(&factor(&wide, self.eps)?)?.to_dtype(x.dtype())?;
        Ok(normed.broadcast_mul(&self.weight)?)
    }
}

/// `1 / sqrt(mean(x^2) + eps)` of each row.
fn factor(x: &Tensor, eps: f64) -> candle_core::Result<Tensor> {
    (x.sqr()?.mean_keepdim(D::Minus1)? + eps)?.sqrt()?.recip()
}

/// The normed rows times the gradient, summed over rows.
fn by_weight(x: &Tensor, eps: f64, grad: &Tensor) -> candle_core::Result<Tensor> {
    let dtype = x.dtype();
    let (x, grad) = (x.to_dtype(wide(dtype))?, grad.to_dtype(wide(dtype))?);
    let normed = x.broadcast_mul(&factor(&x, eps)?)?;
    (normed * grad)?.reshape(((), x.dim(D::Minus1)?))?.sum(0)?.to_dtype(dtype)
}

/// With `r` the factor and `g` the gradient times the weight: `r g - x r^3 mean(g x)`.
fn backward(x: &Tensor, weight: &Tensor, eps: f64, grad: &Tensor) -> candle_core::Result<Tensor> {
    let dtype = x.dtype();
    let (x, grad) = (x.to_dtype(wide(dtype))?, grad.to_dtype(wide(dtype))?);
    let grad = grad.broadcast_mul(&weight.to_dtype(wide(dtype))?)?;
    let factor = factor(&x, eps)?;
    let share = ((&grad * &x)?.mean_keepdim(D::Minus1)? * factor.powf(3.0)?)?;
    (grad.broadcast_mul(&factor)? - x.broadcast_mul(&share)?)?.to_dtype(dtype)
}
