//! Cutting a product out of an opaque picture, with U2-Net-p.
//!
//! The host cuts out opaque products with it; a background plugin finds the product again in its own result, to see whether it
//! outgrew its outline.
//!
//! Network: Qin et al., "U2-Net: Going Deeper with Nested U-Structure for Salient Object Detection", Pattern Recognition
//! 106 (2020), the small variant of 4.6 MB, run by `tract`. Preparation and finish are those of the `rembg` project's
//! session for this network. See `fixtures/weights/NOTICE.md` for source and licence.

use std::sync::Arc;

use image::{
    GrayImage, Luma, RgbImage,
    imageops::{FilterType, resize},
};
use tract_onnx::prelude::*;

/// The network, in ONNX.
static NETWORK: &[u8] = include_bytes!("../../../fixtures/weights/u2netp.onnx");

/// Side of the network's square input and output, in pixels.
const SIDE: usize = 320;
/// Mean of ImageNet's channels (red, green, blue), for values in 0..=1.
const MEAN: [f32; 3] = [0.485, 0.456, 0.406];
/// Standard deviation of ImageNet's channels.
const STD: [f32; 3] = [0.229, 0.224, 0.225];

/// Why a picture could not be cut out.
#[derive(Debug, thiserror::Error)]
pub enum CutOutError {
    /// The network that this crate carries cannot be prepared: a defect of the build.
    #[error("the cut-out network cannot be prepared: {0:#}")]
    Network(TractError),
    /// The network failed on a picture.
    #[error("the cut-out network failed on a {width}x{height} picture: {reason:#}")]
    Run {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// What `tract` said.
        reason: TractError,
    },
    /// The picture has no pixels.
    #[error("a {width}x{height} picture has nothing to cut out")]
    Empty {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
}

/// The network, ready to run. Loading optimises the graph, so make one and keep it; it may be shared between threads.
pub struct CutOut {
    network: Arc<TypedRunnableModel>,
}

impl CutOut {
    /// Prepares the network that is compiled into this crate.
    ///
    /// # Errors
    /// [`CutOutError::Network`] if the build is defective.
    pub fn load() -> Result<Self, CutOutError> {
        let network = tract_onnx::onnx()
            .model_for_read(&mut &*NETWORK)
            .and_then(|model| model.with_input_fact(0, f32::fact([1, 3, SIDE, SIDE]).into()))
            .and_then(|model| fused_map_only(model))
            .and_then(|model| model.into_optimized())
            .and_then(|model| model.into_runnable())
            .map_err(CutOutError::Network)?;
        Ok(Self { network })
    }

    /// The opacity of what stands out in `rgb`: 0 for background to 255 for the object, at the picture's own size.
    ///
    /// The network always finds something: its answer is stretched to 0..=255, so a picture without an object gives an
    /// arbitrary map and a flat answer gives zeros. The same picture gives the same bytes.
    ///
    /// # Errors
    /// [`CutOutError::Empty`] for a picture without pixels, [`CutOutError::Run`] if the network fails.
    pub fn alpha(&self, rgb: &RgbImage) -> Result<GrayImage, CutOutError> {
        let (width, height) = rgb.dimensions();
        if width == 0 || height == 0 {
            return Err(CutOutError::Empty { width, height });
        }
        let small = resize(rgb, SIDE as u32, SIDE as u32, FilterType::Lanczos3);
        let map = self.saliency(&small).map_err(|reason| CutOutError::Run { width, height, reason })?;
        Ok(resize(&stretched(&map), width, height, FilterType::Lanczos3))
    }

    /// A picture of `SIDE` x `SIDE` to as many values in 0..=1.
    fn saliency(&self, small: &RgbImage) -> TractResult<Vec<f32>> {
        let input = Tensor::from_shape(&[1, 3, SIDE, SIDE], &normalised(small.as_raw()))?;
        let outputs = self.network.run(tvec!(input.into()))?;
        Ok(outputs[0].to_plain_array_view::<f32>()?.iter().copied().collect())
    }
}

/// Keeps the first of the seven outputs, the fused map; the others served the training.
fn fused_map_only(model: InferenceModel) -> TractResult<InferenceModel> {
    let fused = model.output_outlets()?[0];
    model.with_output_outlets(&[fused])
}

/// Interleaved bytes to normalised planes. `rembg` divides by the brightest value of the picture, not by 255.
fn normalised(pixels: &[u8]) -> Vec<f32> {
    let brightest = f32::from(pixels.iter().copied().max().unwrap_or(0).max(1));
    let plane = SIDE * SIDE;
    let mut planes = vec![0f32; 3 * plane];
    for (at, pixel) in pixels.chunks_exact(3).enumerate() {
        for (channel, value) in pixel.iter().enumerate() {
            planes[channel * plane + at] = (f32::from(*value) / brightest - MEAN[channel]) / STD[channel];
        }
    }
    planes
}

/// Stretches the network's map to 0..=255; a flat map becomes zeros.
fn stretched(map: &[f32]) -> GrayImage {
    let low = map.iter().copied().fold(f32::INFINITY, f32::min);
    let range = map.iter().copied().fold(f32::NEG_INFINITY, f32::max) - low;
    let flat = !range.is_finite() || range <= 0.0;
    GrayImage::from_fn(SIDE as u32, SIDE as u32, |x, y| {
        let value = map.get(y as usize * SIDE + x as usize).copied().unwrap_or(low);
        Luma([if flat { 0 } else { ((value - low) / range * 255.0) as u8 }])
    })
}

#[cfg(test)]
mod tests;
