//! From pictures to the network's input, as the weights were trained.

use candle_core::{Device, Tensor};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer, images as fir};
use image::RgbImage;
use rayon::prelude::*;

use super::SIDE;
use crate::{ModelError, Result};

/// Subtracted from all three channels: `MEAN_RGB` of the TensorFlow release's `efficientnet_lite_builder.py`, where
/// `STDDEV_RGB` is 128.
const MEAN: f32 = 127.0;
/// Divides after the subtraction; same standing as [`MEAN`].
const STD: f32 = 128.0;

/// Scales and normalises 8-bit sRGB pictures: `N` pictures of any size to `(N, 3, 224, 224)` float32, in -0.99..=1.0.
///
/// The shorter side is brought to 224 pixels with a bicubic filter (Catmull-Rom, widened when it shrinks, as Pillow
/// does) and the middle square is cut out; then (value - 127) / 128. Nothing is cut from a square, since the edge of an
/// advertisement belongs to it. The PyTorch conversion's sample code normalises by ImageNet's mean and deviation instead; the weights
/// answer better to the values used here (0.94 to 0.82 for "espresso" on a photograph of one).
///
/// # Errors
/// [`ModelError::Image`] for an empty picture or one so long that its middle square vanishes.
pub fn preprocess(images: &[&RgbImage], device: &Device) -> Result<Tensor> {
    let plane = SIDE * SIDE;
    let mut values = vec![0f32; images.len() * 3 * plane];
    values.par_chunks_mut(3 * plane).zip(images).try_for_each(|(out, image)| {
        let pixels = middle_square(image)?;
        for (at, rgb) in pixels.as_chunks::<3>().0.iter().enumerate() {
            for (channel, value) in rgb.iter().enumerate() {
                out[channel * plane + at] = (f32::from(*value) - MEAN) / STD;
            }
        }
        Ok::<_, ModelError>(())
    })?;
    Ok(Tensor::from_vec(values, (images.len(), 3, SIDE, SIDE), device)?)
}

/// The middle square of a picture at 224x224, 8-bit RGB, rows from the top.
pub(super) fn middle_square(image: &RgbImage) -> Result<Vec<u8>> {
    let (width, height) = image.dimensions();
    let fail = |reason: String| ModelError::Image { width, height, reason };
    if width == 0 || height == 0 {
        return Err(fail("it is empty".to_owned()));
    }
    let side = SIDE as u32;
    if width == side && height == side {
        return Ok(image.as_raw().clone());
    }
    // A window of the scaled picture, wide enough that the filter sees what lies beyond the middle square.
    let short = width.min(height);
    let margin = (2.0 * (f64::from(side) / f64::from(short)).max(1.0)).ceil() as u32 + 1;
    let (x, y) = (Window::new(width, short, margin), Window::new(height, short, margin));
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::CatmullRom)).crop(
        x.source_from,
        y.source_from,
        x.source_length,
        y.source_length,
    );
    let source = fir::ImageRef::new(width, height, image.as_raw(), PixelType::U8x3)
        .map_err(|e| fail(e.to_string()))?;
    let mut scaled = fir::Image::new(x.length, y.length, PixelType::U8x3);
    Resizer::new().resize(&source, &mut scaled, &options).map_err(|e| fail(e.to_string()))?;
    let rows = scaled.buffer().chunks_exact(3 * x.length as usize).skip(y.skip).take(SIDE);
    Ok(rows.flat_map(|row| &row[3 * x.skip..][..3 * SIDE]).copied().collect())
}

/// What is scaled along one axis, and where the middle square lies in it.
struct Window {
    /// First source pixel, possibly between two.
    source_from: f64,
    /// Source pixels.
    source_length: f64,
    /// Scaled pixels.
    length: u32,
    /// Scaled pixels before the middle square.
    skip: usize,
}

impl Window {
    /// The middle of an axis of `side` pixels, where the picture's shorter axis has `short`, with `margin` scaled pixels on
    /// both ends as far as there are so many.
    fn new(side: u32, short: u32, margin: u32) -> Self {
        let scaled = (f64::from(side) * SIDE as f64 / f64::from(short)).round() as u32;
        let step = f64::from(side) / f64::from(scaled);
        let left = (scaled - SIDE as u32) / 2;
        let from = left.saturating_sub(margin);
        let to = (left + SIDE as u32 + margin).min(scaled);
        let source_from = f64::from(from) * step;
        let source_length = (f64::from(to - from) * step).min(f64::from(side) - source_from);
        Self { source_from, source_length, length: to - from, skip: (left - from) as usize }
    }
}
