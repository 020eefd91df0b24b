//! Luma of RGB.

use image::{GrayImage, Luma, RgbImage};

/// Weights of red, green and blue (ITU-R BT.601) in units of 2^-15; they add up to one.
const WEIGHTS: [u32; 3] = [9798, 19235, 3735];
/// Binary digits of the fraction.
const SHIFT: u32 = 15;

/// Luma of an RGB picture, equal to `cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)`: BT.601 in 15-bit fixed point, rounded.
#[must_use]
pub fn gray(picture: &RgbImage) -> GrayImage {
    GrayImage::from_fn(picture.width(), picture.height(), |x, y| {
        let rgb = picture.get_pixel(x, y).0;
        let sum: u32 = rgb.iter().zip(WEIGHTS).map(|(value, weight)| u32::from(*value) * weight).sum();
        Luma([((sum + (1 << (SHIFT - 1))) >> SHIFT) as u8])
    })
}
