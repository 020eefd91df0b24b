//! From linear light to 8 bits: exposure, highlights, vignette, and dither against banding.

use crate::{Canvas, color, noise};
use image::RgbImage;
use rayon::prelude::*;
use std::sync::OnceLock;

/// How a canvas is brought to the display.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Finish {
    /// Factor on all values.
    pub exposure: f32,
    /// Where highlights start to roll off, 0 to 1; 1 clips them.
    pub shoulder: f32,
    /// Size of the dither in steps of 8 bits: 1 hides all banding, more is film grain.
    pub grain: f32,
    /// Seed of the dither.
    pub seed: u32,
}

impl Default for Finish {
    fn default() -> Self {
        Self { exposure: 1.0, shoulder: 0.8, grain: 1.0, seed: 0 }
    }
}

/// The canvas as 8-bit sRGB, with triangular dither.
pub fn finish(canvas: &Canvas, spec: &Finish) -> RgbImage {
    let mut out = RgbImage::new(canvas.width as u32, canvas.height as u32);
    if canvas.data.is_empty() {
        return out;
    }
    let rows =
        out.par_chunks_mut(3 * canvas.width).zip(canvas.data.par_chunks(canvas.width)).with_min_len(16);
    rows.enumerate().for_each(|(y, (to, from))| {
        for (x, (to, from)) in to.chunks_exact_mut(3).zip(from).enumerate() {
            let h = noise::hash(x as i32, y as i32, spec.seed);
            // Two uniform numbers make a triangular one; all channels share it, so that grain has no colour.
            let dither = ((h & 0xffff) as f32 + (h >> 16) as f32) / 65_536.0 - 1.0;
            for (to, &value) in to.iter_mut().zip(from) {
                let v = encode(roll_off(value * spec.exposure, spec.shoulder));
                *to = (v * 255.0 + dither * spec.grain + 0.5).clamp(0.0, 255.0) as u8;
            }
        }
    });
    out
}

/// Values above the shoulder approach 1 instead of clipping.
fn roll_off(v: f32, shoulder: f32) -> f32 {
    if v <= shoulder || shoulder >= 1.0 {
        return v.clamp(0.0, 1.0);
    }
    let room = 1.0 - shoulder;
    let over = (v - shoulder) / room;
    shoulder + room * over / (1.0 + over)
}

/// Linear 0..1 to sRGB 0..1 through a table; within 0.1 of an 8-bit step.
fn encode(v: f32) -> f32 {
    const STEPS: usize = 4096;
    static LUT: OnceLock<Vec<f32>> = OnceLock::new();
    let lut =
        LUT.get_or_init(|| (0..=STEPS + 1).map(|i| color::linear_to_srgb(i as f32 / STEPS as f32)).collect());
    let position = v.clamp(0.0, 1.0) * STEPS as f32;
    let i = position as usize;
    lut[i] + (lut[i + 1] - lut[i]) * (position - i as f32)
}

/// Darkens the corners by `strength` (0 to 1), leaving the middle as it is.
pub fn vignette(canvas: &mut Canvas, strength: f32) {
    let (w, h) = (canvas.width as f32, canvas.height as f32);
    for (y, row) in canvas.data.chunks_exact_mut(canvas.width.max(1)).enumerate() {
        let v = (y as f32 + 0.5) / h * 2.0 - 1.0;
        for (x, pixel) in row.iter_mut().enumerate() {
            let u = (x as f32 + 0.5) / w * 2.0 - 1.0;
            let k = 1.0 - strength * noise::smoothstep(0.5, 2.1, u * u + v * v);
            *pixel = pixel.map(|c| c * k);
        }
    }
}

/// A canvas with a gradient from `from` to `to` (linear colours, blended in OKLab) at `degrees`: 0 runs from the left
/// to the right, 90 from the top to the bottom.
pub fn linear_gradient(width: usize, height: usize, degrees: f32, from: [f32; 3], to: [f32; 3]) -> Canvas {
    let (sin, cos) = degrees.to_radians().sin_cos();
    let span = (width as f32 * cos).abs() + (height as f32 * sin).abs();
    let (a, b) = (color::oklab(from), color::oklab(to));
    let mut canvas = Canvas::filled(width, height, from);
    for (i, pixel) in canvas.data.iter_mut().enumerate() {
        let x = (i % width) as f32 + 0.5 - 0.5 * width as f32;
        let y = (i / width) as f32 + 0.5 - 0.5 * height as f32;
        let t = ((x * cos + y * sin) / span.max(1.0) + 0.5).clamp(0.0, 1.0);
        *pixel = color::from_oklab(color::mix(a, b, t)).map(|v| v.max(0.0));
    }
    canvas
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_gradient_has_no_bands() {
        let canvas = linear_gradient(512, 8, 0.0, [0.50; 3], [0.52; 3]);
        let image = finish(&canvas, &Finish::default());
        // Without dither a row would have runs of about 100 equal pixels.
        let row: Vec<u8> = (0..512).map(|x| image.get_pixel(x, 4).0[0]).collect();
        let longest = row.chunk_by(|a, b| a == b).map(<[u8]>::len).max().unwrap();
        assert!(longest < 40, "a run of {longest} equal pixels");
    }

    #[test]
    fn encoding_matches_the_standard() {
        for i in 0..=255u32 {
            let v = i as f32 / 255.0;
            assert!((encode(color::srgb_to_linear(v)) - v).abs() * 255.0 < 0.12, "at {i}");
        }
    }

    #[test]
    fn highlights_keep_their_order() {
        assert!(roll_off(2.0, 0.8) < roll_off(3.0, 0.8) && roll_off(3.0, 0.8) < 1.0);
    }
}
