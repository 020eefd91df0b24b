//! How far a product outgrew its outline in a finished picture.
//!
//! Inpainting around a product tends to continue it: a second rim, a longer strap, legs under a chair. The paste of the product's own
//! pixels hides what happened inside its outline, not what was painted outside of it. So the finished picture is
//! segmented again, and what the segmenter sees as the product is compared with where the product was placed.
//!
//! The caller brings the segmenter's map; everything here is a pure function of two masks. The figures are as good as
//! the segmenter: compare them with those of the same product over a plain ground before reading them as absolute.

mod distance;
#[cfg(test)]
mod tests;

pub use distance::squared as squared_distances;

use ::image::GrayImage;
use std::collections::VecDeque;

/// What counts as product, and what as the same place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OutlineOptions {
    /// From this value (0 to 255) on a pixel of either map is the product; 128.
    pub foreground: u8,
    /// Pixels, measured between pixel centres, by which the outlines may differ without counting; 3.0. A segmenter is not
    /// sharper than this: U2-Net-p sees a 512x512 picture at 320x320, where a pixel is 1.6 of the picture's.
    pub tolerance: f64,
}

impl Default for OutlineOptions {
    fn default() -> Self {
        Self { foreground: 128, tolerance: 3.0 }
    }
}

/// The measure of one finished picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outline {
    /// Area further than the tolerance outside the placed product that hangs together with it (8 neighbours), over the placed
    /// product's area. 0 is best; there is no upper bound.
    pub outgrowth: f64,
    /// Area further than the tolerance inside the placed product that is not seen as product, over its area: 0 (best) to 1.
    pub erosion: f64,
    /// Largest distance in pixels from the placed product to anything that hangs together with it, tolerance included.
    pub reach: f64,
    /// Boundary F-score at the tolerance, 0 to 1 (best): the harmonic mean of the shares of either outline that lie within the
    /// tolerance of the other (the contour accuracy of Perazzi et al., "A Benchmark Dataset and Evaluation Methodology for
    /// Video Object Segmentation", CVPR 2016, with exact distances).
    pub boundary: f64,
    /// Area of what is seen as the product over that of the placed product; 1 is best.
    pub area_ratio: f64,
    /// Hausdorff distance of the two outlines in pixels: the largest distance of a pixel of either from the other one.
    /// `None` where no product is seen, or one of the two covers the picture and has no outline.
    pub hausdorff: Option<f64>,
}

impl Outline {
    /// One number to rank the seeds of a product by, 0 being best: `outgrowth + erosion`.
    ///
    /// Chosen, not learnt: a pixel too many costs as much as one too few.
    #[must_use]
    pub fn penalty(&self) -> f64 {
        self.outgrowth + self.erosion
    }
}

/// Why two maps cannot be compared.
#[derive(Debug, thiserror::Error, PartialEq)]
#[non_exhaustive]
pub enum OutlineError {
    /// The maps have different sizes.
    #[error("the segmenter's map is {}x{}, the placed mask {}x{}; segment the picture at the canvas's size", found.0, found.1, placed.0, placed.1)]
    Size {
        /// Width and height of the segmenter's map.
        found: (u32, u32),
        /// Width and height of the placed mask.
        placed: (u32, u32),
    },
    /// The placed mask holds no product.
    #[error("no pixel of the placed mask reaches {foreground}, so there is no product to compare with")]
    NoProduct {
        /// The value from which on a pixel is the product.
        foreground: u8,
    },
    /// The tolerance is not a distance.
    #[error("the tolerance is {tolerance} pixels; give a finite number of at least 0")]
    Tolerance {
        /// The tolerance asked for.
        tolerance: f64,
    },
}

/// Compares what a segmenter found in the finished picture with the product that was placed.
///
/// `found` is the foreground's probability times 255 and `placed` the product's alpha, both of the canvas's size.
///
/// # Errors
/// [`OutlineError::Size`], [`OutlineError::NoProduct`] or [`OutlineError::Tolerance`].
pub fn outline(
    found: &GrayImage,
    placed: &GrayImage,
    options: OutlineOptions,
) -> Result<Outline, OutlineError> {
    let OutlineOptions { foreground, tolerance } = options;
    if found.dimensions() != placed.dimensions() {
        return Err(OutlineError::Size { found: found.dimensions(), placed: placed.dimensions() });
    }
    if !(tolerance.is_finite() && tolerance >= 0.0) {
        return Err(OutlineError::Tolerance { tolerance });
    }
    let placed = Region::from_map(placed, foreground);
    let area = placed.area() as f64;
    if area == 0.0 {
        return Err(OutlineError::NoProduct { foreground });
    }
    let found = Region::from_map(found, foreground);
    let product = found.hanging_together_with(&placed);
    let beyond = placed.distances();
    let within = placed.inverse().distances();
    let limit = tolerance * tolerance;
    let count = |is: &dyn Fn(usize) -> bool| (0..placed.inside.len()).filter(|at| is(*at)).count() as f64;
    let reach = (0..beyond.len()).filter(|at| product.inside[*at]).map(|at| beyond[at]).fold(0.0, f64::max);
    Ok(Outline {
        outgrowth: count(&|at| product.inside[at] && beyond[at] > limit) / area,
        erosion: count(&|at| placed.inside[at] && !found.inside[at] && within[at] > limit) / area,
        reach: reach.sqrt(),
        boundary: boundary(&product, &placed, limit),
        area_ratio: product.area() as f64 / area,
        hausdorff: hausdorff(&product, &placed),
    })
}

