//! Where a product sits on a canvas, and its pixels there.
//!
//! Every background generator says where it put the product; the metrics need to look at just those pixels.
//! The convention follows CAIG's preprocessing: the cut-out is cropped to its alpha box, scaled so that its
//! longer side takes a share of the canvas (0.78 in the paper), and pasted with its own alpha at the end.

use crate::{ErrorKind, PluginError, Product, Result};
use fast_image_resize::{CpuExtensions, FilterType, ResizeAlg, ResizeOptions, Resizer};
use image::{RgbImage, RgbaImage};
use serde::{Deserialize, Serialize};

/// The share of the canvas that the product's longer side takes in the paper.
pub const PAPER_SHARE: f32 = 0.78;

/// The rectangle, in pixels of the creative, into which the product's alpha box was resampled.
/// It may reach over the canvas' edges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Placement {
    /// Left edge, in pixels from the canvas' left.
    pub left: i32,
    /// Top edge, in pixels from the canvas' top.
    pub top: i32,
    /// Width of the resampled alpha box, at least 1.
    pub width: u32,
    /// Height of the resampled alpha box, at least 1.
    pub height: u32,
}

/// A product's visible part: the cut-out cropped to its alpha box.
#[derive(Debug, Clone)]
pub struct CutOut {
    pixels: RgbaImage,
}

impl CutOut {
    /// Crops the product's image to the box of all pixels whose alpha is above 0.
    ///
    /// # Errors
    /// `InvalidRequest` when the image has no alpha channel or no visible pixel.
    pub fn of(product: &Product) -> Result<Self> {
        let view = product.image.as_rgba().ok_or_else(|| {
            PluginError::invalid_request(format!(
                "product \"{}\": its image has no alpha channel",
                product.id
            ))
            .with_hint("give an RGBA cut-out, or load it through the host, which cuts it out")
        })?;
        let (mut left, mut top, mut right, mut bottom) = (u32::MAX, u32::MAX, 0, 0);
        for (x, y, _) in view.enumerate_pixels().filter(|(_, _, p)| p.0[3] > 0) {
            left = left.min(x);
            right = right.max(x);
            top = top.min(y);
            bottom = bottom.max(y);
        }
        if left == u32::MAX {
            return Err(PluginError::new(
                ErrorKind::InvalidRequest,
                format!("product \"{}\": its image has no visible pixel (alpha is 0 everywhere)", product.id),
            ));
        }
        let size = (right - left + 1, bottom - top + 1);
        let pixels = RgbaImage::from_fn(size.0, size.1, |x, y| *view.get_pixel(left + x, top + y));
        Ok(Self { pixels })
    }

    /// The pixels inside the alpha box.
    pub fn pixels(&self) -> &RgbaImage {
        &self.pixels
    }

    /// The largest placement with the box's aspect ratio whose sides are at most `share` (0 to 1] of the canvas'
    /// sides; centred at `center_x` (share of the canvas' width) with its lower edge at `bottom` (share of its height).
    pub fn fit(&self, canvas: (u32, u32), share: f32, center_x: f32, bottom: f32) -> Placement {
        let (w, h) = (self.pixels.width() as f32, self.pixels.height() as f32);
        let (cw, ch) = (canvas.0 as f32, canvas.1 as f32);
        let scale = (cw * share / w).min(ch * share / h);
        let width = (w * scale).round().max(1.0);
        let height = (h * scale).round().max(1.0);
        Placement {
            left: (cw * center_x - width / 2.0).round() as i32,
            top: (ch * bottom - height).round() as i32,
            width: width as u32,
            height: height as u32,
        }
    }

    /// [`CutOut::fit`] at the middle of the canvas, as in the paper.
    pub fn centered(&self, canvas: (u32, u32), share: f32) -> Placement {
        let mut placement = self.fit(canvas, share, 0.5, 1.0);
        placement.top = (canvas.1 as i32 - placement.height as i32) / 2;
        placement
    }

