//! Files that appear whole or not at all.

use super::{Outcome, Record};
use crate::bench::BenchError;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};
use rayon::prelude::*;
use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// `root/ab/abcdef.ext`
pub fn sharded(root: &Path, hash: &str, extension: &str) -> PathBuf {
    root.join(hash.get(..2).unwrap_or("00")).join(format!("{hash}.{extension}"))
}

/// Writes a file beside its place and moves it there, so that a reader (or a crash) never meets half of it.
///
/// # Errors
/// [`BenchError::Write`].
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), BenchError> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(BenchError::write(folder))?;
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(".part");
    let beside = PathBuf::from(beside);
    let written = File::create(&beside)
        .and_then(|mut file| file.write_all(bytes))
        .and_then(|()| std::fs::rename(&beside, path));
    written.map_err(|error| {
        // The half that fits on a full disk is of no use to anyone.
        let _ = std::fs::remove_file(&beside);
        BenchError::write(path)(error)
    })
}

/// Encodes RGB pixels as a PNG; fast rather than small, since a bench writes thousands.
///
/// # Errors
/// When the pixels do not fit the size.
pub fn encode_png(width: u32, height: u32, rgb: &[u8]) -> Result<Vec<u8>, image::ImageError> {
    let mut png = Vec::with_capacity(rgb.len() / 2);
    PngEncoder::new_with_quality(&mut png, CompressionType::Fast, FilterType::Paeth).write_image(
        rgb,
        width,
        height,
        ExtendedColorType::Rgb8,
    )?;
    Ok(png)
}

/// Forgets the results whose files are missing or are not what was written.
pub fn forget_damaged(dir: &Path, records: &mut HashMap<String, Record>) {
    for (key, image) in damaged(dir, records) {
        records.remove(&key);
        // A damaged image must not pass for the one that is about to be made again.
        let _ = image.map(std::fs::remove_file);
    }
}

/// Keys of the results whose files are missing or are not what was written, with their images.
pub fn damaged(dir: &Path, records: &HashMap<String, Record>) -> Vec<(String, Option<PathBuf>)> {
    let (images, features) = (dir.join("images"), dir.join("features"));
    let sound = |record: &Record| match &record.outcome {
        Outcome::Creative { image, .. } => std::fs::read(sharded(&images, image, "png"))
            .is_ok_and(|bytes| blake3::hash(&bytes).to_hex().as_str() == image),
        Outcome::Features(length) => std::fs::metadata(sharded(&features, &record.key, "f32"))
            .is_ok_and(|m| m.len() == 4 * *length as u64),
        _ => true,
    };
    let all: Vec<&Record> = records.values().collect();
    all.into_par_iter()
        .filter(|record| !sound(record))
        .map(|record| {
            let image = match &record.outcome {
                Outcome::Creative { image, .. } => Some(sharded(&images, image, "png")),
                _ => None,
            };
            (record.key.clone(), image)
        })
        .collect()
}
