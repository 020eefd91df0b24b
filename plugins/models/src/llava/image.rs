//! Pictures as LLaVA's vision tower takes them: whole and in tiles (`LlavaNextImageProcessor` on Pillow, and the original
//! `process_images`), or as one square.

use candle_core::{Device, Tensor};
use image::{Rgb, RgbImage, imageops};

use super::grid::{Extent, Pinpoints};
use crate::clip::preprocess::{Edges, ImageProcessor, resize_bicubic};
use crate::{ModelError, Result};

/// How pictures that are not square are treated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Aspect {
    /// The shorter edge is resized and the middle cut out: LLaVA-1.5 in `transformers`.
    Square,
    /// Bars of the mean colour make a square of it: LLaVA-1.5 in the original code.
    Pad,
    /// The whole picture, distorted to one tile, and then the grid of tiles that fits it best, over black: LLaVA-1.6.
    Anyres(Pinpoints),
}

impl Aspect {
    /// How many tiles a picture of `size` is seen in.
    pub fn tiles(&self, size: Extent) -> usize {
        match self {
            Self::Square | Self::Pad => 1,
            Self::Anyres(pinpoints) => {
                let Extent { height, width } = pinpoints.grid(size);
                1 + (height * width) as usize
            }
        }
    }
}

/// Prepares pictures.
#[derive(Clone, Debug)]
pub struct LlavaImageProcessor {
    /// What is done with every tile.
    pub clip: ImageProcessor,
    /// What a tile is.
    pub aspect: Aspect,
}

/// A picture, prepared.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// (tiles, 3, side, side), float32: with [`Aspect::Anyres`] the whole picture first, then the grid row by row; else one.
    pub tiles: Tensor,
    /// The picture's own size in pixels.
    pub size: Extent,
}

impl LlavaImageProcessor {
    /// Prepares one picture, whatever its size.
    ///
    /// # Errors
    /// [`ModelError::Image`] for a picture without pixels, a filter that is not known, and, for [`Aspect::Square`], one so
    /// narrow that its longer edge would have more than 65536 pixels. With the other aspects a picture of 1x10000 pixels
    /// becomes a line of one pixel, as the references have it.
    pub fn forward(&self, picture: &RgbImage, device: &Device) -> Result<Prepared> {
        let (width, height) = picture.dimensions();
        if width == 0 || height == 0 {
            return Err(ModelError::Image { width, height, reason: "it has no pixels".to_owned() });
        }
        let size = Extent { height, width };
        let tiles = match &self.aspect {
            Aspect::Square => self.clip.forward(std::slice::from_ref(picture), device)?,
            Aspect::Pad => self.clip.forward(&[self.padded(picture)], device)?,
            Aspect::Anyres(pinpoints) => self.clip.forward(&self.tiled(picture, size, pinpoints), device)?,
        };
        Ok(Prepared { tiles, size })
    }

    /// Bars of the mean colour, truncated to a level, above and below or at the sides.
    fn padded(&self, picture: &RgbImage) -> RgbImage {
        let (width, height) = picture.dimensions();
        let side = width.max(height);
        let mean = self.clip.image_mean.map(|mean| (f64::from(mean) * 255.0) as u8);
        let mut square = RgbImage::from_pixel(side, side, Rgb(mean));
        let (left, top) = ((side - width) / 2, (side - height) / 2);
        imageops::replace(&mut square, picture, i64::from(left), i64::from(top));
        square
    }

    fn tiled(&self, picture: &RgbImage, size: Extent, pinpoints: &Pinpoints) -> Vec<RgbImage> {
        let (width, height) = match self.clip.size {
            Edges::Both { height, width } => (width, height),
            Edges::Shortest { shortest_edge: side } | Edges::One(side) => (side, side),
        };
        let whole = resize_bicubic(picture, width, height);
        let fitted = fitted(picture, pinpoints.best(size));
        let (side, grid) = (pinpoints.tile(), pinpoints.grid(size));
        let places = (0..grid.height).flat_map(|row| (0..grid.width).map(move |column| (row, column)));
        let tile = |(row, column): (u32, u32)| {
            imageops::crop_imm(&fitted, column * side, row * side, side, side).to_image()
        };
        std::iter::once(whole).chain(places.map(tile)).collect()
    }
}

/// Resized to touch the edges of `room`, in the middle of it, over black.
fn fitted(picture: &RgbImage, room: Extent) -> RgbImage {
    let (width, height) = picture.dimensions();
    let across = f64::from(room.width) / f64::from(width);
    let down = f64::from(room.height) / f64::from(height);
    let up = |length: u32, scale: f64, most: u32| ((f64::from(length) * scale).ceil() as u32).min(most);
    let (to_width, to_height) = if across < down {
        (room.width, up(height, across, room.height))
    } else {
        (up(width, down, room.width), room.height)
    };
    let resized = resize_bicubic(picture, to_width, to_height);
    let mut canvas = RgbImage::new(room.width, room.height);
    let (left, top) = ((room.width - to_width) / 2, (room.height - to_height) / 2);
    imageops::replace(&mut canvas, &resized, i64::from(left), i64::from(top));
    canvas
}
