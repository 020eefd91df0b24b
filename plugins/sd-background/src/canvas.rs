//! The product on a canvas of the size that was asked for, and the same with sides that the networks take.

use adeval_models::product_canvas::{CanvasOptions, ProductCanvas};
use adeval_sdk::{BackgroundRequest, Creative, CutOut, Placement, PluginError, Result};
use image::imageops::crop_imm;
use image::{GrayImage, Luma, Rgb, RgbImage};

use crate::error::canvas_error;
use crate::parameters::Parameters;

/// Pixels a latent stands for.
const FACTOR: u32 = 8;

/// What a request becomes before and after the pipeline.
pub struct Canvas {
    product: ProductCanvas,
    width: u32,
    height: u32,
}

impl Canvas {
    /// Lays the product on its canvas as the paper does.
    pub fn new(request: &BackgroundRequest, parameters: &Parameters) -> Result<Self> {
        let cutout = CutOut::of(&request.product)?;
        let (width, height) = request.size();
        let options = CanvasOptions {
            width,
            height,
            share: parameters.product_share,
            dilation: parameters.mask_dilation,
            rim: parameters.mask_rim,
            feather: parameters.paste_feather,
            ..CanvasOptions::default()
        };
        let product = ProductCanvas::new(cutout.pixels(), &options)
            .map_err(|e| canvas_error(&request.product.id, &e))?;
        Ok(Self { product, width, height })
    }

    /// The size that is rendered: that of the request, each side rounded up to a multiple of 8.
    pub fn size(&self) -> (u32, u32) {
        (self.width.next_multiple_of(FACTOR), self.height.next_multiple_of(FACTOR))
    }

    /// The product over black.
    pub fn picture(&self) -> RgbImage {
        let (width, height) = self.size();
        extended(&self.product.product, width, height)
    }

    /// Its edges.
    pub fn control(&self) -> RgbImage {
        let (width, height) = self.size();
        extended(&self.product.control, width, height)
    }

    /// The product's opacity, on the canvas of the request.
    pub fn alpha(&self) -> &GrayImage {
        &self.product.alpha
    }

    /// White where the background is painted; so are the columns and rows that are cut off again.
    pub fn mask(&self) -> GrayImage {
        let (width, height) = self.size();
        let at = |x, y| self.product.mask.get_pixel_checked(x, y).copied().unwrap_or(Luma([255]));
        GrayImage::from_fn(width, height, at)
    }

    /// Cuts the picture to the size of the request and pastes the product's own pixels.
    pub fn finish(&self, rendered: &RgbImage) -> Result<Creative> {
        let cut = crop_imm(rendered, 0, 0, self.width, self.height).to_image();
        let picture = self.product.paste(&cut).map_err(|e| PluginError::invalid_request(e.to_string()))?;
        let place = self.product.placement;
        let side = |value: u32| i32::try_from(value).unwrap_or(i32::MAX);
        Ok(Creative {
            image: picture.into(),
            placement: Placement {
                left: side(place.x),
                top: side(place.y),
                width: place.width,
                height: place.height,
            },
        })
    }
}

/// The same picture with black at its right and its bottom.
fn extended(picture: &RgbImage, width: u32, height: u32) -> RgbImage {
    let at = |x, y| picture.get_pixel_checked(x, y).copied().unwrap_or(Rgb([0, 0, 0]));
    RgbImage::from_fn(width, height, at)
}
