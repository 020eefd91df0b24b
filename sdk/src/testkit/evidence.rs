//! One picture that shows what differs: old, new and their difference side by side, and below them the worst place enlarged.

use super::compare::Comparison;
use super::flip::{PIXELS_PER_DEGREE, flip};
use super::window::Region;
use image::codecs::png::{CompressionType, FilterType as PngFilter, PngEncoder};
use image::imageops::{self, FilterType};
use image::{ExtendedColorType, ImageEncoder, ImageError, Rgb, RgbImage};

/// Longest side of a panel in pixels; larger images are scaled down.
const LONGEST: u32 = 640;
/// Pixels between panels and around them.
const GAP: u32 = 8;
/// The paper between panels.
const PAPER: Rgb<u8> = Rgb([60, 60, 60]);
/// The frame around the worst window.
const FRAME: Rgb<u8> = Rgb([0, 255, 255]);

/// The picture, and FLIP's mean.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// A PNG. Top: old, new, FLIP map (black: no error, over red and yellow to white: 1). Bottom: the surroundings of the
    /// worst window, enlarged; a frame marks the window.
    pub png: Vec<u8>,
    /// Mean FLIP error in [0, 1]; `None` when the sizes differ.
    pub flip: Option<f64>,
}

/// Draws a comparison.
///
/// # Errors
/// When the picture cannot be encoded.
pub fn evidence(old: &RgbImage, new: &RgbImage, comparison: &Comparison) -> Result<Evidence, ImageError> {
    let map = flip(old, new, PIXELS_PER_DEGREE);
    let mean = map.as_ref().map(super::FlipMap::mean);
    let mut panels = vec![old.clone(), new.clone()];
    panels.extend(map.map(|map| {
        let colour = |x, y| heat(map.errors[(y * map.width + x) as usize]);
        RgbImage::from_fn(map.width, map.height, colour)
    }));
    let mut rows = vec![panels.iter().map(shrunk).collect::<Vec<_>>()];
    if let Some(region) = comparison.region() {
        rows.push(panels.iter().map(|panel| enlarged(panel, region)).collect());
        let scale = f64::from(rows[0][0].width()) / f64::from(old.width());
        rows[0].iter_mut().for_each(|panel| frame(panel, region, (0, 0), scale));
    }
    Ok(Evidence { png: encode(&stacked(&rows))?, flip: mean })
}

/// Black over red and yellow to white.
fn heat(error: f32) -> Rgb<u8> {
    let channel = |from: f32| ((error * 3.0 - from).clamp(0.0, 1.0) * 255.0).round() as u8;
    Rgb([channel(0.0), channel(1.0), channel(2.0)])
}

fn shrunk(image: &RgbImage) -> RgbImage {
    let (width, height) = image.dimensions();
    let longest = width.max(height);
    if longest <= LONGEST {
        return image.clone();
    }
    let fit = |side: u32| (u64::from(side) * u64::from(LONGEST) / u64::from(longest)).max(1) as u32;
    imageops::resize(image, fit(width), fit(height), FilterType::Triangle)
}

/// The surroundings of a window, each pixel a square, as wide as the panel above.
fn enlarged(image: &RgbImage, region: Region) -> RgbImage {
    let shown = (region.width.max(region.height) * 6).max(32);
    let start = |at: u32, length: u32, whole: u32| {
        let view = shown.min(whole);
        let from = (at + length / 2).saturating_sub(view / 2).min(whole - view);
        (from, view)
    };
    let (left, width) = start(region.x, region.width, image.width());
    let (top, height) = start(region.y, region.height, image.height());
    let scale = (image.width().max(image.height()).min(LONGEST) / width.max(height)).max(1);
    let part = imageops::crop_imm(image, left, top, width, height).to_image();
    let mut large = imageops::resize(&part, width * scale, height * scale, FilterType::Nearest);
    frame(&mut large, region, (left, top), scale.into());
    large
}

/// Outlines a region of an image of which the panel shows a part, from `origin` on, at a scale.
fn frame(panel: &mut RgbImage, region: Region, origin: (u32, u32), scale: f64) {
    let at = |value: u32, from: u32| ((f64::from(value) - f64::from(from)) * scale).round() as i64;
    let (left, right) = (at(region.x, origin.0) - 1, at(region.x + region.width, origin.0));
    let (top, below) = (at(region.y, origin.1) - 1, at(region.y + region.height, origin.1));
    let mut set = |x: i64, y: i64| {
        if let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y))
            && x < panel.width()
            && y < panel.height()
        {
            panel.put_pixel(x, y, FRAME);
        }
    };
    (left..=right).for_each(|x| [top, below].into_iter().for_each(|y| set(x, y)));
    (top..=below).for_each(|y| [left, right].into_iter().for_each(|x| set(x, y)));
}

/// Rows of panels on paper.
fn stacked(rows: &[Vec<RgbImage>]) -> RgbImage {
    let tallest = |row: &[RgbImage]| row.iter().map(RgbImage::height).max().unwrap_or(0);
    let wide = |row: &[RgbImage]| row.iter().map(|panel| panel.width() + GAP).sum::<u32>() + GAP;
    // Columns are aligned to the top row's panels.
    let columns: Vec<u32> =
        (0..rows[0].len()).map(|at| rows.iter().map(|row| row[at].width()).max().unwrap_or(0)).collect();
    let width = (columns.iter().map(|w| w + GAP).sum::<u32>() + GAP).max(wide(&rows[0]));
    let height = rows.iter().map(|row| tallest(row) + GAP).sum::<u32>() + GAP;
    let mut page = RgbImage::from_pixel(width, height, PAPER);
    let mut top = GAP;
    for row in rows {
        let mut left = GAP;
        for (panel, column) in row.iter().zip(&columns) {
            imageops::replace(&mut page, panel, left.into(), top.into());
            left += column + GAP;
        }
        top += tallest(row) + GAP;
    }
    page
}

fn encode(image: &RgbImage) -> Result<Vec<u8>, ImageError> {
    let mut png = Vec::new();
    PngEncoder::new_with_quality(&mut png, CompressionType::Default, PngFilter::Adaptive).write_image(
        image.as_raw(),
        image.width(),
        image.height(),
        ExtendedColorType::Rgb8,
    )?;
    Ok(png)
}
