//! Product consistency: is it still the same product, and can the creative be used?
//!
//! Everything is read from the creative, the product that was placed on it (its alpha box at the placement's size), and,
//! where there is one, a segmenter's map of the creative. The parts of the score are independent by design: a shift is found
//! first and taken off, so that it costs [`Parts::position`] and not every comparison of pixels; a recolour costs
//! [`Parts::colour`] and not [`Parts::structure`]; a rim of the product's colour costs [`Parts::outline`] and not
//! [`Parts::seam`]. `docs/metrics.md` shows by planted defects how far that holds.

mod align;
mod colour;
mod controls;
mod features;
mod fidelity;
mod ground;
mod marks;
mod pairs;
mod place;
pub mod planted;
mod score;
mod seam;
mod surroundings;
mod verdict;

pub use colour::delta_e_2000;
pub use controls::{as_it_is_and_should_be, product_alone, scene_alone};
pub use features::{cosine, perceptual_distance};
pub use fidelity::{Fidelity, fidelity};
pub use score::{Parts, WEIGHTS};
pub use verdict::{Fault, Limits, Reason, Verdict};

use crate::ssim::Similarity;
use crate::{EvalError, Result, ms_ssim};
use adeval_sdk::outline::{OutlineOptions, outline};
use image::{GrayImage, Luma, RgbImage, RgbaImage};
use pairs::Pairs;
use place::{covering, span};
use serde::{Deserialize, Serialize};
use surroundings::Surroundings;

/// A creative, and what was placed on it.
#[derive(Debug, Clone, Copy)]
pub struct Placed<'a> {
    /// The creative.
    pub creative: &'a RgbImage,
    /// The product's alpha box at the placement's size, straight alpha.
    pub product: &'a RgbaImage,
    /// Its left edge on the creative, in pixels; it may reach over the edges.
    pub left: i32,
    /// Its top edge.
    pub top: i32,
    /// What a segmenter sees as the foreground of the creative, probability times 255, at the creative's size.
    pub segmented: Option<&'a GrayImage>,
}

/// How far a creative keeps its product, with all that the score is made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Consistency {
    /// Weighted geometric mean of the parts, in [0, 1]; 1 when nothing is wrong.
    pub score: f64,
    /// The parts.
    pub parts: Parts,
    /// Whether the creative can be used, and why not.
    pub verdict: Verdict,
    /// What was measured, in its own units.
    pub measures: Measures,
}

/// What was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Measures {
    /// The product's own pixels, at its real place.
    pub pixels: Fidelity,
    /// Mean over the mask of SSIM's contrast and structure, in [-1, 1].
    pub structure: f64,
    /// MS-SSIM inside the mask, in [0, 1].
    pub ms_ssim: f64,
    /// The scales of it that the mask was large enough for, 1 to 5.
    pub ms_ssim_scales: usize,
    /// Pixels by which the product lies right of its declared place (up to 16 are looked for).
    pub right: i32,
    /// Pixels by which it lies below it.
    pub down: i32,
    /// Share of the product's pixels that text, logos and fine patterns cover.
    pub marks_share: f64,
    /// Mean of SSIM's contrast and structure over them, in [0, 1]; absent without marks.
    pub marks_kept: Option<f64>,
    /// Area beyond the outline that goes on in the product's colour, over the product's area; absent where the outline
    /// cannot be looked across.
    pub continuation: Option<f64>,
    /// Length in CIELAB of the fringe just outside the outline; absent as above.
    pub halo: Option<f64>,
    /// Share of the outline at which no edge is seen; absent as above.
    pub lost_edge_share: Option<f64>,
    /// The outline by the segmenter; absent without one.
    pub segmented: Option<SegmentedOutline>,
    /// Area of the product's box on the canvas, over the canvas, in [0, 1].
    pub canvas_share: f64,
    /// Share of the product's pixels that lies on the canvas, in [0, 1].
    pub visible_share: f64,
    /// How much darker the ground right under the foot is than beside it (1 - ratio); absent where either is off the canvas.
    pub contact_shadow: Option<f64>,
}

