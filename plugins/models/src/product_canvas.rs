//! The pictures that a ControlNet-inpaint pipeline takes for a product, and the paste at its end.
//!
//! The preparation of CAIG (arXiv 2502.06823): the cut-out is cropped to its alpha box, brought to 0.78 of the canvas,
//! centred over black; Canny 100/200 of that is the control image; what is outside the product, and a band of 10 pixels inside
//! its outline, is repainted; the product's own pixels are pasted over the result.
//!
//! What the paper leaves open is chosen here:
//!
//! * The box is that of alpha above 0. A small cut-out is enlarged to the same share ([`CanvasOptions::enlarge`]).
//! * Colours are **multiplied by alpha before** they are resampled. Transparent pixels of a cut-out hold any colour, black most
//!   often; resampled apart from alpha it bleeds into the edge as a dark fringe. A premultiplied product *is* the product over
//!   black, and pasting it adds `(1 - alpha) * background`, so no colour is counted that nobody saw.
//! * The mask is 255 from 128 on, the threshold at which diffusers makes a mask of two values (0.5).

mod mask;
mod options;
mod paste;

use image::{GrayImage, Luma, Rgb, RgbImage, RgbaImage, imageops::crop_imm};

use crate::opencv::{EmptyPicture, Gradient, Interpolation, canny, resize};

pub use options::CanvasOptions;

/// A product on its canvas. All pictures have the canvas's size.
#[derive(Clone, Debug)]
pub struct ProductCanvas {
    /// The product over black, which is the same as its colours times alpha: the pipeline's initial image.
    pub product: RgbImage,
    /// The product's opacity, 0 to 255: the undilated mask of the paste.
    pub alpha: GrayImage,
    /// Canny edges of `product`, 0 or 255, the same in all channels: the control image.
    pub control: RgbImage,
    /// 255 where the pipeline paints, 0 where it keeps: what is outside the product, grown inward over its edge.
    pub mask: GrayImage,
    /// Where the product's box lies.
    pub placement: Placement,
    feather: u32,
}

/// A box in the canvas's pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    /// Left edge.
    pub x: u32,
    /// Top edge.
    pub y: u32,
    /// Width.
    pub width: u32,
    /// Height.
    pub height: u32,
}

/// Why a product cannot be laid on a canvas, or not pasted.
#[derive(Debug, thiserror::Error, PartialEq)]
#[non_exhaustive]
pub enum CanvasError {
    /// No pixel of the cut-out is visible.
    #[error(
        "the {width}x{height} cut-out is transparent everywhere, so there is no product; was its background removed twice?"
    )]
    Transparent {
        /// Width of the cut-out in pixels.
        width: u32,
        /// Height of the cut-out in pixels.
        height: u32,
    },
    /// The share is not a part of the canvas.
    #[error(
        "the product is to take {share} of the canvas; give a share above 0 and at most 1 (the paper's is 0.78)"
    )]
    Share {
        /// The share asked for.
        share: f64,
    },
    /// The canvas leaves the product no pixel.
    #[error("a product at {share} of a {width}x{height} canvas has no pixel; make the canvas larger")]
    TooSmall {
        /// Width of the canvas in pixels.
        width: u32,
        /// Height of the canvas in pixels.
        height: u32,
        /// The share asked for.
        share: f64,
    },
    /// The background to paste on has another size than the canvas.
    #[error("the background is {}x{}, the canvas {}x{}; resize the background first", found.0, found.1, canvas.0, canvas.1)]
    Background {
        /// Width and height of the background.
        found: (u32, u32),
        /// Width and height of the canvas.
        canvas: (u32, u32),
    },
    /// A picture without pixels came up.
    #[error(transparent)]
    Empty(#[from] EmptyPicture),
}

impl ProductCanvas {
    /// Lays a cut-out with straight (not premultiplied) alpha on a canvas.
    ///
    /// # Errors
    /// [`CanvasError::Transparent`] if nothing of the cut-out is visible, [`CanvasError::Share`] and
    /// [`CanvasError::TooSmall`] if the options leave the product no place.
    pub fn new(cutout: &RgbaImage, options: &CanvasOptions) -> Result<Self, CanvasError> {
        let (width, height) = cutout.dimensions();
        let visible = alpha_box(cutout).ok_or(CanvasError::Transparent { width, height })?;
        let placement = options.place(visible.width, visible.height)?;
        let cropped = crop_imm(cutout, visible.x, visible.y, visible.width, visible.height).to_image();
        let scaled = resize(&premultiplied(cropped), placement.width, placement.height, Interpolation::Area)?;
        let (product, alpha) = laid(&scaled, placement, options);
        let control = channels(&canny(&product, options.canny[0], options.canny[1], Gradient::L1));
        let mask = mask::repainted(&alpha, options.dilation, options.rim);
        Ok(Self { product, alpha, control, mask, placement, feather: options.feather })
    }

    /// The product's own pixels over a finished background, blended where alpha is between 0 and 255.
    ///
    /// Without a feather each value is `product + background * (255 - alpha) / 255`, rounded.
    ///
    /// # Errors
    /// [`CanvasError::Background`] if the background has not the canvas's size.
    pub fn paste(&self, background: &RgbImage) -> Result<RgbImage, CanvasError> {
        let (found, canvas) = (background.dimensions(), self.product.dimensions());
        if found != canvas {
            return Err(CanvasError::Background { found, canvas });
        }
        Ok(paste::over(self, &paste::weights(&self.alpha, self.feather), background))
    }
}

/// The smallest box with all pixels whose alpha is above 0.
fn alpha_box(cutout: &RgbaImage) -> Option<Placement> {
    let (mut left, mut top, mut right, mut bottom) = (u32::MAX, u32::MAX, 0, 0);
    for (x, y, _) in cutout.enumerate_pixels().filter(|(_, _, pixel)| pixel.0[3] > 0) {
        (left, right) = (left.min(x), right.max(x));
        (top, bottom) = (top.min(y), bottom.max(y));
    }
    let found = left <= right && top <= bottom;
    found.then(|| Placement { x: left, y: top, width: right - left + 1, height: bottom - top + 1 })
}

/// Colours times alpha, rounded.
fn premultiplied(mut picture: RgbaImage) -> RgbaImage {
    for pixel in picture.pixels_mut() {
        let [.., alpha] = pixel.0;
        for value in &mut pixel.0[..3] {
            *value = ((u32::from(*value) * u32::from(alpha) + 127) / 255) as u8;
        }
    }
    picture
}

/// A scaled, premultiplied product on an empty canvas: colours and alpha.
fn laid(scaled: &RgbaImage, placement: Placement, options: &CanvasOptions) -> (RgbImage, GrayImage) {
    let mut product = RgbImage::new(options.width, options.height);
    let mut alpha = GrayImage::new(options.width, options.height);
    for (x, y, pixel) in scaled.enumerate_pixels() {
        let [r, g, b, a] = pixel.0;
        product.put_pixel(placement.x + x, placement.y + y, Rgb([r, g, b]));
        alpha.put_pixel(placement.x + x, placement.y + y, Luma([a]));
    }
    (product, alpha)
}

/// The same grey in three channels.
fn channels(gray: &GrayImage) -> RgbImage {
    RgbImage::from_fn(gray.width(), gray.height(), |x, y| Rgb([gray.get_pixel(x, y).0[0]; 3]))
}
