//! The product over a background.

use image::{GrayImage, Luma, Rgb, RgbImage};

use super::ProductCanvas;
use crate::opencv::{Rectangle, erode};

/// The weight of the product at each pixel, 0 to 255: alpha, faded in over the `2 * feather` pixels inside its outline.
///
/// Drawn back by `feather` and then blurred by as much, the edge's ramp ends where the outline is.
pub(super) fn weights(alpha: &GrayImage, feather: u32) -> GrayImage {
    if feather == 0 {
        return alpha.clone();
    }
    let side = feather.saturating_mul(2).saturating_add(1);
    let mut faded = blurred(&erode(alpha, Rectangle::square(side)), feather as usize);
    faded.iter_mut().zip(alpha.iter()).for_each(|(weight, alpha)| *weight = (*weight).min(*alpha));
    faded
}

/// The mean over the square of `2 * radius + 1` pixels around each pixel, rounded; beyond the border nothing counts.
fn blurred(picture: &GrayImage, radius: usize) -> GrayImage {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let stride = width + 1;
    // Sums of everything above and to the left.
    let mut sums = vec![0u64; stride * (height + 1)];
    for (y, row) in picture.rows().enumerate() {
        let mut sum = 0;
        for (x, pixel) in row.enumerate() {
            sum += u64::from(pixel.0[0]);
            sums[(y + 1) * stride + x + 1] = sums[y * stride + x + 1] + sum;
        }
    }
    GrayImage::from_fn(picture.width(), picture.height(), |x, y| {
        let (x, y) = (x as usize, y as usize);
        let [left, top] = [x, y].map(|at| at.saturating_sub(radius));
        let (right, bottom) = ((x + radius + 1).min(width), (y + radius + 1).min(height));
        let at = |x: usize, y: usize| sums[y * stride + x];
        let sum = at(right, bottom) + at(left, top) - at(left, bottom) - at(right, top);
        let count = ((right - left) * (bottom - top)) as u64;
        Luma([((sum + count / 2) / count) as u8])
    })
}

/// `product * weight / alpha + background * (255 - weight) / 255`; the product's colours are already times alpha.
pub(super) fn over(canvas: &ProductCanvas, weights: &GrayImage, background: &RgbImage) -> RgbImage {
    RgbImage::from_fn(background.width(), background.height(), |x, y| {
        let [alpha, weight] = [&canvas.alpha, weights].map(|picture| u32::from(picture.get_pixel(x, y).0[0]));
        let (product, behind) = (canvas.product.get_pixel(x, y).0, background.get_pixel(x, y).0);
        let mut pixel = behind;
        for (value, (product, behind)) in pixel.iter_mut().zip(product.into_iter().zip(behind)) {
            let front = (u32::from(product) * weight * 255 + alpha / 2).checked_div(alpha).unwrap_or(0);
            *value = ((front + u32::from(behind) * (255 - weight) + 127) / 255).min(255) as u8;
        }
        Rgb(pixel)
    })
}