    /// The box's pixels at the placement's size: Lanczos3 with antialiasing, on premultiplied colours.
    /// The same for every caller on every machine (no CPU-specific kernels).
    ///
    /// # Errors
    /// `InvalidRequest` when the placement has no area.
    pub fn resample(&self, placement: &Placement) -> Result<RgbaImage> {
        let (width, height) = (placement.width, placement.height);
        if width == 0 || height == 0 {
            return Err(PluginError::invalid_request(format!(
                "a placement of {width}x{height} pixels has no area"
            )));
        }
        if (width, height) == self.pixels.dimensions() {
            return Ok(self.pixels.clone());
        }
        let mut out = RgbaImage::new(width, height);
        let mut resizer = Resizer::new();
        // SAFETY: `CpuExtensions::None` asks for no instruction set at all.
        unsafe { resizer.set_cpu_extensions(CpuExtensions::None) };
        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3));
        resizer.resize(&self.pixels, &mut out, &options).map_err(|e| {
            PluginError::new(ErrorKind::Other, format!("the product cannot be resampled: {e}"))
        })?;
        Ok(out)
    }
}

impl Placement {
    /// Pastes the resampled product over the canvas with its own alpha. Where alpha is 255 the canvas holds
    /// exactly the product's pixels afterwards.
    pub fn paste(&self, product: &RgbaImage, canvas: &mut RgbImage) {
        let (cw, ch) = (i64::from(canvas.width()), i64::from(canvas.height()));
        for (x, y, pixel) in product.enumerate_pixels() {
            let (cx, cy) = (i64::from(self.left) + i64::from(x), i64::from(self.top) + i64::from(y));
            let alpha = u32::from(pixel.0[3]);
            if alpha == 0 || cx < 0 || cy < 0 || cx >= cw || cy >= ch {
                continue;
            }
            let under = canvas.get_pixel_mut(cx as u32, cy as u32);
            for (to, &from) in under.0.iter_mut().zip(&pixel.0[..3]) {
                let mixed = u32::from(from) * alpha + u32::from(*to) * (255 - alpha);
                *to = ((mixed + 127) / 255) as u8;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Image;
    use image::Rgba;

    fn product(pixels: RgbaImage) -> Product {
        Product::new("p", "t", Image::from(pixels))
    }

    #[test]
    fn the_alpha_box_is_tight() {
        let mut pixels = RgbaImage::new(9, 7);
        pixels.put_pixel(2, 3, Rgba([9, 9, 9, 1]));
        pixels.put_pixel(5, 4, Rgba([9, 9, 9, 255]));
        let cut = CutOut::of(&product(pixels)).unwrap();
        assert_eq!(cut.pixels().dimensions(), (4, 2));
    }

    #[test]
    fn a_product_without_pixels_or_alpha_is_named() {
        let empty = CutOut::of(&product(RgbaImage::new(3, 3))).unwrap_err();
        assert!(empty.message.contains("\"p\"") && empty.message.contains("no visible pixel"), "{empty}");
        let opaque = Product::new("q", "t", Image::from(RgbImage::new(2, 2)));
        assert!(CutOut::of(&opaque).unwrap_err().message.contains("no alpha channel"));
    }

    #[test]
    fn fits_the_paper_share() {
        let cut = CutOut::of(&product(RgbaImage::from_pixel(200, 100, Rgba([1, 1, 1, 255])))).unwrap();
        let placement = cut.centered((512, 512), PAPER_SHARE);
        assert_eq!((placement.width, placement.height), (399, 200));
        assert_eq!((placement.left, placement.top), (57, 156));
    }

    #[test]
    fn paste_keeps_opaque_pixels_and_clips() {
        let cut = CutOut::of(&product(RgbaImage::from_pixel(4, 4, Rgba([10, 20, 30, 255])))).unwrap();
        let placement = Placement { left: -2, top: 1, width: 4, height: 4 };
        let mut canvas = RgbImage::new(4, 4);
        placement.paste(&cut.resample(&placement).unwrap(), &mut canvas);
        assert_eq!(canvas.get_pixel(1, 1).0, [10, 20, 30]);
        assert_eq!(canvas.get_pixel(2, 1).0, [0, 0, 0]);
    }
}
