//! From pictures to the network's input, in the two ways that published numbers are computed.

use candle_core::{Device, Tensor};
use image::RgbImage;
use rayon::prelude::*;

use super::SIDE;
use crate::clip::preprocess::resize_bicubic_float;
use crate::{ModelError, Result};

/// How a picture becomes one of 299 x 299 pixels. Numbers of one way are not comparable with those of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resize {
    /// As TensorFlow 1 did inside the published network: bilinear between the four pixels around `x * width / 299` (not of pixel
    /// centres, without antialiasing). What FID, torch-fidelity and most papers have.
    Legacy,
    /// As Clean-FID (Parmar et al. 2022): Pillow's bicubic, antialiased, on floats that are clamped and not rounded.
    Clean,
}

/// 8-bit sRGB pictures of any size to `(N, 3, 299, 299)` float32, (value - 128) / 128: about -1 to 1.
///
/// # Errors
/// [`ModelError::Image`] for a picture without pixels.
pub fn preprocess(pictures: &[&RgbImage], resize: Resize, device: &Device) -> Result<Tensor> {
    let plane = SIDE * SIDE;
    let mut values = vec![0f32; pictures.len() * 3 * plane];
    values.par_chunks_mut(3 * plane).zip(pictures).try_for_each(|(out, picture)| {
        let (width, height) = picture.dimensions();
        if width == 0 || height == 0 {
            return Err(ModelError::Image { width, height, reason: "it is empty".to_owned() });
        }
        match resize {
            Resize::Legacy => legacy(picture, out),
            Resize::Clean => clean(picture, out),
        }
        out.iter_mut().for_each(|value| *value = (*value - 128.0) / 128.0);
        Ok::<_, ModelError>(())
    })?;
    Ok(Tensor::from_vec(values, (pictures.len(), 3, SIDE, SIDE), device)?)
}

/// The two pixels around a place on an axis of `side` pixels, and how far it is from the first.
fn places(side: u32) -> Vec<(u32, u32, f32)> {
    let scale = (f64::from(side) / SIDE as f64) as f32;
    let place = |out: usize| {
        let at = out as f32 * scale;
        let low = at as u32;
        (low.min(side - 1), (low + 1).min(side - 1), at - low as f32)
    };
    (0..SIDE).map(place).collect()
}

fn legacy(picture: &RgbImage, out: &mut [f32]) {
    let (columns, rows) = (places(picture.width()), places(picture.height()));
    for (channel, plane) in out.chunks_exact_mut(SIDE * SIDE).enumerate() {
        let level = |x: u32, y: u32| f32::from(picture.get_pixel(x, y).0[channel]);
        for (line, (top, bottom, down)) in plane.chunks_exact_mut(SIDE).zip(&rows) {
            for (value, (left, right, across)) in line.iter_mut().zip(&columns) {
                let between = |y: u32| level(*left, y) + (level(*right, y) - level(*left, y)) * across;
                let (upper, lower) = (between(*top), between(*bottom));
                *value = upper + (lower - upper) * down;
            }
        }
    }
}

fn clean(picture: &RgbImage, out: &mut [f32]) {
    let side = SIDE as u32;
    for (channel, plane) in out.chunks_exact_mut(SIDE * SIDE).enumerate() {
        let values: Vec<f32> = picture.pixels().map(|pixel| f32::from(pixel.0[channel])).collect();
        let resized = resize_bicubic_float(&values, picture.dimensions(), (side, side));
        plane.iter_mut().zip(resized).for_each(|(value, resized)| *value = resized.clamp(0.0, 255.0));
    }
}
