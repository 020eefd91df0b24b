//! LDR-FLIP, a map of how visible the difference of two images is when one flips between them.
//!
//! Andersson, Nilsson, Akenine-Moller, Oskarsson, Astrom and Fairchild, "FLIP: A Difference Evaluator for Alternating
//! Images", Proc. ACM Comput. Graph. Interact. Tech. 3(2), 2020. Written from the paper and checked against its authors'
//! `flip-evaluator` (see `fixtures/scripts/goldens_flip.py`). Here it is evidence beside a failed comparison, not a judge:
//! it is a mean over what an eye would see at a distance, and a broken corner of a large image hardly moves it.

mod colour;
mod filter;

use colour::{Ycxcz, hunt_lab, hyab};
use filter::{Kernel, Plane};
use image::RgbImage;

/// Pixels per degree of sight: a 0.7 m wide 3840-pixel display at 0.7 m, as in the paper.
pub const PIXELS_PER_DEGREE: f64 = 67.020_64;

/// Exponent of colour differences.
const COLOUR_EXPONENT: f64 = 0.7;
/// Exponent of feature differences.
const FEATURE_EXPONENT: f64 = 0.5;
/// The knee of the redistribution: this share of the largest colour error
const KNEE_AT: f64 = 0.4;
/// becomes this error.
const KNEE_TO: f64 = 0.95;

/// The errors of an image's pixels.
#[derive(Debug, Clone, PartialEq)]
pub struct FlipMap {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Errors in [0, 1], rows from the top.
    pub errors: Vec<f32>,
}

impl FlipMap {
    /// Mean error in [0, 1].
    pub fn mean(&self) -> f64 {
        self.errors.iter().map(|e| f64::from(*e)).sum::<f64>() / self.errors.len().max(1) as f64
    }
}

/// The FLIP errors of `test` against `reference`, seen at so many pixels per degree (above 0;
/// [`PIXELS_PER_DEGREE`] is usual). `None` when the sizes differ.
pub fn flip(reference: &RgbImage, test: &RgbImage, pixels_per_degree: f64) -> Option<FlipMap> {
    if reference.dimensions() != test.dimensions() {
        return None;
    }
    let (width, height) = reference.dimensions();
    let sides = [reference, test].map(|image| Side::of(image, pixels_per_degree));
    let largest = largest_colour_error();
    let errors = (0..sides[0].lab.len()).map(|at| {
        let distance = hyab(sides[0].lab[at], sides[1].lab[at]);
        let colour = redistribute(distance.powf(COLOUR_EXPONENT), largest);
        let edges = (sides[0].edges[at] - sides[1].edges[at]).abs();
        let points = (sides[0].points[at] - sides[1].points[at]).abs();
        let feature = (edges.max(points) * std::f64::consts::FRAC_1_SQRT_2).powf(FEATURE_EXPONENT);
        colour.powf(1.0 - feature) as f32
    });
    Some(FlipMap { width, height, errors: errors.collect() })
}

/// The error of green against blue, the farthest two colours in the Hunt-adjusted space.
fn largest_colour_error() -> f64 {
    hyab(hunt_lab([0.0, 1.0, 0.0]), hunt_lab([0.0, 0.0, 1.0])).powf(COLOUR_EXPONENT)
}

/// Gives most of [0, 1] to the errors that occur, and the rest to the extremes.
fn redistribute(error: f64, largest: f64) -> f64 {
    let knee = KNEE_AT * largest;
    if error < knee {
        error * KNEE_TO / knee
    } else {
        KNEE_TO + (error - knee) / (largest - knee) * (1.0 - KNEE_TO)
    }
}

/// What is computed of each of the two images.
struct Side {
    /// What the eye makes of the colours: Hunt-adjusted L*a*b* after the contrast sensitivity filters.
    lab: Vec<[f64; 3]>,
    /// Strength of edges and of points.
    edges: Vec<f64>,
    points: Vec<f64>,
}

impl Side {
    fn of(image: &RgbImage, pixels_per_degree: f64) -> Self {
        let (width, height) = (image.width() as usize, image.height() as usize);
        let opponent: Vec<Ycxcz> = image.pixels().map(|p| Ycxcz::of_srgb(p.0)).collect();
        let channel = |of: fn(&Ycxcz) -> f64| Plane::new(width, height, opponent.iter().map(of).collect());
        let [achromatic, red_green, blue_yellow] = filter::contrast_sensitivity(pixels_per_degree);
        let y = achromatic.apply(&channel(|c| c.y));
        let cx = red_green.apply(&channel(|c| c.cx));
        let cz = blue_yellow.apply(&channel(|c| c.cz));
        let seen = y.into_iter().zip(cx).zip(cz).map(|((y, cx), cz)| Ycxcz { y, cx, cz });
        let lab = seen.map(|colour| hunt_lab(colour.to_linear().map(|c| c.clamp(0.0, 1.0)))).collect();
        let grey = channel(|c| (c.y + 16.0) / 116.0);
        let strength = |(along, across): (Kernel, Kernel)| {
            let horizontal = grey.convolve(&along, &across);
            let vertical = grey.convolve(&across, &along);
            horizontal.into_iter().zip(vertical).map(|(x, y)| x.hypot(y)).collect()
        };
        let edges = strength(filter::edge_detector(pixels_per_degree));
        let points = strength(filter::point_detector(pixels_per_degree));
        Self { lab, edges, points }
    }
}

#[cfg(test)]
mod tests;
