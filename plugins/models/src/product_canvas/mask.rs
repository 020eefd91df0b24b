//! Where the pipeline paints.

use image::GrayImage;

use crate::opencv::{Rectangle, dilate, erode};

/// From here on a mask value counts as 1: half of 255, as diffusers rounds a mask to two values.
const HALF: u8 = 128;

/// The outside of `alpha`, dilated by a square, made 0 or 255, and drawn back by `rim` pixels on all sides.
pub(super) fn repainted(alpha: &GrayImage, dilation: u32, rim: i32) -> GrayImage {
    let mut outside = alpha.clone();
    outside.iter_mut().for_each(|value| *value = 255 - *value);
    let mut mask = dilate(&outside, Rectangle::square(dilation));
    mask.iter_mut().for_each(|value| *value = if *value >= HALF { 255 } else { 0 });
    let kernel = Rectangle::square(rim.unsigned_abs().saturating_mul(2).saturating_add(1));
    match rim {
        1.. => erode(&mask, kernel),
        0 => mask,
        _ => dilate(&mask, kernel),
    }
}
