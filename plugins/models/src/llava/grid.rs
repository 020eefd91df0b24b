//! The grids of tiles that LLaVA-1.6 looks at a picture in ("anyres"), and what of a grid the picture covers.
//!
//! Liu et al., "LLaVA-NeXT: Improved reasoning, OCR, and world knowledge" (2024).

use std::ops::Range;

use crate::{ModelError, Result};

/// A size in pixels or in patches, rows first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Rows.
    pub height: u32,
    /// Columns.
    pub width: u32,
}

impl Extent {
    const fn area(self) -> u64 {
        self.height as u64 * self.width as u64
    }
}

/// Whose rules are followed where `transformers` and the original code part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Convention {
    /// A pinpoint is (height, width); what is unpadded is rounded to seven decimals before it is truncated.
    Transformers,
    /// A pinpoint is (width, height), so that another grid wins among equally good ones; what is unpadded is truncated.
    Original,
}

/// `image_grid_pinpoints`: the sizes that a picture may be fitted into, each of whole tiles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pinpoints {
    extents: Vec<Extent>,
    tile: u32,
    convention: Convention,
}

impl Pinpoints {
    /// `pairs` as the configuration lists them, in the order of numbers that `convention` says, for square tiles of `tile` pixels.
    ///
    /// # Errors
    /// [`ModelError::Unfit`] for no pairs, and for one that is not made of whole tiles.
    pub fn new(pairs: &[[u32; 2]], tile: u32, convention: Convention) -> Result<Self> {
        let unfit = |reason: String| ModelError::Unfit { label: "image_grid_pinpoints".to_owned(), reason };
        if pairs.is_empty() {
            return Err(unfit("it is empty; list at least one size".to_owned()));
        }
        let whole = |side: u32| side > 0 && side.is_multiple_of(tile);
        if let Some([a, b]) = pairs.iter().find(|pair| tile == 0 || !pair.iter().all(|&side| whole(side))) {
            return Err(unfit(format!(
                "[{a}, {b}] is not made of whole tiles of {tile} pixels; list multiples"
            )));
        }
        let extent = |&[first, second]: &[u32; 2]| match convention {
            Convention::Transformers => Extent { height: first, width: second },
            Convention::Original => Extent { height: second, width: first },
        };
        Ok(Self { extents: pairs.iter().map(extent).collect(), tile, convention })
    }

    /// The side of a tile in pixels.
    pub const fn tile(&self) -> u32 {
        self.tile
    }

    /// The size that keeps most of a picture's pixels, and of those the one that wastes least; the first of equals.
    pub fn best(&self, picture: Extent) -> Extent {
        let value = |extent: &Extent| {
            let (height, width) = (f64::from(picture.height), f64::from(picture.width));
            let scale = (f64::from(extent.width) / width).min(f64::from(extent.height) / height);
            let shrunk = (width * scale) as u64 * (height * scale) as u64;
            let kept = shrunk.min(picture.area());
            (kept, std::cmp::Reverse(extent.area() - kept))
        };
        // `max_by_key` would take the last of equals. There is at least one.
        let best = self.extents.iter().rev().max_by_key(|extent| value(extent));
        best.copied().unwrap_or(picture)
    }

    /// Rows and columns of tiles that a picture is seen in.
    pub fn grid(&self, picture: Extent) -> Extent {
        let best = self.best(picture);
        Extent { height: best.height / self.tile, width: best.width / self.tile }
    }

    /// The rows and columns of a map of `patches` that a picture, fitted into it, covers: the padding is left out
    /// (`unpad_image`). It may be none, for pictures that are thinner than a patch.
    pub fn covered(&self, picture: Extent, patches: Extent) -> (Range<u32>, Range<u32>) {
        let ratio = |extent: Extent| f64::from(extent.width) / f64::from(extent.height);
        let (rows, columns) = (0..patches.height, 0..patches.width);
        if ratio(picture) > ratio(patches) {
            let scale = f64::from(patches.width) / f64::from(picture.width);
            (self.middle(patches.height, f64::from(picture.height) * scale), columns)
        } else {
            let scale = f64::from(patches.height) / f64::from(picture.height);
            (rows, self.middle(patches.width, f64::from(picture.width) * scale))
        }
    }

    /// As much is cut off at either end: one more than `length` remains where the rest is odd.
    fn middle(&self, whole: u32, length: f64) -> Range<u32> {
        let length = match self.convention {
            Convention::Original => length,
            Convention::Transformers => rounded(length),
        } as u32;
        let padding = whole.saturating_sub(length) / 2;
        padding..whole - padding
    }
}

/// Python's `round(value, 7)`: to the nearest decimal, halves of the exact binary value to even.
fn rounded(value: f64) -> f64 {
    format!("{value:.7}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pinpoints_that_make_no_grid_are_named() {
        let refused = |pairs: &[[u32; 2]]| {
            Pinpoints::new(pairs, 336, Convention::Transformers).expect_err("refused").to_string()
        };
        assert!(refused(&[]).contains("image_grid_pinpoints: it is empty"));
        assert!(refused(&[[336, 336], [336, 500]]).contains("[336, 500] is not made of whole tiles of 336"));
        assert!(refused(&[[0, 336]]).contains("[0, 336]"));
        assert!(Pinpoints::new(&[[8, 8]], 0, Convention::Original).is_err());
    }
}
