//! Colour grade and exposure of the finished scene. The product is pasted afterwards and never graded.

use crate::words::Words;
use adeval_compositing::{Canvas, color::luminance};
use rayon::prelude::*;

/// A look, read from the words of a prompt.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Grade {
    /// Factors on red, green and blue.
    pub balance: [f32; 3],
    /// Factor on the distance of colours from grey.
    pub saturation: f32,
    /// Exponent of a contrast curve around middle grey.
    pub contrast: f32,
    /// Mean luminance that the exposure aims at, linear.
    pub key: f32,
    /// Darkening of the corners.
    pub vignette: f32,
}

impl Grade {
    /// The look of a prompt, at a strength from 0 (neutral) to 1.
    pub fn of(words: &Words, strength: f32) -> Self {
        let mut g = Self { balance: [1.0; 3], saturation: 1.06, contrast: 1.04, key: 0.26, vignette: 0.20 };
        if words.has_any(&["warm", "golden", "cozy", "sunset", "autumn", "candle", "amber", "rustic"]) {
            g.balance = [1.07, 1.0, 0.88];
        }
        if words.has_any(&["cool", "cold", "winter", "ice", "frost", "moon", "futuristic", "tech", "marine"])
        {
            g.balance = [0.93, 1.0, 1.08];
        }
        if words.has_any(&["dark", "moody", "night", "dramatic", "luxury", "premium", "midnight", "gaming"]) {
            (g.key, g.vignette, g.contrast) = (0.13, 0.36, 1.12);
        }
        if words
            .has_any(&["bright", "white", "airy", "fresh", "clean", "spring", "minimal", "sunny", "morning"])
        {
            (g.key, g.vignette) = (0.40, 0.10);
        }
        if words.has_any(&["vivid", "colorful", "playful", "festive", "party", "neon", "bold", "kids"]) {
            (g.saturation, g.contrast) = (1.22, 1.08);
        }
        if words.has_any(&["pastel", "soft", "muted", "calm", "vintage", "neutral", "dreamy", "scandinavian"])
        {
            (g.saturation, g.contrast) = (0.88, 0.97);
        }
        let neutral = |v: f32, at: f32| at + (v - at) * strength;
        Self {
            balance: g.balance.map(|v| neutral(v, 1.0)),
            saturation: neutral(g.saturation, 1.0),
            contrast: neutral(g.contrast, 1.0),
            key: neutral(g.key, 0.26),
            vignette: neutral(g.vignette, 0.15),
        }
    }

    /// Applies exposure, balance, contrast and saturation to a scene in linear light.
    pub fn apply(&self, canvas: &mut Canvas) {
        let mean = luminance(canvas.mean()).max(1e-4);
        // Half way in stops: a night stays darker than a beach.
        let exposure = (self.key / mean).sqrt().clamp(0.6, 1.9);
        let pivot = 0.18f32;
        canvas.data.par_chunks_mut(4096).for_each(|pixels| {
            for pixel in pixels {
                let lit: [f32; 3] = std::array::from_fn(|i| pixel[i] * exposure * self.balance[i]);
                let l = luminance(lit).max(1e-5);
                let k = fast_pow(l / pivot, self.contrast - 1.0);
                *pixel = lit.map(|v| ((l + (v - l) * self.saturation) * k).max(0.0));
            }
        });
    }
}

/// `x^e` for a small exponent, to a few parts in 1000, without the cost of `powf`.
fn fast_pow(x: f32, e: f32) -> f32 {
    if e.abs() < 1e-4 {
        return 1.0;
    }
    // log2 from the exponent bits and a quadratic on the mantissa; then e^y to the fourth order, as y is small.
    let bits = x.max(1e-6).to_bits();
    let mantissa = f32::from_bits((bits & 0x007f_ffff) | 0x3f80_0000);
    let log2 = (bits >> 23) as f32 - 127.0 + (-0.344_845 * mantissa + 2.024_658) * mantissa - 1.674_873;
    let y = e * log2 * std::f32::consts::LN_2;
    1.0 + y * (1.0 + y * (0.5 + y * (1.0 / 6.0 + y / 24.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fast_power_is_close() {
        for x in [0.01f32, 0.2, 1.0, 3.7] {
            for e in [-0.05f32, 0.04, 0.12] {
                assert!((fast_pow(x, e) / x.powf(e) - 1.0).abs() < 4e-3, "{x}^{e}: {}", fast_pow(x, e));
            }
        }
    }

    #[test]
    fn moods_move_the_picture_the_right_way() {
        let graded = |prompt: &str| {
            let mut canvas = Canvas::filled(4, 4, [0.2, 0.2, 0.2]);
            Grade::of(&Words::of(prompt), 1.0).apply(&mut canvas);
            canvas.data[0]
        };
        let (warm, dark, bright) =
            (graded("warm golden light"), graded("dark moody"), graded("bright and airy"));
        assert!(warm[0] > warm[2]);
        assert!(luminance(dark) < luminance(bright));
        let mut untouched = Canvas::filled(2, 2, [0.26; 3]);
        Grade::of(&Words::of("dark warm vivid"), 0.0).apply(&mut untouched);
        assert!((untouched.data[0][0] - 0.26).abs() < 1e-3);
    }
}
