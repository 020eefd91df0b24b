//! `exp`, SiLU and the exact GELU, in a form that compilers turn into vector code.
//!
//! The polynomials are minimax fits of this project (iteratively reweighted least squares on Chebyshev nodes); the unit
//! tests hold their errors against float64.

use rayon::prelude::*;

use super::simd::{Set, dispatch};

/// Values that one task works on.
const CHUNK: usize = 1 << 14;

/// `e^x` within 2 units in the last place; 0 below -87.3, and at most the value at 88.3.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    // Rounding to the nearest integer by adding and taking away 1.5 * 2^23.
    const ROUNDER: f32 = 12_582_912.0;
    let clamped = x.clamp(-87.3, 88.3);
    let shifted = clamped.mul_add(std::f32::consts::LOG2_E, ROUNDER);
    let whole = shifted - ROUNDER;
    // ln 2 in two parts, the first with few bits, so that the products are exact.
    let rest = whole.mul_add(-0.693_359_4, clamped);
    let rest = whole.mul_add(2.121_944_4e-4, rest);
    let p = 0.001_381_314_5_f32.mul_add(rest, 0.008_369_419);
    let p = p.mul_add(rest, 0.041_668_456);
    let p = p.mul_add(rest, 0.166_665_15);
    let p = p.mul_add(rest, 0.499_999_94);
    let p = p.mul_add(rest * rest, rest) + 1.0;
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(127 << 23));
    if x < -87.3 { 0.0 } else { p * power }
}

/// `erf(x)` within 2 units in the last place.
#[inline(always)]
pub fn erf(x: f32) -> f32 {
    let t = x.abs().min(4.0);
    let s = t * t;
    let small = 8.185_109e-5_f32.mul_add(s, -0.000_809_770_8);
    let small = small.mul_add(s, 0.005_196_952_7);
    let small = small.mul_add(s, -0.026_857_706);
    let small = small.mul_add(s, 0.112_836_64);
    let small = small.mul_add(s, -0.376_126_32);
    let small = small.mul_add(s, 0.128_379_23).mul_add(t, t);
    // ln(erfc(t)) beyond 0.9.
    let large = (-2.082_852_7e-5_f32).mul_add(t, 0.000_431_392_57);
    let large = large.mul_add(t, -0.004_156_250_5);
    let large = large.mul_add(t, 0.025_080_607);
    let large = large.mul_add(t, -0.108_220_37);
    let large = large.mul_add(t, -0.633_400_86);
    let large = large.mul_add(t, -1.129_488_3);
    let large = large.mul_add(t, 1.692_039_2e-4);
    let large = 1.0 - exp(large);
    (if t < 0.92 { small } else { large }).copysign(x)
}

/// `x / (1 + e^-x)`.
#[inline(always)]
pub fn silu(x: f32) -> f32 {
    x / (1.0 + exp(-x))
}

/// `x / 2 (1 + erf(x / sqrt 2))`.
#[inline(always)]
pub fn gelu(x: f32) -> f32 {
    0.5 * x * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2))
}

/// SiLU of every value.
pub fn silu_all(set: Set, values: &[f32]) -> Vec<f32> {
    let mut out = vec![0f32; values.len()];
    out.par_chunks_mut(CHUNK).zip(values.par_chunks(CHUNK)).for_each(|(out, values)| {
        dispatch!(set, silu_chunk(out: &mut [f32], values: &[f32]));
    });
    out
}

#[inline(always)]
fn silu_chunk(out: &mut [f32], values: &[f32]) {
    for (out, x) in out.iter_mut().zip(values) {
        *out = silu(*x);
    }
}

/// `silu(gate) * up`.
///
/// # Panics
/// If the two differ in length.
pub fn swiglu(set: Set, gate: &[f32], up: &[f32]) -> Vec<f32> {
    assert_eq!(gate.len(), up.len(), "a gate for every value");
    let mut out = vec![0f32; up.len()];
    let chunks = gate.par_chunks(CHUNK).zip(up.par_chunks(CHUNK));
    out.par_chunks_mut(CHUNK).zip(chunks).for_each(|(out, (gate, up))| {
        dispatch!(set, swiglu_chunk(out: &mut [f32], gate: &[f32], up: &[f32]));
    });
    out
}

#[inline(always)]
fn swiglu_chunk(out: &mut [f32], gate: &[f32], up: &[f32]) {
    for ((out, gate), up) in out.iter_mut().zip(gate).zip(up) {
        *out = silu(*gate) * up;
    }
}

/// `x * gelu(gate)` for rows of `width` values of `x` followed by as many of the gate.
pub fn geglu(set: Set, rows: &[f32], width: usize) -> Vec<f32> {
    let mut out = vec![0f32; rows.len() / 2];
    out.par_chunks_mut(width).zip(rows.par_chunks(2 * width)).with_min_len(16).for_each(|(out, row)| {
        dispatch!(set, geglu_row(out: &mut [f32], row: &[f32]));
    });
    out
}

#[inline(always)]
fn geglu_row(out: &mut [f32], row: &[f32]) {
    let (x, gate) = row.split_at(out.len());
    for ((out, x), gate) in out.iter_mut().zip(x).zip(gate) {
        *out = x * gelu(*gate);
    }
}