/// What a segmenter sees, compared with what was placed (tolerance 3 pixels).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SegmentedOutline {
    /// Area beyond the outline that hangs together with the product, over the product's area.
    pub outgrowth: f64,
    /// Share of the product's area that is not seen as product.
    pub erosion: f64,
    /// Area seen as the product over the placed area.
    pub area_ratio: f64,
    /// Boundary F-score, in [0, 1].
    pub boundary_f: f64,
    /// Hausdorff distance of the outlines in pixels; absent where either has none.
    pub hausdorff: Option<f64>,
}

/// Measures a creative.
///
/// # Errors
/// [`EvalError::EmptyMask`] when no opaque pixel of the product lies on the canvas, [`EvalError::SizeMismatch`] when the
/// segmenter's map has another size than the creative.
pub fn consistency(placed: &Placed<'_>, limits: &Limits) -> Result<Consistency> {
    let Placed { creative, product, .. } = *placed;
    let (right, down) = align::displacement(creative, product, placed.left, placed.top);
    let (left, top) = (placed.left + right, placed.top + down);
    let pairs = Pairs::cut(creative, product, left, top)?;
    let around = Surroundings::cut(creative, product, left, top);
    let (multi_scale, scales) = if pairs.equal() {
        (1.0, 1)
    } else {
        ms_ssim::masked(pairs.similarities(), pairs.lumas(), &pairs.mask, pairs.width)
    };
    let marks = marks::marks(&pairs);
    let seam = seam::seam(&around);
    let area = around.area() as f64;
    let measures = Measures {
        pixels: fidelity::of(&pairs),
        structure: pairs.mean_similarity(|s: Similarity| s.structure),
        ms_ssim: multi_scale,
        ms_ssim_scales: scales,
        right,
        down,
        marks_share: marks.share,
        marks_kept: marks.kept,
        continuation: seam.map(|s| s.continuation),
        halo: seam.map(|s| s.halo),
        lost_edge_share: seam.map(|s| s.lost_edge_share),
        segmented: placed.segmented.map(|map| segmented(map, placed)).transpose()?,
        canvas_share: box_share(placed, (left, top)),
        visible_share: area / around.whole_area.max(1) as f64,
        contact_shadow: ground::contact_shadow(creative, product, left, top),
    };
    let parts = Parts::of(&measures, product.width().max(product.height()));
    let verdict = limits.judge(&measures, &parts);
    Ok(Consistency { score: parts.score(), parts, verdict, measures })
}

/// Share of the canvas that the product's box covers.
fn box_share(placed: &Placed<'_>, (left, top): (i32, i32)) -> f64 {
    let (width, height) = placed.creative.dimensions();
    let (_, wide) = span(left, placed.product.width(), width, 0);
    let (_, high) = span(top, placed.product.height(), height, 0);
    f64::from(wide) * f64::from(high) / (f64::from(width) * f64::from(height))
}

/// Compares a segmenter's map with the alpha where it was declared.
fn segmented(map: &GrayImage, placed: &Placed<'_>) -> Result<SegmentedOutline> {
    let (width, height) = placed.creative.dimensions();
    if map.dimensions() != (width, height) {
        return Err(EvalError::SizeMismatch {
            place: "product consistency".into(),
            what: "the segmenter's map".into(),
            got: format!("{}x{}", map.width(), map.height()),
            want: format!("{width}x{height}"),
        });
    }
    let corner = (placed.left, placed.top);
    let alpha = GrayImage::from_fn(width, height, |x, y| {
        Luma([covering(placed.product, corner, x, y).map_or(0, |pixel| pixel.0[3])])
    });
    let found = outline(map, &alpha, OutlineOptions::default())
        .map_err(|error| EvalError::EmptyMask { reason: error.to_string() })?;
    Ok(SegmentedOutline {
        outgrowth: found.outgrowth,
        erosion: found.erosion,
        area_ratio: found.area_ratio,
        boundary_f: found.boundary,
        hausdorff: found.hausdorff,
    })
}
