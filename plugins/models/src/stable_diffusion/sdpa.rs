//! Scaled dot-product attention, `softmax(Q K^T / sqrt(d)) V`, without ever holding all scores.

use candle_core::{D, DType, Device, Tensor};

use crate::cpu::{self, attention};
use crate::{ModelError, Result};

/// Scores held at once: 64 Mi values, 256 MiB in float32. At 512x512 pixels all of them would be 1 GiB.
const MAX_SCORES: usize = 1 << 26;

/// `query` `(batch, n, width)`, `key` and `value` `(batch, m, width)`, the width split among `heads`; the result is
/// `(batch, n, width)`. With `upcast` the scores are computed in float32 whatever the inputs' type.
///
/// # Errors
/// Inputs whose shapes do not fit each other, and failures of the device.
pub fn attend(query: &Tensor, key: &Tensor, value: &Tensor, heads: usize, upcast: bool) -> Result<Tensor> {
    let (batch, count, width) = query.dims3()?;
    let tokens = key.dim(1)?;
    if key.dims() != [batch, tokens, width] || value.dims() != key.dims() || !width.is_multiple_of(heads) {
        let found = format!("{:?}, {:?}, {:?} for {heads} heads", query.dims(), key.dims(), value.dims());
        return Err(ModelError::Input { found, expected: "query, key and value of one batch and width" });
    }
    if let Some(set) = cpu::set().filter(|_| [query, key, value].into_iter().all(cpu::takes)) {
        let shape = attention::Shape { batch, queries: count, keys: tokens, width, heads };
        let values = cpu::with_values([query, key, value], |[query, key, value]| {
            Ok(attention::attend(set, shape, query, key, value))
        })?;
        return Ok(Tensor::from_vec(values, query.dims(), &Device::Cpu)?);
    }
    let split = |t: &Tensor| -> Result<Tensor> {
        let (batch, count, width) = t.dims3()?;
        Ok(t.reshape((batch, count, heads, width / heads))?.transpose(1, 2)?.contiguous()?)
    };
    let scale = 1.0 / ((width / heads) as f64).sqrt();
    let dtype = query.dtype();
    let (query, key, value) = (split(&(query * scale)?)?, split(key)?.t()?, split(value)?);
    let upcast = upcast && dtype != DType::F64;
    let key = if upcast { key.to_dtype(DType::F32)? } else { key }.contiguous()?;
    let rows = (MAX_SCORES / (batch * heads * tokens).max(1)).clamp(1, count.max(1));
    let mut parts = Vec::with_capacity(count.div_ceil(rows));
    for start in (0..count).step_by(rows) {
        let part = query.narrow(2, start, rows.min(count - start))?.contiguous()?;
        let scores = part.to_dtype(key.dtype())?.matmul(&key)?;
        parts.push(softmax(&scores)?.to_dtype(dtype)?.matmul(&value)?);
    }
    let attended = if parts.len() == 1 { parts.remove(0) } else { Tensor::cat(&parts, 2)? };
    Ok(attended.transpose(1, 2)?.reshape((batch, count, width))?)
}

/// Over the last dimension. Sums of thousands of half-precision numbers need float32; candle's GPU kernels sum in it.
fn softmax(scores: &Tensor) -> Result<Tensor> {
    if scores.device().is_cpu() && scores.dtype() != DType::F32 {
        let dtype = scores.dtype();
        return Ok(candle_nn::ops::softmax(&scores.to_dtype(DType::F32)?, D::Minus1)?.to_dtype(dtype)?);
    }
    Ok(candle_nn::ops::softmax_last_dim(scores)?)
}
