//! Attention without the matrix of scores: for 32 queries at a time the scores of all keys are computed, turned into
//! weights and spent, in a buffer that stays in the second cache.

use rayon::prelude::*;

use super::gemm::{self, DEPTH, PANEL, Panels, Rows, Target};
use super::math::exp;
use super::simd::{Set, dispatch};

/// Shapes of an attention; `width` values in a row are `heads` times `width / heads`.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub batch: usize,
    pub queries: usize,
    pub keys: usize,
    pub width: usize,
    pub heads: usize,
}

/// Values between the rows of transposed values, more than there are keys: rows a power of two apart would share one set of
/// the first cache.
fn row_stride(keys: usize) -> usize {
    keys.next_multiple_of(16) + 16
}

/// Buffers of one thread.
struct Buffers {
    query: Vec<f32>,
    scores: Vec<f32>,
    out: Vec<f32>,
}

/// `softmax(Q K^T / sqrt(width / heads)) V`: `query` `(batch, queries, width)`, `key` and `value` `(batch, keys, width)`, the result as
/// `query`.
///
/// # Panics
/// If the lengths are not those of the shape.
pub fn attend(set: Set, shape: Shape, query: &[f32], key: &[f32], value: &[f32]) -> Vec<f32> {
    let Shape { batch, queries, keys, width, heads } = shape;
    let head = width / heads;
    assert_eq!(query.len(), batch * queries * width, "the queries' length");
    assert_eq!(key.len(), batch * keys * width, "the keys' length");
    assert_eq!(value.len(), key.len(), "the values' length");
    let values = transposed_values(shape, value);
    let stride = row_stride(keys);
    let mut out = vec![0f32; query.len()];
    let tasks = out.par_chunks_mut((queries * width).max(1)).enumerate().flat_map(|(sample, out)| {
        out.par_chunks_mut(PANEL * width).enumerate().map(move |(i, out)| (sample, i, out))
    });
    let buffers = || Buffers {
        query: vec![0f32; head * PANEL],
        scores: vec![0f32; keys * PANEL],
        out: vec![0f32; head * PANEL],
    };
    tasks.for_each_init(buffers, |buffers, (sample, i, out)| {
        let from = (sample * queries + i * PANEL) * width;
        let query = &query[from..from + out.len()];
        for h in 0..heads {
            let key = &key[sample * keys * width + h * head..(sample + 1) * keys * width];
            let value = &values[(sample * heads + h) * head * stride..][..head * stride];
            load_queries(shape, query, h, &mut buffers.query);
            one_head(set, shape, key, value, buffers);
            for (q, row) in out.chunks_mut(width).enumerate() {
                for (d, to) in row[h * head..(h + 1) * head].iter_mut().enumerate() {
                    *to = buffers.out[d * PANEL + q];
                }
            }
        }
    });
    out
}

/// `(batch, heads, width / heads, keys)`, with a longer stride than `keys`.
fn transposed_values(shape: Shape, value: &[f32]) -> Vec<f32> {
    let Shape { batch, keys, width, heads, .. } = shape;
    let (head, stride) = (width / heads, row_stride(keys));
    let mut values = vec![0f32; batch * width * stride];
    values.par_chunks_mut(head * stride).enumerate().for_each(|(at, to)| {
        let (sample, h) = (at / heads, at % heads);
        for k in 0..keys {
            let row = &value[(sample * keys + k) * width + h * head..][..head];
            for (d, v) in row.iter().enumerate() {
                to[d * stride + k] = *v;
            }
        }
    });
    values
}

/// The panel of up to 32 queries of one head, scaled; columns without a query hold zeros.
fn load_queries(shape: Shape, query: &[f32], h: usize, panel: &mut [f32]) {
    let head = shape.width / shape.heads;
    let scale = 1.0 / (head as f32).sqrt();
    panel.fill(0.0);
    for (q, row) in query.chunks(shape.width).enumerate() {
        for (d, v) in row[h * head..(h + 1) * head].iter().enumerate() {
            panel[d * PANEL + q] = v * scale;
        }
    }
}

/// One head of 32 queries. `key` has rows of `width`, of which the first `width / heads` values count; `value` is transposed.
fn one_head(set: Set, shape: Shape, key: &[f32], value: &[f32], buffers: &mut Buffers) {
    let Shape { keys, width, heads, .. } = shape;
    let head = width / heads;
    let stride = row_stride(keys);
    let Buffers { query, scores, out } = buffers;
    // SAFETY: `key` reaches from the first row's head to the end of the last row; the other slices are whole matrices of the
    // sizes said here.
    #[expect(unsafe_code, reason = "rows of one head are not contiguous")]
    unsafe {
        let a = Rows { start: key.as_ptr(), stride: width, count: keys };
        let b = Panels { start: query.as_ptr(), stride: 0, columns: PANEL };
        gemm::block(set, head, a, b, Target { start: scores.as_mut_ptr(), stride: PANEL, add: false });
    }
    let mut sums = [0f32; PANEL];
    let sums = &mut sums;
    dispatch!(set, softmax_columns(scores: &mut [f32], sums: &mut [f32; PANEL]));
    for k in (0..keys).step_by(DEPTH) {
        // SAFETY: as above; the panel is the scores from key `k` on.
        #[expect(unsafe_code, reason = "a block of columns is not a slice")]
        unsafe {
            let a = Rows { start: value[k..].as_ptr(), stride, count: head };
            let b = Panels { start: scores[k * PANEL..].as_ptr(), stride: 0, columns: PANEL };
            let target = Target { start: out.as_mut_ptr(), stride: PANEL, add: k > 0 };
            gemm::block(set, DEPTH.min(keys - k), a, b, target);
        }
    }
    for row in out.chunks_exact_mut(PANEL) {
        for (v, sum) in row.iter_mut().zip(sums.iter()) {
            *v /= *sum;
        }
    }
}

/// `e^(score - largest)` in every column, and the sums.
#[inline(always)]
fn softmax_columns(scores: &mut [f32], sums: &mut [f32; PANEL]) {
    let (rows, _) = scores.as_chunks_mut::<PANEL>();
    let mut largest = [f32::NEG_INFINITY; PANEL];
    for row in rows.iter() {
        for (m, v) in largest.iter_mut().zip(row) {
            *m = if *v > *m { *v } else { *m };
        }
    }
    let mut total = [0f32; PANEL];
    // Sums of 64 rows first, so that a sum of thousands keeps its last digits.
    for part in rows.chunks_mut(64) {
        let mut partial = [0f32; PANEL];
        for row in part {
            for i in 0..PANEL {
                let e = exp(row[i] - largest[i]);
                row[i] = e;
                partial[i] += e;
            }
        }
        for (t, p) in total.iter_mut().zip(&partial) {
            *t += p;
        }
    }
    *sums = total;
}
