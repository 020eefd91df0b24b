//! Pictures that are nearly the same, found by difference hashes.
//!
//! A difference hash (Krawetz 2013) says of each cell of a small grey picture whether it is brighter than its neighbour: here 64
//! bits across and 64 down. It does not change with size, compression or brightness, and changes little with small edits.

use crate::products::decode_file;
use image::DynamicImage;
use image::imageops::FilterType;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Bits of a hash.
pub const BITS: u32 = u128::BITS;

/// The hash of a picture, seen over white where it is transparent.
pub fn hash(picture: &DynamicImage) -> u128 {
    let mut rgba = picture.to_rgba8();
    for pixel in rgba.pixels_mut() {
        let alpha = u32::from(pixel[3]);
        for channel in 0..3 {
            pixel[channel] = ((u32::from(pixel[channel]) * alpha + 255 * (255 - alpha)) / 255) as u8;
        }
    }
    let grey = DynamicImage::ImageRgba8(rgba).into_luma8();
    let small = image::imageops::resize(&grey, 9, 9, FilterType::Triangle);
    let brighter = |x, y, dx, dy| u128::from(small.get_pixel(x, y)[0] > small.get_pixel(x + dx, y + dy)[0]);
    let cells = || (0..8).flat_map(|y| (0..8).map(move |x| (x, y)));
    let across = cells().fold(0, |hash, (x, y)| hash << 1 | brighter(x, y, 1, 0));
    cells().fold(across, |hash, (x, y)| hash << 1 | brighter(x, y, 0, 1))
}

/// The hash of a file's picture.
///
/// # Errors
/// One sentence that names the file.
pub fn hash_file(path: &Path) -> Result<u128, String> {
    decode_file(path).map(|picture| hash(&picture.into()))
}

/// Pairs of hashes of different groups that differ in at most `distance` bits, as their places, the first before the second.
///
/// Hashes are cut into `distance` + 1 runs of bits: two that differ in no more bits have one run alike, so only those that share
/// a run are compared.
pub fn across(hashes: &[(usize, u128)], distance: u32) -> Vec<(usize, usize, u32)> {
    let runs = distance + 1;
    let mut found = Vec::new();
    for run in 0..runs {
        let (from, to) = (BITS * run / runs, BITS * (run + 1) / runs);
        let mask = (u128::MAX >> (BITS - (to - from))) << from;
        let mut alike: HashMap<u128, Vec<usize>> = HashMap::new();
        for (at, (_, hash)) in hashes.iter().enumerate() {
            alike.entry(hash & mask).or_default().push(at);
        }
        for places in alike.values().filter(|places| places.len() > 1) {
            for (k, &b) in places.iter().enumerate() {
                for &a in &places[..k] {
                    let apart = (hashes[a].1 ^ hashes[b].1).count_ones();
                    if hashes[a].0 != hashes[b].0 && apart <= distance {
                        found.push((a, b, apart));
                    }
                }
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// The picture of a creative: a file of its name, as it is or with the ending of a picture.
pub fn picture_of(folder: &Path, name: &str) -> Option<PathBuf> {
    // A name with a path in it must not lead out of the folder.
    let plain = Path::new(name).components().all(|c| matches!(c, std::path::Component::Normal(_)));
    let endings = ["", ".png", ".jpg", ".jpeg", ".webp"].iter();
    let mut files = endings.map(|ending| folder.join(format!("{name}{ending}")));
    files.find(|file| plain && file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Rgb, RgbImage};

    fn picture(seed: u32) -> RgbImage {
        RgbImage::from_fn(160, 120, |x, y| {
            let wave = |k: u32| ((x * (k + seed % 5) / 23 + y * (k + seed % 7) / 17) % 7 * 36) as u8;
            Rgb([wave(1), wave(2 + seed), wave(3)])
        })
    }

    #[test]
    fn a_picture_stays_itself_when_it_is_saved_smaller_or_brighter() {
        let original = DynamicImage::from(picture(1));
        let of = hash(&original);
        let smaller = original.resize_exact(80, 60, FilterType::Triangle);
        assert!((hash(&smaller) ^ of).count_ones() <= 10, "{}", (hash(&smaller) ^ of).count_ones());
        assert!((hash(&original.brighten(6)) ^ of).count_ones() <= 10);
        let mut jpeg = Vec::new();
        let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut jpeg, 60);
        original.write_with_encoder(encoder).unwrap();
        assert!((hash(&image::load_from_memory(&jpeg).unwrap()) ^ of).count_ones() <= 10);
        assert!((hash(&picture(4).into()) ^ of).count_ones() > 20, "another picture");
    }

    #[test]
    fn runs_find_what_comparing_all_finds() {
        let mut state = 1_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            u128::from(state >> 33)
        };
        let base: u128 = next() << 96 | next() << 64 | next() << 32 | next();
        let mut hashes: Vec<(usize, u128)> = Vec::new();
        for at in 0..120 {
            let flips = (0..next() % 9).fold(0, |mask, _| mask | 1 << (next() % 128));
            hashes.push((at % 3, base ^ flips));
        }
        let mut all = Vec::new();
        for b in 0..hashes.len() {
            for a in 0..b {
                let apart = (hashes[a].1 ^ hashes[b].1).count_ones();
                if hashes[a].0 != hashes[b].0 && apart <= 6 {
                    all.push((a, b, apart));
                }
            }
        }
        all.sort_unstable();
        assert!(all.len() > 100, "the test has something to find");
        assert_eq!(across(&hashes, 6), all);
    }
}
