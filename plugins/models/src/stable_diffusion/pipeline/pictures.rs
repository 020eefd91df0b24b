//! Between pictures of bytes and tensors, as diffusers' `VaeImageProcessor` converts them.

use candle_core::{DType, Device, Tensor};
use image::{GrayImage, RgbImage};

use crate::Result;

/// `(pictures, 3, height, width)` in 0..=1, in float32 on the CPU. All have one size.
pub fn unit(pictures: &[&RgbImage]) -> Result<Tensor> {
    let (width, height) = pictures.first().map_or((0, 0), |p| p.dimensions());
    let (width, height) = (width as usize, height as usize);
    let values: Vec<f32> =
        pictures.iter().flat_map(|p| p.as_raw().iter().map(|&v| f32::from(v) / 255.0)).collect();
    let rows = Tensor::from_vec(values, (pictures.len(), height, width, 3), &Device::Cpu)?;
    Ok(rows.permute((0, 3, 1, 2))?.contiguous()?)
}

/// The same in -1..=1, which the VAE takes.
pub fn signed(pictures: &[&RgbImage]) -> Result<Tensor> {
    Ok(unit(pictures)?.affine(2.0, -1.0)?)
}

/// 1 where a mask is at least 128: `(masks, 1, height, width)`, in float32 on the CPU.
pub fn binary(masks: &[&GrayImage]) -> Result<Tensor> {
    sampled(masks, 1)
}

/// The same for latents: the mask's pixel at the upper left corner of each square of `factor` pixels, which is what
/// PyTorch's `interpolate` (nearest) takes.
pub fn binary_of_latents(masks: &[&GrayImage], factor: usize) -> Result<Tensor> {
    sampled(masks, factor)
}

fn sampled(masks: &[&GrayImage], factor: usize) -> Result<Tensor> {
    let (width, height) = masks.first().map_or((0, 0), |m| m.dimensions());
    let (width, height) = (width as usize, height as usize);
    let mut values = Vec::with_capacity(masks.len() * width * height / (factor * factor));
    for mask in masks {
        for row in mask.as_raw().chunks_exact(width.max(1)).step_by(factor) {
            values.extend(row.iter().step_by(factor).map(|&v| f32::from(u8::from(v >= 128))));
        }
    }
    Ok(Tensor::from_vec(values, (masks.len(), 1, height / factor, width / factor), &Device::Cpu)?)
}

/// Bytes of `(3, height, width)` in -1..=1, clamped, halves to the even number as numpy rounds.
pub fn bytes(picture: &Tensor) -> Result<RgbImage> {
    let (_, height, width) = picture.dims3()?;
    let picture = picture.to_dtype(DType::F32)?.affine(0.5, 0.5)?.clamp(0.0, 1.0)?;
    let values = picture.permute((1, 2, 0))?.flatten_all()?.to_vec1::<f32>()?;
    let bytes = values.into_iter().map(|v| (v * 255.0).round_ties_even() as u8).collect();
    let picture = RgbImage::from_raw(width as u32, height as u32, bytes);
    picture.ok_or_else(|| crate::ModelError::Input {
        found: format!("a decoded picture of {width}x{height} pixels"),
        expected: "three channels",
    })
}
