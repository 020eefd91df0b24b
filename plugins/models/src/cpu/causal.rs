//! Causal attention of a decoder: query heads that share key heads, left padding, sliding windows, keys from a cache.
//!
//! Every number depends on its own row only, and the sums run over the tokens from first to last: a row gives the same
//! bits alone, in a batch, behind padding, all at once or token by token.

use rayon::prelude::*;

use super::Shared;
use super::gemm::{self, DEPTH, PANEL, Panels, Rows, Target};
use super::math::exp;
use super::simd::{Set, dispatch};

/// Rows of queries, tokens times the heads of a group, that one task takes.
const BLOCK: usize = 64;

/// Shapes of an attention.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub batch: usize,
    /// New tokens.
    pub queries: usize,
    /// Tokens in the cache before them.
    pub past: usize,
    /// Tokens that the cache has room for, at least `past + queries`.
    pub room: usize,
    pub heads: usize,
    pub kv_heads: usize,
    /// Width of a head.
    pub head: usize,
    /// How many tokens back a token sees, itself included.
    pub window: Option<usize>,
}

/// Part of the work: some queries of one row and one key head.
#[derive(Clone, Copy)]
struct Task {
    sample: usize,
    kv_head: usize,
    token: usize,
    tokens: usize,
}

/// Buffers of one thread.
struct Buffers {
    query: Vec<f32>,
    keys: Vec<f32>,
    values: Vec<f32>,
    scores: Vec<f32>,
    out: Vec<f32>,
}

impl Shape {
    fn group(&self) -> usize {
        self.heads / self.kv_heads
    }

    /// Values between rows of scores: whole panels, and no power of two.
    fn stride(&self) -> usize {
        (self.past + self.queries).next_multiple_of(PANEL) + PANEL / 2
    }

    /// The tokens that query `t` of a row that begins at `start` sees.
    fn seen(&self, start: usize, t: usize) -> (usize, usize) {
        let end = self.past + t + 1;
        let first = self.window.map_or(0, |window| end.saturating_sub(window));
        (first.max(start).min(end), end)
    }
}

/// `softmax(Q K^T / sqrt(head)) V` over the tokens that each query sees: `query` `(batch, queries, heads, head)`, `key` and
/// `value` `(batch, room, kv_heads, head)`, `starts` the padding before each row; the result as `query`, zeros where a query
/// sees nothing.
///
/// # Panics
/// If the lengths are not those of the shape.
pub fn attend(
    set: Set,
    shape: Shape,
    starts: &[usize],
    query: &[f32],
    key: &[f32],
    value: &[f32],
) -> Vec<f32> {
    let Shape { batch, queries, past, room, heads, kv_heads, head, .. } = shape;
    assert_eq!(query.len(), batch * queries * heads * head, "the queries' length");
    assert_eq!(key.len(), batch * room * kv_heads * head, "the keys' length");
    assert_eq!(value.len(), key.len(), "the values' length");
    assert!(starts.len() == batch && past + queries <= room, "the rows and the room");
    let mut out = vec![0f32; query.len()];
    let shared = Shared(out.as_mut_ptr());
    let rows = BLOCK.max(shape.group());
    let padded = head.next_multiple_of(PANEL);
    let buffers = || Buffers {
        query: vec![0f32; rows * head],
        keys: vec![0f32; head * PANEL],
        values: vec![0f32; DEPTH * padded],
        scores: vec![0f32; rows * shape.stride()],
        out: vec![0f32; rows * padded],
    };
    tasks(&shape).into_par_iter().for_each_init(buffers, |buffers, task| {
        run(set, shape, task, starts[task.sample], [query, key, value], buffers);
        let group = shape.group();
        for row in 0..task.tokens * group {
            let (token, part) = (task.token + row / group, row % group);
            let to = ((task.sample * queries + token) * heads + task.kv_head * group + part) * head;
            // SAFETY: each task writes to its own tokens and heads of `out`, which outlives the loop.
            #[expect(unsafe_code, reason = "rows of one head are not slices of the whole")]
            unsafe {
                std::slice::from_raw_parts_mut(shared.at(to), head)
                    .copy_from_slice(&buffers.out[row * padded..][..head]);
            }
        }
    });
    out
}

fn tasks(shape: &Shape) -> Vec<Task> {
    let tokens = (BLOCK / shape.group()).max(1);
    let mut tasks = Vec::new();
    // Late queries see more: they come first, so that no thread is left with them at the end.
    for token in (0..shape.queries).step_by(tokens).rev() {
        for sample in 0..shape.batch {
            for kv_head in 0..shape.kv_heads {
                let tokens = tokens.min(shape.queries - token);
                tasks.push(Task { sample, kv_head, token, tokens });
            }
        }
    }
    tasks
}

