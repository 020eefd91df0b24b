//! Causal attention with shared key heads, in three forms: the CPU's kernel, candle's operations elsewhere, and the
//! derivative of both.

use candle_core::{D, Device, Tensor};

use super::gradient::with_backward3;
use super::norm::wide;
use crate::Result;
use crate::cpu::{self, causal};

/// Scores held at once: 32 Mi values, 128 MiB in float32.
const MAX_SCORES: usize = 1 << 25;

/// What the queries of one forward pass see.
#[derive(Clone)]
pub(super) struct Sight {
    /// Padding before each row.
    pub starts: Vec<usize>,
    /// Columns before the first query.
    pub past: usize,
    /// New tokens.
    pub queries: usize,
    pub heads: usize,
    pub kv_heads: usize,
    pub head: usize,
}

/// `softmax(Q K^T / sqrt(head)) V`: `query` `(rows, queries, heads x head)`, `key` and `value` `(rows, room, kv_heads x head)`
/// of which the first `past + queries` columns count; the result as `query`.
pub(super) fn attend(
    sight: &Sight,
    window: Option<usize>,
    query: &Tensor,
    key: &Tensor,
    value: &Tensor,
) -> Result<Tensor> {
    if let Some(set) = cpu::set().filter(|_| [query, key, value].into_iter().all(cpu::takes)) {
        let shape = causal::Shape {
            batch: sight.starts.len(),
            queries: sight.queries,
            past: sight.past,
            room: key.dims3()?.1,
            heads: sight.heads,
            kv_heads: sight.kv_heads,
            head: sight.head,
            window,
        };
        let values = cpu::with_values([query, key, value], |[query, key, value]| {
            Ok(causal::attend(set, shape, &sight.starts, query, key, value))
        })?;
        return Ok(Tensor::from_vec(values, query.dims(), &Device::Cpu)?);
    }
    let columns = sight.past + sight.queries;
    let (key, value) = (key.narrow(1, 0, columns)?, value.narrow(1, 0, columns)?);
    let blocks = Blocks::new(sight, window, query, &key, &value)?;
    let mut parts = Vec::new();
    for (from, count) in blocks.chunks() {
        let shares = blocks.shares(from, count)?.to_dtype(query.dtype())?;
        parts.push(blocks.joined(&shares.matmul(&blocks.value)?, count)?);
    }
    Ok(Tensor::cat(&parts, 1)?)
}

/// As [`attend`], in the graph. The shares are computed anew on the way back, a block of queries at a time.
pub(super) fn attend_with_gradient(
    sight: &Sight,
    window: Option<usize>,
    query: &Tensor,
    key: &Tensor,
    value: &Tensor,
) -> Result<Tensor> {
    let [q, k, v] = [query, key, value].map(Tensor::detach);
    let result = attend(sight, window, &q, &k, &v)?;
    let sight = sight.clone();
    with_backward3("causal attention", [query, key, value], result, move |grad| {
        backward(&sight, window, [&q, &k, &v], grad).map_err(candle_core::Error::wrap)
    })
}

/// With `P` the shares and `G` the gradient: `dV = P^T G`, `dS = P (G V^T - rowsum(P G V^T))`, `dQ = dS K`, `dK = dS^T Q`.
fn backward(
    sight: &Sight,
    window: Option<usize>,
    [query, key, value]: [&Tensor; 3],
    grad: &Tensor,
) -> Result<[Tensor; 3]> {
    let dtype = query.dtype();
    let wide = |t: &Tensor| t.to_dtype(wide(dtype));
    let blocks = Blocks::new(sight, window, &wide(query)?, &wide(key)?, &wide(value)?)?;
    let grads = blocks.split(&wide(grad)?)?;
    let (mut of_query, mut of_key, mut of_value) = (Vec::new(), None, None);
    let add = |sum: Option<Tensor>, part: Tensor| match sum {
        Some(sum) => sum + part,
        None => Ok(part),
    };
    for (from, count) in blocks.chunks() {
        let grad = blocks.rows(&grads, from, count)?;
        let shares = blocks.shares(from, count)?;
        of_value = Some(add(of_value, shares.t()?.matmul(&grad)?)?);
        let by_share = grad.matmul(&blocks.value.t()?)?;
        let mean = (&by_share * &shares)?.sum_keepdim(D::Minus1)?;
        let by_score = ((by_share.broadcast_sub(&mean)? * shares)? * blocks.scale)?;
        of_query.push(blocks.joined(&by_score.matmul(&blocks.key)?, count)?);
        of_key = Some(add(of_key, by_score.t()?.matmul(&blocks.rows(&blocks.query, from, count)?)?)?);
    }
    let tokens = |t: Option<Tensor>, like: &Tensor| -> Result<Tensor> {
        let Some(t) = t else { return Ok(like.zeros_like()?) };
        Ok(t.transpose(1, 2)?.reshape(like.dims())?.to_dtype(dtype)?)
    };
    Ok([Tensor::cat(&of_query, 1)?.to_dtype(dtype)?, tokens(of_key, key)?, tokens(of_value, value)?])
}

