//! Contact sheets: many creatives at a glance.

use crate::bench::BenchError;
use crate::products::decode_rgb;
use crate::store::{encode_png, write_whole};
use image::{Rgb, RgbImage, imageops};
use rayon::prelude::*;
use std::path::{Path, PathBuf};

/// Thumbnails in a row.
const COLUMNS: u32 = 8;
/// The most thumbnails on a sheet.
const MOST: usize = 96;
/// Side of a thumbnail's square in pixels.
const SIDE: u32 = 192;
/// Space between thumbnails in pixels.
const GAP: u32 = 6;

/// Writes a sheet of the first 96 images, in reading order. An image that cannot be read leaves its place empty.
///
/// # Errors
/// [`BenchError::Write`]. Without images nothing is written.
pub fn write(path: &Path, images: &[PathBuf]) -> Result<(), BenchError> {
    if images.is_empty() {
        return Ok(());
    }
    let shown = &images[..images.len().min(MOST)];
    let thumbnails: Vec<Option<RgbImage>> = shown.par_iter().map(|file| thumbnail(file)).collect();
    let sheet = arrange(&thumbnails);
    let png = encode_png(sheet.width(), sheet.height(), sheet.as_raw())
        .map_err(|e| BenchError::write(path)(std::io::Error::other(e)))?;
    write_whole(path, &png)
}

fn thumbnail(file: &Path) -> Option<RgbImage> {
    let image = decode_rgb(&std::fs::read(file).ok()?, file).ok()?;
    let scale = f64::from(SIDE) / f64::from(image.width().max(image.height()));
    let side = |pixels: u32| ((f64::from(pixels) * scale).round() as u32).max(1);
    Some(imageops::thumbnail(&image, side(image.width()), side(image.height())))
}

fn arrange(thumbnails: &[Option<RgbImage>]) -> RgbImage {
    let count = thumbnails.len() as u32;
    let (columns, rows) = (count.min(COLUMNS), count.div_ceil(COLUMNS));
    let extent = |n: u32| n * (SIDE + GAP) + GAP;
    let mut sheet = RgbImage::from_pixel(extent(columns), extent(rows), Rgb([245; 3]));
    for (at, thumbnail) in (0..).zip(thumbnails) {
        let Some(thumbnail) = thumbnail else { continue };
        let corner = |n: u32, side: u32| i64::from(n * (SIDE + GAP) + GAP + (SIDE - side) / 2);
        let (x, y) = (corner(at % COLUMNS, thumbnail.width()), corner(at / COLUMNS, thumbnail.height()));
        imageops::replace(&mut sheet, thumbnail, x, y);
    }
    sheet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sheet_shows_images_in_order_and_leaves_room_for_a_bad_one() {
        let dir = tempfile::tempdir().unwrap();
        let mut files = Vec::new();
        for n in 0..9u8 {
            let file = dir.path().join(format!("{n}.png"));
            RgbImage::from_pixel(40, 20, Rgb([n * 20; 3])).save(&file).unwrap();
            files.push(file);
        }
        std::fs::write(&files[1], b"no image").unwrap();
        let sheet = dir.path().join("sheet.png");
        write(&sheet, &files).unwrap();
        let sheet = image::open(&sheet).unwrap().to_rgb8();
        assert_eq!(sheet.dimensions(), (8 * 198 + 6, 2 * 198 + 6));
        assert_eq!(sheet.get_pixel(6 + 198 + 96, 6 + 96).0, [245; 3], "the bad one's place is empty");
        assert_eq!(sheet.get_pixel(6 + 2 * 198 + 96, 6 + 96).0, [40; 3]);
        assert_eq!(sheet.get_pixel(6 + 96, 6 + 198 + 96).0, [160; 3], "the ninth begins the second row");
    }
}
