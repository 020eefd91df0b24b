//! Features of a condition: what the policy sees of a product's image and text.

use adeval_sdk::prelude::*;

/// Buckets that categories are hashed into, and as many for the words of the title and the colour.
const BUCKETS: usize = 8;

/// Number of features: category, words, mean colour (red, green, blue), share of empty pixels.
pub(crate) const FEATURES: usize = 2 * BUCKETS + 4;

/// Points a side at which the image is looked at.
const GRID: u32 = 64;

/// The features of a condition, each about between -1 and 1.
///
/// Zeroed patches lower the mean colour and raise the empty share; another product's text moves category and
/// words. So both corruptions of PCPO change the policy's answer.
pub(crate) fn features(product: &Product) -> [f64; FEATURES] {
    let mut out = [0.0; FEATURES];
    let bucket = |kind: &str, word: &str| (rng::derive(0, &[kind, word]) % BUCKETS as u64) as usize;
    for part in &product.category {
        out[bucket("category", part)] += 1.0 / product.category.len() as f64;
    }
    let colour = product.attributes.get("color").map_or("", String::as_str);
    let text = format!("{} {colour}", product.title).to_lowercase();
    let words: Vec<&str> = text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).collect();
    for word in &words {
        out[BUCKETS + bucket("word", word)] += 1.0 / words.len() as f64;
    }
    out[2 * BUCKETS..].copy_from_slice(&look(&product.image));
    out
}

/// Mean red, green, blue of the visible pixels (transparent and zeroed ones count as black), minus a half; and the
/// share of empty pixels.
fn look(image: &Image) -> [f64; 4] {
    let channels = image.format().channels();
    let (w, h) = (image.width(), image.height());
    let (columns, rows) = (w.min(GRID), h.min(GRID));
    let (mut sum, mut empty) = ([0.0; 3], 0.0);
    for row in 0..rows {
        for column in 0..columns {
            let at = |i: u32, count: u32, side: u32| {
                ((u64::from(2 * i + 1) * u64::from(side)) / u64::from(2 * count)) as usize
            };
            let start = (at(row, rows, h) * w as usize + at(column, columns, w)) * channels;
            let pixel = &image.bytes()[start..start + channels];
            let alpha = pixel.get(3).map_or(1.0, |a| f64::from(*a) / 255.0);
            for (c, total) in sum.iter_mut().enumerate() {
                *total += alpha * f64::from(pixel[if channels == 1 { 0 } else { c }]) / 255.0;
            }
            empty += f64::from(u8::from(pixel.iter().all(|v| *v == 0)));
        }
    }
    let count = f64::from(rows * columns);
    [sum[0] / count - 0.5, sum[1] / count - 0.5, sum[2] / count - 0.5, empty / count]
}
