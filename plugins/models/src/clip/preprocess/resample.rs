//! Resampling as Pillow's `Image.resize(..., BICUBIC)` and `BILINEAR`: the kernel widens where a picture shrinks (antialiasing), rows and
//! columns in two passes. For 8-bit pictures weights are in fixed point with 22 bits and each pass is rounded to 8 bits; for one
//! channel of floats (Pillow's mode F) they are in float64, and each pass is rounded to float32.
//!
//! Keys, "Cubic convolution interpolation for digital image processing" (1981), with a = -1/2.

use image::RgbImage;
use rayon::prelude::*;

/// Bits behind the point of a weight: 8-bit values times weights, and their sum, fit 32 bits.
const BITS: u32 = 32 - 8 - 2;

/// A filter of Pillow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// A triangle of two pixels.
    Bilinear,
    /// Keys's kernel of four pixels.
    Bicubic,
}

impl Filter {
    /// By Pillow's number.
    pub const fn of(number: u32) -> Option<Self> {
        match number {
            2 => Some(Self::Bilinear),
            3 => Some(Self::Bicubic),
            _ => None,
        }
    }

    /// Pixels to either side, of a picture that does not shrink.
    const fn reach(self) -> f64 {
        match self {
            Self::Bilinear => 1.0,
            Self::Bicubic => 2.0,
        }
    }

    fn weight(self, x: f64) -> f64 {
        match self {
            Self::Bilinear => (1.0 - x.abs()).max(0.0),
            Self::Bicubic => keys(x),
        }
    }
}

/// [`resize`] by [`Filter::Bicubic`].
pub fn resize_bicubic(picture: &RgbImage, width: u32, height: u32) -> RgbImage {
    resize(picture, Filter::Bicubic, width, height)
}

/// Resamples `picture` to `width` x `height` pixels, equal to the result of Pillow 13 in every value. No side may be 0.
pub fn resize(picture: &RgbImage, filter: Filter, width: u32, height: u32) -> RgbImage {
    let across = |picture: &RgbImage| {
        if picture.width() == width { picture.clone() } else { resize_rows(picture, filter, width) }
    };
    let down = |picture: &RgbImage| {
        if picture.height() == height { picture.clone() } else { resize_columns(picture, filter, height) }
    };
    if goes_down_first(picture.dimensions(), (width, height)) {
        across(&down(picture))
    } else {
        down(&across(picture))
    }
}

/// Pillow 13 resamples columns first where that leaves less to do, which shows in the last bits: each pass rounds. Found by
/// trying 4000 pairs of sizes on Pillow 13.0.0; older versions always resample rows first.
fn goes_down_first((from_width, from_height): (u32, u32), (width, height): (u32, u32)) -> bool {
    let lost = |from: u32, to: u32| i64::from(from) - i64::from(to);
    lost(from_height, height) > 2 * lost(from_width, width).max(0)
}

/// Resamples one channel of `from` (width, height) float32 values, rows from the top, to `to` (width, height), as Pillow 13 does in
/// its mode F. No side may be 0.
///
/// # Panics
/// If there are not as many values as `from` says.
pub fn resize_bicubic_float(values: &[f32], from: (u32, u32), to: (u32, u32)) -> Vec<f32> {
    assert_eq!(values.len(), from.0 as usize * from.1 as usize, "the picture's size");
    let across = |values: &[f32]| {
        if from.0 == to.0 { values.to_vec() } else { float_rows(values, from.0, to.0) }
    };
    let down = |values: &[f32], width: u32| {
        if from.1 == to.1 { values.to_vec() } else { float_columns(values, width, from.1, to.1) }
    };
    if goes_down_first(from, to) { across(&down(values, from.0)) } else { down(&across(values), to.0) }
}

fn float_rows(values: &[f32], from: u32, to: u32) -> Vec<f32> {
    let taps = exact_taps(Filter::Bicubic, from, to);
    let row = |row: &[f32]| -> Vec<f32> {
        let one = |tap: &Tap<f64>| {
            let pixels = row[tap.start..].iter().zip(&tap.weights);
            pixels.fold(0.0, |sum, (value, weight)| sum + f64::from(*value) * weight) as f32
        };
        taps.iter().map(one).collect()
    };
    values.chunks_exact(from as usize).flat_map(row).collect()
}

