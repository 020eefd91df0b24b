//! Attention without a cache, in which every token sees all others: what image encoders are made of.

use candle_core::{D, DType, Module, Tensor};
use candle_nn::Linear;

use crate::Result;
use crate::layers::linear;
use crate::tensors::Weights;

/// Multi-head attention with its four projections.
pub(crate) struct Attention {
    query: Linear,
    key: Linear,
    value: Linear,
    out: Linear,
    heads: usize,
}

impl Attention {
    /// Four layers of their own, called as `names` says: query, key, value, out.
    pub fn load(hidden: usize, heads: usize, names: [&str; 4], weights: &Weights) -> Result<Self> {
        let [query, key, value, out] = names.map(|name| linear(hidden, hidden, &weights.pp(name)));
        Ok(Self { query: query?, key: key?, value: value?, out: out?, heads })
    }

    /// As `torch.nn.MultiheadAttention` keeps it: query, key and value in one matrix.
    pub fn load_packed(hidden: usize, heads: usize, weights: &Weights) -> Result<Self> {
        let matrix = weights.get("in_proj_weight", &[3 * hidden, hidden])?;
        let bias = weights.get("in_proj_bias", &[3 * hidden])?;
        let part = |at: usize| -> Result<Linear> {
            let (matrix, bias) =
                (matrix.narrow(0, at * hidden, hidden)?, bias.narrow(0, at * hidden, hidden)?);
            Ok(Linear::new(matrix.contiguous()?, Some(bias.contiguous()?)))
        };
        let out = linear(hidden, hidden, &weights.pp("out_proj"))?;
        Ok(Self { query: part(0)?, key: part(1)?, value: part(2)?, out, heads })
    }

    /// softmax(Q Kᵀ / √d + mask) V per head, the softmax in float32. `x`: (batch, tokens, hidden), which ask; `context`: (batch,
    /// others, hidden), which answer; `mask`: float32, broadcast to (batch, heads, tokens, others), added to the scores.
    pub fn forward(
        &self,
        x: &Tensor,
        context: &Tensor,
        mask: Option<&Tensor>,
    ) -> candle_core::Result<Tensor> {
        let (batch, tokens, hidden) = x.dims3()?;
        let width = hidden / self.heads;
        let split = |projection: &Linear, from: &Tensor| {
            let all = projection.forward(from)?;
            all.reshape((batch, all.dim(1)?, self.heads, width))?.transpose(1, 2)?.contiguous()
        };
        let query = split(&self.query, x)?;
        let (key, value) = (split(&self.key, context)?, split(&self.value, context)?);
        let query = (query * (width as f64).powf(-0.5))?;
        let mut scores = query.matmul(&key.t()?)?.to_dtype(DType::F32)?;
        if let Some(mask) = mask {
            scores = scores.broadcast_add(mask)?;
        }
        let shares = candle_nn::ops::softmax(&scores, D::Minus1)?.to_dtype(x.dtype())?;
        let mixed = shares.matmul(&value)?.transpose(1, 2)?.reshape((batch, tokens, hidden))?;
        self.out.forward(&mixed)
    }
}