fn run(
    set: Set,
    shape: Shape,
    task: Task,
    start: usize,
    [query, key, value]: [&[f32]; 3],
    buffers: &mut Buffers,
) {
    let Shape { head, room, kv_heads, .. } = shape;
    let rows = task.tokens * shape.group();
    let stride = shape.stride();
    load_queries(&shape, task, query, &mut buffers.query);
    let from = task.sample * room * kv_heads * head + task.kv_head * head;
    let tokens = Tokens { width: kv_heads * head, head };
    let (_, end) = shape.seen(start, task.token + task.tokens - 1);
    let begin = shape.seen(start, task.token).0 / PANEL * PANEL;
    for first in (begin..end).step_by(PANEL) {
        let count = PANEL.min(end - first);
        tokens.transposed(&key[from..], first, count, &mut buffers.keys);
        // SAFETY: whole matrices of the sizes said here; a row of scores has room for whole panels.
        #[expect(unsafe_code, reason = "a block of columns is not a slice")]
        unsafe {
            let a = Rows { start: buffers.query.as_ptr(), stride: head, count: rows };
            let b = Panels { start: buffers.keys.as_ptr(), stride: 0, columns: PANEL };
            let target = Target { start: buffers.scores[first..].as_mut_ptr(), stride, add: false };
            gemm::block(set, head, a, b, target);
        }
    }
    for row in 0..rows {
        let scores = &mut buffers.scores[row * stride..][..stride];
        let (seen, last) = shape.seen(start, task.token + row / shape.group());
        scores[begin..seen].fill(0.0);
        scores[last..end.max(last)].fill(0.0);
        let seen = &mut scores[seen..last];
        dispatch!(set, softmax(seen: &mut [f32]));
    }
    // Whole panels, those beyond the head's width with zeros: narrower tiles would be summed up in another order.
    let padded = head.next_multiple_of(PANEL);
    buffers.out[..rows * padded].fill(0.0);
    for first in (begin..end).step_by(DEPTH) {
        let count = DEPTH.min(end - first);
        tokens.panels(&value[from..], first, count, &mut buffers.values);
        // SAFETY: as above; the last panel of values has room for all its columns.
        #[expect(unsafe_code, reason = "a block of columns is not a slice")]
        unsafe {
            let a = Rows { start: buffers.scores[first..].as_ptr(), stride, count: rows };
            let b = Panels { start: buffers.values.as_ptr(), stride: DEPTH * PANEL, columns: padded };
            let target = Target { start: buffers.out.as_mut_ptr(), stride: padded, add: true };
            gemm::block(set, count, a, b, target);
        }
    }
}

/// The queries of a task, scaled, one row a head and token.
fn load_queries(shape: &Shape, task: Task, query: &[f32], rows: &mut [f32]) {
    let Shape { head, heads, queries, .. } = *shape;
    let group = shape.group();
    let scale = 1.0 / (head as f32).sqrt();
    for token in 0..task.tokens {
        let from = ((task.sample * queries + task.token + token) * heads + task.kv_head * group) * head;
        let to = &mut rows[token * group * head..][..group * head];
        for (to, q) in to.iter_mut().zip(&query[from..][..group * head]) {
            *to = q * scale;
        }
    }
}

/// How one head's keys or values lie: rows of `head` values, `width` apart.
struct Tokens {
    width: usize,
    head: usize,
}

impl Tokens {
    /// Tokens `first..first + count` as a panel: its rows are the head's values, its columns the tokens.
    fn transposed(&self, held: &[f32], first: usize, count: usize, panel: &mut [f32]) {
        for token in 0..count {
            let row = &held[(first + token) * self.width..][..self.head];
            for (d, v) in row.iter().enumerate() {
                panel[d * PANEL + token] = *v;
            }
        }
        if count < PANEL {
            for row in panel.chunks_mut(PANEL) {
                row[count..].fill(0.0);
            }
        }
    }

    /// The same tokens as panels of 32 of the head's values: their rows are the tokens.
    fn panels(&self, held: &[f32], first: usize, count: usize, panels: &mut [f32]) {
        for (number, panel) in panels.chunks_mut(DEPTH * PANEL).enumerate() {
            let columns = PANEL.min(self.head - number * PANEL);
            for token in 0..count {
                let row = &held[(first + token) * self.width + number * PANEL..][..columns];
                panel[token * PANEL..][..columns].copy_from_slice(row);
            }
        }
    }
}

/// In place; nothing for an empty row.
#[inline(always)]
fn softmax(scores: &mut [f32]) {
    const LANES: usize = 16;
    let largest = scores.iter().fold(f32::NEG_INFINITY, |m, v| if *v > m { *v } else { m });
    let mut sum = 0f64;
    // Stretches are added in float64, so that a sum of thousands keeps its last digits.
    for part in scores.chunks_mut(64 * LANES) {
        let (rows, rest) = part.as_chunks_mut::<LANES>();
        let mut lanes = [0f32; LANES];
        for row in rows {
            for i in 0..LANES {
                let e = exp(row[i] - largest);
                row[i] = e;
                lanes[i] += e;
            }
        }
        sum += lanes.iter().map(|v| f64::from(*v)).sum::<f64>();
        for v in rest {
            *v = exp(*v - largest);
            sum += f64::from(*v);
        }
    }
    let share = (1.0 / sum) as f32;
    for v in scores {
        *v *= share;
    }
}
