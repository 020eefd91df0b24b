//! Box and Muller's transform over blocks of 16 values, as PyTorch fills tensors of 16 values or more.
//!
//! In a block, value `j` (0 to 7) gives the radius and value `j + 8` the angle of a pair. If the length is not a
//! multiple of 16, the last 16 values are drawn anew and transformed, over what the block before had given.
//!
//! The f32 transform equals PyTorch's AVX2 kernel bit for bit. That kernel uses the polynomials of the Cephes library
//! (Moshier), evaluated with fused multiply-add wherever a product is only ever added.

const BLOCK: usize = 16;

/// Fills `out` (16 values or more) with standard normal values from uniform ones in `[0, 1)`.
pub(super) fn fill<T: Copy>(out: &mut [T], mut uniform: impl FnMut() -> T, transform: impl Fn(&mut [T])) {
    out.fill_with(&mut uniform);
    out.chunks_exact_mut(BLOCK).for_each(&transform);
    if !out.len().is_multiple_of(BLOCK) {
        let start = out.len() - BLOCK;
        let tail = &mut out[start..];
        tail.fill_with(uniform);
        transform(tail);
    }
}

/// As [`fill`] for half precision, where PyTorch draws block by block: a part of a block is never drawn twice.
pub(super) fn fill_blocks(out: &mut [f32], mut uniform: impl FnMut() -> f32) {
    for block in out.chunks_exact_mut(BLOCK) {
        block.fill_with(&mut uniform);
        transform_f32(block);
    }
    if !out.len().is_multiple_of(BLOCK) {
        let start = out.len() - BLOCK;
        let tail = &mut out[start..];
        tail.fill_with(uniform);
        transform_f32(tail);
    }
}

pub(super) fn transform_f64(block: &mut [f64]) {
    let (radii, angles) = block.split_at_mut(BLOCK / 2);
    for (a, b) in radii.iter_mut().zip(angles) {
        let radius = (-2.0 * (1.0 - *a).ln()).sqrt();
        let (sine, cosine) = (std::f64::consts::TAU * *b).sin_cos();
        (*a, *b) = (radius * cosine, radius * sine);
    }
}

pub(super) fn transform_f32(block: &mut [f32]) {
    let (radii, angles) = block.split_at_mut(BLOCK / 2);
    for (a, b) in radii.iter_mut().zip(angles) {
        let radius = (-2.0 * ln(1.0 - *a)).sqrt();
        let (sine, cosine) = sin_cos(std::f32::consts::TAU * *b);
        (*a, *b) = (radius * cosine, radius * sine);
    }
}

/// Polynomial with the highest power first, in Horner's scheme.
fn horner(x: f32, coefficients: &[f32]) -> f32 {
    coefficients.iter().copied().reduce(|sum, c| sum.mul_add(x, c)).unwrap_or(0.0)
}

/// Cephes' `logf` for normal numbers above zero.
#[expect(clippy::excessive_precision, reason = "the constants as Cephes publishes them")]
fn ln(x: f32) -> f32 {
    const P: [f32; 9] = [
        7.037_683_629_2e-2,
        -1.151_461_031_0e-1,
        1.167_699_874_0e-1,
        -1.242_014_084_6e-1,
        1.424_932_278_7e-1,
        -1.666_805_766_5e-1,
        2.000_071_476_5e-1,
        -2.499_999_399_3e-1,
        3.333_333_117_4e-1,
    ];
    // ln 2 in two parts: the high one has few bits, so that its product with the exponent is exact.
    const LN2_HIGH: f32 = 0.693_359_375;
    const LN2_LOW: f32 = -2.121_944_40e-4;
    let bits = x.to_bits();
    let mut exponent = (bits >> 23) as f32 - 126.0;
    let mantissa = f32::from_bits((bits & 0x007f_ffff) | 0x3f00_0000);
    let mut r = mantissa - 1.0;
    if mantissa < std::f32::consts::FRAC_1_SQRT_2 {
        exponent -= 1.0;
        r += mantissa;
    }
    let square = r * r;
    let tail = (horner(r, &P) * r).mul_add(square, exponent * LN2_LOW);
    let tail = (-square).mul_add(0.5, tail);
    exponent.mul_add(LN2_HIGH, r + tail)
}

/// Cephes' `sinf` and `cosf` for angles from 0 to 2 pi.
#[expect(clippy::excessive_precision, reason = "the constants as Cephes publishes them")]
fn sin_cos(angle: f32) -> (f32, f32) {
    // pi/4 in three parts, subtracted one after the other.
    const PARTS: [f32; 3] = [-0.785_156_25, -2.418_756_484_985_351_562_5e-4, -3.774_894_977_445_941_08e-8];
    const SINE: [f32; 3] = [-1.951_529_589_1e-4, 8.332_160_873_6e-3, -1.666_665_461_1e-1];
    const COSINE: [f32; 3] = [2.443_315_711_809_948e-5, -1.388_731_625_493_765e-3, 4.166_664_568_298_827e-2];
    let octant = ((angle * 1.273_239_544_735_16) as i32 + 1) & !1;
    let r = PARTS.iter().fold(angle, |r, part| (octant as f32).mul_add(*part, r));
    let square = r * r;
    let cosine = (horner(square, &COSINE) * square).mul_add(square, -(square * 0.5)) + 1.0;
    let sine = (horner(square, &SINE) * square).mul_add(r, r);
    let (sine, cosine) = if octant & 2 == 0 { (sine, cosine) } else { (cosine, sine) };
    (if octant & 4 == 0 { sine } else { -sine }, if (octant - 2) & 4 == 0 { -cosine } else { cosine })
}
