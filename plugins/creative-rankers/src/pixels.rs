//! Small pictures for the network that learns from pixels.

use crate::cache::Cache;
use adeval_sdk::prelude::*;
use image::{RgbImage, imageops};
use rayon::prelude::*;
use std::sync::Arc;

/// A picture of `side` x `side` pixels, 8-bit sRGB, rows from the top.
pub type Pixels = Arc<[u8]>;

/// Pictures made small, and those that were.
pub struct Shrinker {
    side: u32,
    cache: Cache<Pixels>,
}

impl Shrinker {
    pub fn new(side: u32, cache: u32) -> Self {
        Self { side, cache: Cache::new(cache, 3 * (side * side) as usize) }
    }

    /// Hash and small picture of each.
    pub fn look(&self, pictures: &[&Image], cx: &CallContext<'_>) -> Vec<Result<(String, Pixels)>> {
        let one = |picture: &&Image| {
            cx.check()?;
            let key = picture.hash();
            let kept = self.cache.get(&key);
            let pixels = kept.unwrap_or_else(|| {
                let made = self.shrunk(picture);
                self.cache.put(&key, made.clone());
                made
            });
            Ok((key, pixels))
        };
        pictures.par_iter().map(one).collect()
    }

    /// By area, whatever the shape: the edges of an advertisement belong to it. Alpha is ignored.
    fn shrunk(&self, picture: &Image) -> Pixels {
        let small: RgbImage = match picture.as_rgb() {
            Some(view) => imageops::thumbnail(&view, self.side, self.side),
            None => imageops::thumbnail(&picture.to_rgb(), self.side, self.side),
        };
        small.into_raw().into()
    }
}