/// F-score of two outlines, where a squared distance up to `limit` is a hit.
fn boundary(found: &Region, placed: &Region, limit: f64) -> f64 {
    let (found, placed) = (found.outline(), placed.outline());
    let share = |of: &Region, near: &Region| {
        let distances = near.distances();
        let hits = (0..distances.len()).filter(|at| of.inside[*at] && distances[*at] <= limit).count();
        hits as f64 / of.area() as f64
    };
    match (found.area(), placed.area()) {
        (0, 0) => 1.0,
        (0, _) | (_, 0) => 0.0,
        _ => {
            let (precision, recall) = (share(&found, &placed), share(&placed, &found));
            if precision + recall > 0.0 { 2.0 * precision * recall / (precision + recall) } else { 0.0 }
        }
    }
}

/// The largest distance of a pixel of either outline from the other one, where both have one.
fn hausdorff(found: &Region, placed: &Region) -> Option<f64> {
    let (found, placed) = (found.outline(), placed.outline());
    let farthest = |of: &Region, from: &Region| {
        let distances = from.distances();
        (0..distances.len()).filter(|at| of.inside[*at]).map(|at| distances[at]).fold(0.0, f64::max)
    };
    let both = found.area() > 0 && placed.area() > 0;
    both.then(|| farthest(&found, &placed).max(farthest(&placed, &found)).sqrt())
}

/// A set of pixels, rows from the top.
struct Region {
    width: usize,
    inside: Vec<bool>,
}

impl Region {
    fn from_map(map: &GrayImage, from: u8) -> Self {
        Self { width: map.width() as usize, inside: map.iter().map(|value| *value >= from).collect() }
    }

    fn area(&self) -> usize {
        self.inside.iter().filter(|inside| **inside).count()
    }

    fn inverse(&self) -> Self {
        Self { width: self.width, inside: self.inside.iter().map(|inside| !inside).collect() }
    }

    /// The square of each pixel's distance to the nearest pixel of the region; infinite if the region is empty.
    fn distances(&self) -> Vec<f64> {
        distance::squared(&self.inside, self.width)
    }

    /// The parts that share a pixel with `seed`, whole; parts are what hangs together over the eight neighbours.
    fn hanging_together_with(&self, seed: &Self) -> Self {
        let mut reached: Vec<bool> = self.inside.iter().zip(&seed.inside).map(|(a, b)| *a && *b).collect();
        let mut open: VecDeque<usize> = (0..reached.len()).filter(|at| reached[*at]).collect();
        while let Some(at) = open.pop_front() {
            for next in self.neighbours(at) {
                if self.inside[next] && !reached[next] {
                    reached[next] = true;
                    open.push_back(next);
                }
            }
        }
        Self { width: self.width, inside: reached }
    }

    /// The pixels that have one outside the region to their left, right, top or bottom. The picture's border is no outline.
    fn outline(&self) -> Self {
        let edge = |at: usize| {
            let x = at % self.width;
            let beside = [
                (x > 0).then(|| at - 1),
                (x + 1 < self.width).then_some(at + 1),
                at.checked_sub(self.width),
                Some(at + self.width),
            ];
            beside.into_iter().flatten().any(|next| self.inside.get(next) == Some(&false))
        };
        Self {
            width: self.width,
            inside: (0..self.inside.len()).map(|at| self.inside[at] && edge(at)).collect(),
        }
    }

    fn neighbours(&self, at: usize) -> impl Iterator<Item = usize> {
        let (width, height) = (self.width, self.inside.len() / self.width);
        let (x, y) = (at % width, at / width);
        let rows = y.saturating_sub(1)..(y + 2).min(height);
        rows.flat_map(move |row| {
            (x.saturating_sub(1)..(x + 2).min(width)).map(move |column| row * width + column)
        })
    }
}