/// Queries by key head, `(rows, kv_heads, group, queries, head)`; keys and values `(rows, kv_heads, columns, head)`.
struct Blocks<'a> {
    sight: &'a Sight,
    window: Option<usize>,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    scale: f64,
}

impl<'a> Blocks<'a> {
    fn new(
        sight: &'a Sight,
        window: Option<usize>,
        query: &Tensor,
        key: &Tensor,
        value: &Tensor,
    ) -> Result<Self> {
        let heads = |t: &Tensor| -> Result<Tensor> {
            let (rows, columns, _) = t.dims3()?;
            Ok(t.reshape((rows, columns, sight.kv_heads, sight.head))?.transpose(1, 2)?.contiguous()?)
        };
        let (key, value) = (heads(key)?, heads(value)?);
        let scale = 1.0 / (sight.head as f64).sqrt();
        let mut blocks = Self { sight, window, query: key.clone(), key, value, scale };
        blocks.query = blocks.split(query)?;
        Ok(blocks)
    }

    fn group(&self) -> usize {
        self.sight.heads / self.sight.kv_heads
    }

    /// `(rows, queries, heads x head)` by key head.
    fn split(&self, x: &Tensor) -> Result<Tensor> {
        let Sight { kv_heads, head, queries, .. } = *self.sight;
        let rows = x.dims3()?.0;
        let parts = x.reshape((rows, queries, kv_heads, self.group(), head))?;
        Ok(parts.permute((0, 2, 3, 1, 4))?.contiguous()?)
    }

    /// Queries `from..from + count` as `(rows, kv_heads, group x count, head)`.
    fn rows(&self, x: &Tensor, from: usize, count: usize) -> Result<Tensor> {
        let Sight { kv_heads, head, .. } = *self.sight;
        let shape = (x.dims()[0], kv_heads, self.group() * count, head);
        Ok(x.narrow(3, from, count)?.contiguous()?.reshape(shape)?)
    }

    /// The way back: `(rows, kv_heads, group x count, head)` to `(rows, count, heads x head)`.
    fn joined(&self, x: &Tensor, count: usize) -> Result<Tensor> {
        let Sight { kv_heads, head, heads, .. } = *self.sight;
        let rows = x.dims()[0];
        let parts = x.reshape((rows, kv_heads, self.group(), count, head))?.permute((0, 3, 1, 2, 4))?;
        Ok(parts.reshape((rows, count, heads * head))?)
    }

    /// (first query, how many), so that the scores stay within [`MAX_SCORES`].
    fn chunks(&self) -> impl Iterator<Item = (usize, usize)> {
        let Sight { queries, past, heads, .. } = *self.sight;
        let row = self.sight.starts.len() * heads * (past + queries);
        let step = (MAX_SCORES / row.max(1)).clamp(1, queries.max(1));
        (0..queries).step_by(step).map(move |from| (from, step.min(queries - from)))
    }

    /// The softmax of the scores of some queries, at least float32: `(rows, kv_heads, group x count, columns)`.
    fn shares(&self, from: usize, count: usize) -> Result<Tensor> {
        let rows = self.rows(&self.query, from, count)?;
        let scores = (rows.matmul(&self.key.t()?)?.to_dtype(wide(rows.dtype()))? * self.scale)?;
        let (batch, kv_heads, _, columns) = scores.dims4()?;
        let parts = scores.reshape((batch, kv_heads, self.group(), count, columns))?;
        let mask = self.mask(from, count, scores.device())?.to_dtype(parts.dtype())?;
        let masked = parts.broadcast_add(&mask)?;
        let shares = candle_nn::ops::softmax_last_dim(&masked.contiguous()?)?;
        Ok(shares.reshape((batch, kv_heads, self.group() * count, columns))?)
    }

    /// 0 where a query sees a column, the lowest number where not: `(rows or 1, 1, 1, count, columns)`.
    fn mask(&self, from: usize, count: usize, device: &Device) -> Result<Tensor> {
        let Sight { past, queries, ref starts, .. } = *self.sight;
        let columns = past + queries;
        let padded = starts.iter().any(|start| *start > 0);
        let starts = if padded { &starts[..] } else { &[0][..] };
        let mut mask = Vec::with_capacity(starts.len() * count * columns);
        for start in starts {
            for query in from..from + count {
                let end = past + query + 1;
                let first = self.window.map_or(0, |window| end.saturating_sub(window)).max(*start);
                // Not infinity: a row that sees nothing, padding, would become NaN.
                mask.extend((0..columns).map(|c| if c >= first && c < end { 0.0 } else { f32::MIN }));
            }
        }
        Ok(Tensor::from_vec(mask, (starts.len(), 1, 1, count, columns), device)?)
    }
}
