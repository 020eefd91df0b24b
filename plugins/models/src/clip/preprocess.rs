//! Pictures as CLIP's image encoder and its kin take them (`CLIPImageProcessor` on Pillow; DINOv2 and SigLIP come with the same
//! settings in `preprocessor_config.json`): the shorter edge resampled to 224 pixels, the centre cut out, values normalised.

use std::borrow::Borrow;

use candle_core::{Device, Tensor};
use image::RgbImage;
use serde::Deserialize;

use crate::{ModelError, Result};

mod resample;

pub(crate) use resample::exact_bicubic;
pub use resample::{Filter, resize, resize_bicubic, resize_bicubic_float};

/// `preprocessor_config.json`; what it leaves out has the default of `transformers`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct ImageProcessor {
    /// Whether pictures are resized.
    pub do_resize: bool,
    /// What they are resized to.
    pub size: Edges,
    /// Pillow's number of the filter; 2, bilinear, and 3, bicubic, are known.
    pub resample: u32,
    /// Whether the centre is cut out.
    pub do_center_crop: bool,
    /// What is cut out.
    pub crop_size: Edges,
    /// Whether values are multiplied by `rescale_factor`.
    pub do_rescale: bool,
    /// 1/255.
    pub rescale_factor: f64,
    /// Whether mean and deviation are taken out.
    pub do_normalize: bool,
    /// By channel.
    pub image_mean: [f32; 3],
    /// By channel.
    pub image_std: [f32; 3],
    /// Where the centre is where it cannot be in the middle; a file does not say.
    #[serde(skip)]
    pub centre: Centre,
}

/// Where a part of odd distance from a whole begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Centre {
    /// Half a pixel before the middle: transformers.
    #[default]
    Before,
    /// At the even pixel of the two that are nearest: torchvision, which rounds as Python does.
    Nearest,
}

impl Centre {
    /// Of a part in a whole; negative where the part is larger.
    fn offset(self, whole: u32, part: u32) -> i64 {
        let distance = i64::from(whole) - i64::from(part);
        // Rounded down also where it is negative, as Python's `//`.
        let before = distance.div_euclid(2);
        before + i64::from(self == Self::Nearest && distance % 2 != 0 && before % 2 != 0)
    }
}

/// A size in pixels, as configurations of all ages write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Edges {
    /// Both edges.
    Both {
        /// Rows.
        height: u32,
        /// Columns.
        width: u32,
    },
    /// The shorter edge; the other follows.
    Shortest {
        /// Its length.
        shortest_edge: u32,
    },
    /// The shorter edge where a picture is resized, both where it is cut.
    One(u32),
}

impl Default for ImageProcessor {
    fn default() -> Self {
        Self {
            do_resize: true,
            size: Edges::Shortest { shortest_edge: 224 },
            resample: 3,
            do_center_crop: true,
            crop_size: Edges::Both { height: 224, width: 224 },
            do_rescale: true,
            rescale_factor: 1.0 / 255.0,
            do_normalize: true,
            image_mean: [0.481_454_66, 0.457_827_5, 0.408_210_73],
            image_std: [0.268_629_54, 0.261_302_6, 0.275_777_1],
            centre: Centre::Before,
        }
    }
}

impl ImageProcessor {
    /// Prepares pictures: (pictures, 3, height, width) in float32.
    ///
    /// # Errors
    /// [`ModelError::Image`] for a picture without pixels or a filter that is not known, and [`ModelError::Input`] for no
    /// pictures or pictures that come out in different sizes.
    pub fn forward<P: Borrow<RgbImage>>(&self, pictures: &[P], device: &Device) -> Result<Tensor> {
        let sized = pictures.iter().map(|p| self.sized(p.borrow())).collect::<Result<Vec<_>>>()?;
        let Some(first) = sized.first() else {
            return Err(ModelError::Input {
                found: "no picture".to_owned(),
                expected: "at least one picture",
            });
        };
        if let Some(other) = sized.iter().find(|p| p.dimensions() != first.dimensions()) {
            let found = format!("pictures of {:?} and {:?} pixels", first.dimensions(), other.dimensions());
            return Err(ModelError::Input { found, expected: "pictures of one size, or do_center_crop" });
        }
        let (width, height) = first.dimensions();
        let mut values = Vec::with_capacity(sized.len() * 3 * first.pixels().len());
        for picture in &sized {
            for channel in 0..3 {
                values.extend(picture.pixels().map(|p| self.value(p.0[channel], channel)));
            }
        }
        let shape = (sized.len(), 3, height as usize, width as usize);
        Ok(Tensor::from_vec(values, shape, device)?)
    }

    /// Rescaled in float64 and normalised in float32, as the reference does.
    fn value(&self, level: u8, channel: usize) -> f32 {
        let mut value = f32::from(level);
        if self.do_rescale {
            value = (f64::from(level) * self.rescale_factor) as f32;
        }
        if self.do_normalize {
            value = (value - self.image_mean[channel]) / self.image_std[channel];
        }
        value
    }

    fn sized(&self, picture: &RgbImage) -> Result<RgbImage> {
        let (width, height) = picture.dimensions();
        let fault = |reason: String| Err(ModelError::Image { width, height, reason });
        if width == 0 || height == 0 {
            return fault("it has no pixels".to_owned());
        }
        let resized = if self.do_resize {
            let Some(filter) = Filter::of(self.resample) else {
                return fault(format!(
                    "the filter {} is neither bilinear (2) nor bicubic (3)",
                    self.resample
                ));
            };
            let (to_width, to_height) = self.target(width, height);
            if to_width == 0 || to_height == 0 || to_width.max(to_height) > 1 << 16 {
                return fault(format!("{to_width}x{to_height} is no size for it; check its sides"));
            }
            resize(picture, filter, to_width, to_height)
        } else {
            picture.clone()
        };
        Ok(if self.do_center_crop { self.cropped(&resized) } else { resized })
    }

    fn target(&self, width: u32, height: u32) -> (u32, u32) {
        let shortest = match self.size {
            Edges::Both { height, width } => return (width, height),
            Edges::Shortest { shortest_edge } | Edges::One(shortest_edge) => shortest_edge,
        };
        let (short, long) = (width.min(height), width.max(height));
        // Truncated, not rounded; the product in integers, the quotient in float64, as in Python.
        let long = ((u64::from(shortest) * u64::from(long)) as f64 / f64::from(short)) as u32;
        if width <= height { (shortest, long) } else { (long, shortest) }
    }

    /// The centre; where the picture is smaller, black surrounds it.
    fn cropped(&self, picture: &RgbImage) -> RgbImage {
        let (crop_width, crop_height) = match self.crop_size {
            Edges::Both { height, width } => (width, height),
            Edges::Shortest { shortest_edge: side } | Edges::One(side) => (side, side),
        };
        let (width, height) = picture.dimensions();
        let (left, top) = (self.centre.offset(width, crop_width), self.centre.offset(height, crop_height));
        RgbImage::from_fn(crop_width, crop_height, |x, y| {
            let inside = |at: u32, start: i64| u32::try_from(i64::from(at) + start).ok();
            let pixel =
                inside(x, left).zip(inside(y, top)).and_then(|(x, y)| picture.get_pixel_checked(x, y));
            pixel.copied().unwrap_or(image::Rgb([0; 3]))
        })
    }
}
