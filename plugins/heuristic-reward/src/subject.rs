//! Finding the product in a creative: template matching of its cut-out, coarse to fine.

use crate::view::{SIDE, View, fit};
use adeval_sdk::prelude::*;
use image::{RgbImage, RgbaImage, imageops};

/// Mean absolute difference of a channel (of 255) up to which a match counts as the product.
const TOLERANCE: f32 = 22.0;

/// Where the subject is: one weight from 0 to 1 a pixel of the [`View`].
pub(crate) struct Subject {
    pub mask: Vec<f32>,
    /// Whether the product was recognised; else the mask is a soft ellipse in the middle.
    pub found: bool,
}

/// The product's alpha box, longer side at most [`SIDE`]; `None` when nothing is visible.
pub(crate) fn template(product: &Product) -> Option<RgbaImage> {
    let cut = CutOut::of(product).ok()?;
    let pixels = cut.pixels();
    let (w, h) = fit(pixels.width(), pixels.height(), SIDE.min(pixels.width().max(pixels.height())));
    Some(imageops::thumbnail(pixels, w, h))
}

#[derive(Clone, Copy)]
struct Match {
    error: f32,
    side: u32,
    left: u32,
    top: u32,
}

/// The best match of the template with longer sides from `sides`, left and top edges within the ranges.
fn search(
    canvas: &RgbImage,
    template: &RgbaImage,
    sides: impl Iterator<Item = u32>,
    near: Option<(u32, u32)>,
) -> Option<Match> {
    let mut best: Option<Match> = None;
    for side in sides {
        let (w, h) = fit(template.width(), template.height(), side);
        let (Some(right), Some(bottom)) = (canvas.width().checked_sub(w), canvas.height().checked_sub(h))
        else {
            continue;
        };
        let scaled = imageops::thumbnail(template, w, h);
        let opaque: Vec<(u32, u32, [u8; 3])> = scaled
            .enumerate_pixels()
            .filter(|(_, _, p)| p.0[3] > 240)
            .map(|(x, y, p)| (x, y, [p.0[0], p.0[1], p.0[2]]))
            .collect();
        if opaque.len() < 6 {
            continue;
        }
        let span = |near: Option<u32>, last: u32| match near {
            Some(v) => v.saturating_sub(2).min(last)..=(v + 2).min(last),
            None => 0..=last,
        };
        for top in span(near.map(|n| n.1), bottom) {
            for left in span(near.map(|n| n.0), right) {
                let bound = best.map_or(f32::INFINITY, |b| b.error);
                let error = difference(canvas, &opaque, left, top, bound);
                if error < bound {
                    best = Some(Match { error, side, left, top });
                }
            }
        }
    }
    best
}

/// Mean absolute difference of a channel; stops early, with what it has, once that exceeds `bound`.
fn difference(canvas: &RgbImage, opaque: &[(u32, u32, [u8; 3])], left: u32, top: u32, bound: f32) -> f32 {
    let (width, raw) = (canvas.width() as usize, canvas.as_raw());
    let scale = 1.0 / (3.0 * opaque.len() as f32);
    let mut sum = 0u32;
    for row in opaque.chunks(32) {
        for &(x, y, colour) in row {
            let at = ((top + y) as usize * width + (left + x) as usize) * 3;
            sum += raw[at..at + 3].iter().zip(&colour).map(|(&a, &b)| u32::from(a.abs_diff(b))).sum::<u32>();
        }
        if sum as f32 * scale >= bound {
            break;
        }
    }
    sum as f32 * scale
}

impl Subject {
    /// Looks for the product at a quarter of the view's size, then at a half.
    pub fn locate(view: &View, template: Option<&RgbaImage>) -> Self {
        let found = template.and_then(|template| {
            let reduce = |by: u32| {
                let (w, h) = (view.rgb.width().div_ceil(by), view.rgb.height().div_ceil(by));
                imageops::thumbnail(&view.rgb, w, h)
            };
            let coarse = search(&reduce(4), template, (8..=32).step_by(2), None)?;
            let sides = (2 * coarse.side).saturating_sub(2)..=2 * coarse.side + 2;
            let fine = search(&reduce(2), template, sides, Some((2 * coarse.left, 2 * coarse.top)))?;
            (fine.error <= TOLERANCE).then(|| Self::paste(view, template, fine))
        });
        found.unwrap_or_else(|| Self::middle(view))
    }

    fn paste(view: &View, template: &RgbaImage, at: Match) -> Self {
        let (width, height) = view.rgb.dimensions();
        let (w, h) = fit(template.width(), template.height(), 2 * at.side);
        let mut mask = vec![0.0; (width * height) as usize];
        for (x, y, p) in imageops::thumbnail(template, w, h).enumerate_pixels() {
            let (cx, cy) = (2 * at.left + x, 2 * at.top + y);
            if cx < width && cy < height {
                mask[(cy * width + cx) as usize] = f32::from(p.0[3]) / 255.0;
            }
        }
        Self { mask, found: true }
    }

    fn middle(view: &View) -> Self {
        let (width, height) = view.rgb.dimensions();
        let at = |v: u32, n: u32| (v as f32 + 0.5) / n as f32 - 0.5;
        let weight = |x, y| (-(at(x, width).powi(2) + at(y, height).powi(2)) / (2.0 * 0.2 * 0.2)).exp();
        let mask = (0..height).flat_map(|y| (0..width).map(move |x| weight(x, y))).collect();
        Self { mask, found: false }
    }
}
