//! Tensors and single numbers, rounded as PyTorch rounds them on the CPU.

use candle_core::{DType, Tensor};

use crate::Result;

pub(super) fn to_f32(tensor: &Tensor) -> Result<Tensor> {
    Ok(tensor.to_dtype(DType::F32)?)
}

/// `tensor * number`
pub(super) fn times(tensor: &Tensor, number: f32) -> Result<Tensor> {
    Ok(tensor.affine(f64::from(number), 0.0)?)
}

/// `tensor / number`. candle would multiply with the reciprocal, which rounds otherwise.
pub(super) fn over(tensor: &Tensor, number: f32) -> Result<Tensor> {
    Ok(tensor.broadcast_div(&Tensor::new(number, tensor.device())?)?)
}

/// Sum of products, from left to right: `a[0] * n[0] + a[1] * n[1] + ...`
pub(super) fn combine(terms: &[(&Tensor, f32)]) -> Result<Tensor> {
    let mut sum: Option<Tensor> = None;
    for (tensor, number) in terms {
        let term = times(tensor, *number)?;
        sum = Some(match sum {
            Some(sum) => (sum + term)?,
            None => term,
        });
    }
    sum.ok_or_else(|| candle_core::Error::Msg("a sum without terms".to_owned()).into())
}

/// Transcendental functions in f64, rounded once: within half a unit of the last place, as PyTorch's mostly are.
pub(super) fn ln(x: f32) -> f32 {
    f64::from(x).ln() as f32
}

/// See [`ln`].
pub(super) fn exp(x: f32) -> f32 {
    f64::from(x).exp() as f32
}

/// See [`ln`].
pub(super) fn expm1(x: f32) -> f32 {
    f64::from(x).exp_m1() as f32
}