fn float_columns(values: &[f32], width: u32, from: u32, to: u32) -> Vec<f32> {
    let rows: Vec<&[f32]> = values.chunks_exact(width as usize).collect();
    let row = |tap: &Tap<f64>| {
        let mut sums = vec![0.0; width as usize];
        for (row, weight) in rows[tap.start..].iter().zip(&tap.weights) {
            sums.iter_mut().zip(*row).for_each(|(sum, value)| *sum += f64::from(*value) * weight);
        }
        sums.into_iter().map(|sum| sum as f32)
    };
    exact_taps(Filter::Bicubic, from, to).iter().flat_map(row).collect()
}

fn resize_rows(picture: &RgbImage, filter: Filter, width: u32) -> RgbImage {
    let taps = taps(filter, picture.width(), width);
    let mut out = RgbImage::new(width, picture.height());
    let (from, to) = (picture.width() as usize * 3, width as usize * 3);
    out.par_chunks_exact_mut(to).zip(picture.par_chunks_exact(from)).for_each(|(out, row)| {
        for (pixel, tap) in out.chunks_exact_mut(3).zip(&taps) {
            let pixels = row[tap.start * 3..].chunks_exact(3);
            let mut sums = [1 << (BITS - 1); 3];
            for (source, weight) in pixels.zip(&tap.weights) {
                sums.iter_mut().zip(source).for_each(|(sum, &value)| *sum += i32::from(value) * weight);
            }
            pixel.copy_from_slice(&sums.map(level));
        }
    });
    out
}

fn resize_columns(picture: &RgbImage, filter: Filter, height: u32) -> RgbImage {
    let taps = taps(filter, picture.height(), height);
    let mut out = RgbImage::new(picture.width(), height);
    let length = picture.width() as usize * 3;
    let rows: Vec<&[u8]> = picture.chunks_exact(length).collect();
    out.par_chunks_exact_mut(length).zip(&taps).for_each(|(out, tap)| {
        let mut sums = vec![1 << (BITS - 1); length];
        for (row, weight) in rows[tap.start..].iter().zip(&tap.weights) {
            sums.iter_mut().zip(*row).for_each(|(sum, &value)| *sum += i32::from(value) * weight);
        }
        out.iter_mut().zip(sums).for_each(|(value, sum)| *value = level(sum));
    });
    out
}

fn level(sum: i32) -> u8 {
    (sum >> BITS).clamp(0, 255) as u8
}

/// The inputs of one output: from `start`, one for each weight.
struct Tap<T> {
    start: usize,
    weights: Vec<T>,
}

/// In fixed point.
fn taps(filter: Filter, from: u32, to: u32) -> Vec<Tap<i32>> {
    let fixed = |w: f64| (w * f64::from(1 << BITS)).round() as i32;
    let tap = |tap: Tap<f64>| Tap { start: tap.start, weights: tap.weights.into_iter().map(fixed).collect() };
    exact_taps(filter, from, to).into_iter().map(tap).collect()
}

/// The places and weights that each of `to` outputs has of `from` inputs, by [`Filter::Bicubic`] in float64.
pub(crate) fn exact_bicubic(from: u32, to: u32) -> Vec<Vec<(usize, f64)>> {
    let placed = |tap: Tap<f64>| (tap.start..).zip(tap.weights).collect();
    exact_taps(Filter::Bicubic, from, to).into_iter().map(placed).collect()
}

fn exact_taps(filter: Filter, from: u32, to: u32) -> Vec<Tap<f64>> {
    let scale = f64::from(from) / f64::from(to);
    let widening = scale.max(1.0);
    let reach = filter.reach() * widening;
    let tap = |out: u32| {
        let centre = (f64::from(out) + 0.5) * scale;
        let start = (centre - reach + 0.5).max(0.0) as usize;
        let end = ((centre + reach + 0.5) as usize).min(from as usize);
        let weights: Vec<f64> =
            (start..end).map(|i| filter.weight((i as f64 - centre + 0.5) * (1.0 / widening))).collect();
        let sum: f64 = weights.iter().sum();
        Tap { start, weights: weights.into_iter().map(|w| w / sum).collect() }
    };
    (0..to).map(tap).collect()
}

fn keys(x: f64) -> f64 {
    const A: f64 = -0.5;
    let x = x.abs();
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    } else {
        0.0
    }
}
