//! Group norm and layer norm, in two passes: the mean, then the variance about it; and the norm by the root of the mean
//! square.

use rayon::prelude::*;

use super::math::silu;
use super::simd::{Set, dispatch};

/// Group norm of `(batch, channels, pixels)`, followed by SiLU if `activate`.
pub struct GroupNorm<'a> {
    pub groups: usize,
    pub eps: f64,
    pub weight: &'a [f32],
    pub bias: &'a [f32],
    pub activate: bool,
}

impl GroupNorm<'_> {
    /// `x` holds samples of `weight.len()` channels of `pixels` values.
    pub fn run(&self, set: Set, x: &[f32], pixels: usize) -> Vec<f32> {
        let channels = self.weight.len() / self.groups;
        let mut out = vec![0f32; x.len()];
        let size = (channels * pixels).max(1);
        out.par_chunks_mut(size).zip(x.par_chunks(size)).enumerate().for_each(|(i, (out, x))| {
            let first = i % self.groups * channels;
            let (mean, factor) = dispatch!(set, moments(x: &[f32]) -> (f32, f64));
            let factor = (1.0 / (factor + self.eps).sqrt()) as f32;
            for (c, (out, x)) in out.chunks_mut(pixels).zip(x.chunks(pixels)).enumerate() {
                let scale = factor * self.weight[first + c];
                let shift = self.bias[first + c] - mean * scale;
                let activate = self.activate;
                dispatch!(set, plane(out: &mut [f32], x: &[f32], scale: f32, shift: f32, activate: bool));
            }
        });
        out
    }
}

/// Layer norm of rows of `weight.len()` values.
pub fn layer_norm(set: Set, x: &[f32], weight: &[f32], bias: &[f32], eps: f64) -> Vec<f32> {
    let mut out = vec![0f32; x.len()];
    let width = weight.len().max(1);
    out.par_chunks_mut(width).zip(x.par_chunks(width)).with_min_len(32).for_each(|(out, x)| {
        let (mean, factor) = dispatch!(set, moments(x: &[f32]) -> (f32, f64));
        let factor = (1.0 / (factor + eps).sqrt()) as f32;
        dispatch!(set, row(out: &mut [f32], x: &[f32], mean: f32, factor: f32, weight: &[f32], bias: &[f32]));
    });
    out
}

/// `weight * x / sqrt(mean(x^2) + eps)` for rows of `weight.len()` values.
pub fn rms_norm(set: Set, x: &[f32], weight: &[f32], eps: f64) -> Vec<f32> {
    let mut out = vec![0f32; x.len()];
    let width = weight.len().max(1);
    out.par_chunks_mut(width).zip(x.par_chunks(width)).with_min_len(32).for_each(|(out, x)| {
        let square = dispatch!(set, squares(x: &[f32]) -> f64);
        let factor = (1.0 / (square / width as f64 + eps).sqrt()) as f32;
        dispatch!(set, scaled(out: &mut [f32], x: &[f32], factor: f32, weight: &[f32]));
    });
    out
}

#[inline(always)]
fn squares(x: &[f32]) -> f64 {
    total(x, |v| v * v)
}

#[inline(always)]
fn scaled(out: &mut [f32], x: &[f32], factor: f32, weight: &[f32]) {
    for ((out, x), w) in out.iter_mut().zip(x).zip(weight) {
        *out = x * factor * w;
    }
}

/// Mean and variance (of the population).
#[inline(always)]
fn moments(x: &[f32]) -> (f32, f64) {
    let count = x.len() as f64;
    let mean = (total(x, |v| v) / count) as f32;
    (mean, total(x, |v| (v - mean) * (v - mean)) / count)
}

/// The sum of `f` of all values, in 32 lanes, of which stretches are added in float64.
#[inline(always)]
fn total(x: &[f32], f: impl Fn(f32) -> f32) -> f64 {
    const LANES: usize = 32;
    let mut sum = 0f64;
    for part in x.chunks(64 * LANES) {
        let (rows, rest) = part.as_chunks::<LANES>();
        let mut lanes = [0f32; LANES];
        for row in rows {
            for i in 0..LANES {
                lanes[i] += f(row[i]);
            }
        }
        sum += lanes.iter().map(|v| f64::from(*v)).sum::<f64>();
        sum += rest.iter().map(|v| f64::from(f(*v))).sum::<f64>();
    }
    sum
}

#[inline(always)]
fn plane(out: &mut [f32], x: &[f32], scale: f32, shift: f32, activate: bool) {
    if activate {
        for (out, x) in out.iter_mut().zip(x) {
            *out = silu(x.mul_add(scale, shift));
        }
    } else {
        for (out, x) in out.iter_mut().zip(x) {
            *out = x.mul_add(scale, shift);
        }
    }
}

#[inline(always)]
fn row(out: &mut [f32], x: &[f32], mean: f32, factor: f32, weight: &[f32], bias: &[f32]) {
    for (((out, x), w), b) in out.iter_mut().zip(x).zip(weight).zip(bias) {
        *out = ((x - mean) * factor).mul_add(*w, *b);
    }
}
