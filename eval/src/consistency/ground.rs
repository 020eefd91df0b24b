//! Does a product stand on something? The shadow under its foot is the cue that can be read without knowing the scene.

use super::surroundings::INSIDE;
use crate::ssim::luma;
use image::{RgbImage, RgbaImage};

/// Columns whose lowest pixel is within this share of the height of the lowest of all are the foot.
const FOOT: f64 = 0.03;
/// Height of the strip under the foot, as a share of the product's height; at least two pixels.
const STRIP: f64 = 0.02;

/// How much darker the strip right under the foot is than the ground beside the product in the same rows: 1 - ratio of
/// mean luma. About 0 without a contact shadow, negative where the strip is lighter; `None` where foot or ground lie off
/// the canvas.
pub(super) fn contact_shadow(creative: &RgbImage, product: &RgbaImage, left: i32, top: i32) -> Option<f64> {
    let (width, height) = (i64::from(product.width()), i64::from(product.height()));
    let lowest = |x: i64| (0..height).rev().find(|y| product.get_pixel(x as u32, *y as u32).0[3] >= INSIDE);
    let lows: Vec<(i64, i64)> = (0..width).filter_map(|x| lowest(x).map(|y| (x, y))).collect();
    let bottom = lows.iter().map(|(_, y)| *y).max()?;
    let foot = lows.iter().filter(|(_, y)| bottom - y <= (FOOT * height as f64) as i64);
    let deep = ((STRIP * height as f64).round() as i64).max(2);
    let at = |x: i64, y: i64| {
        let (x, y) = (x + i64::from(left), y + i64::from(top));
        let within =
            (0..i64::from(creative.width())).contains(&x) && (0..i64::from(creative.height())).contains(&y);
        within.then(|| luma(creative.get_pixel(x as u32, y as u32).0))
    };
    // The first pixel beneath is mixed by antialiasing.
    let strip =
        mean(foot.flat_map(|(x, y)| (2..2 + deep).map(move |d| (*x, y + d))).filter_map(|(x, y)| at(x, y)))?;
    let beside = (-width / 2..-width / 8).chain(width + width / 8..width + width / 2);
    let ground = beside.flat_map(|x| (2..2 + deep).map(move |d| (x, bottom + d)));
    let ground = mean(ground.filter_map(|(x, y)| at(x, y)))?;
    Some(1.0 - (strip + 1.0) / (ground + 1.0))
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0_usize), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / count as f64)
}
