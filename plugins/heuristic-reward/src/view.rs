//! A creative, reduced to the size at which it is judged.

use adeval_compositing::color::{oklab, srgb_lut};
use adeval_sdk::prelude::*;
use image::{RgbImage, imageops};

/// Longer side of the reduced creative in pixels.
pub(crate) const SIDE: u32 = 128;

/// The reduced creative as sRGB bytes and as OKLab, rows from the top.
pub(crate) struct View {
    pub rgb: RgbImage,
    /// Lightness 0 to 1, then the two opponent axes (about -0.4 to 0.4).
    pub lab: Vec<[f32; 3]>,
}

/// The size with longer side `side` and the aspect ratio of `(w, h)`; no side below 1.
pub(crate) fn fit(w: u32, h: u32, side: u32) -> (u32, u32) {
    let longest = w.max(h).max(1);
    let scaled = |v: u32| {
        ((u64::from(v) * u64::from(side) + u64::from(longest) / 2) / u64::from(longest)).max(1) as u32
    };
    (scaled(w), scaled(h))
}

impl View {
    pub fn of(image: &Image) -> Self {
        let (w, h) = fit(image.width(), image.height(), SIDE);
        let rgb = match image.as_rgb() {
            Some(view) => imageops::thumbnail(&view, w, h),
            None => imageops::thumbnail(&image.to_rgb(), w, h),
        };
        let lut = srgb_lut();
        let lab = rgb.pixels().map(|p| oklab(p.0.map(|v| lut[v as usize]))).collect();
        Self { rgb, lab }
    }
}
