//! What of a creative's pixels shoppers react to: five axes of the scene and two relations between scene and product.

use super::grid::Grid;
use crate::{EvalError, Result};
use serde::{Deserialize, Serialize};

/// Measures of a creative, from its pixels alone. Colours are OKLab (Ottosson 2020), of cells of a thumbnail.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Scene {
    /// Mean lightness of the background.
    pub light: f64,
    /// Mean of the background's a and b along orange (37 degrees): above 0 warm, below 0 cool.
    pub warm: f64,
    /// Mean chroma of the background.
    pub vivid: f64,
    /// Mean of the background's a and b along green (142 degrees).
    pub green: f64,
    /// Mean step of lightness between neighbouring cells of the background: clutter.
    pub busy: f64,
    /// Distance between the mean colours of the product and of the ring around it.
    pub contrast: f64,
    /// Chroma-weighted mean of cos 2(hue of the background - hue of the product): 1 for hues alike or opposite, -1 for
    /// hues at right angles, 0 where there is no colour.
    pub harmony: f64,
}

/// Axes of a scene: its first five measures.
pub(super) const AXES: usize = 5;
/// All measures.
pub(super) const MEASURES: usize = 7;

/// Usual mean of each measure, and its usual spread between creatives of one product: of the creatives that the default
/// suite's entries make of its 168 products. They set the scale of "much" and "little" and nothing else.
pub(super) const USUAL: [(f64, f64); MEASURES] = [
    (0.67, 0.11),
    (0.018, 0.026),
    (0.043, 0.029),
    (0.013, 0.023),
    (0.010, 0.007),
    (0.21, 0.08),
    (0.10, 0.18),
];

/// Beyond so many usual spreads more is no more.
const MOST: f64 = 3.0;
/// Cells of the ring around the product.
const RING: usize = 7;
/// Cells next to the product whose steps of lightness are its outline.
const OUTLINE: usize = 2;
/// Chroma that counts as no colour, added to every cell's.
const GREY: f64 = 0.02;

impl Scene {
    pub(super) fn of(grid: &Grid) -> Result<Self> {
        let product: Vec<bool> = grid.product.iter().map(|share| *share > 0.5).collect();
        if !product.contains(&true) {
            let reason = "the placement lies off the canvas, or the product covers half of no cell".into();
            return Err(EvalError::EmptyMask { reason });
        }
        let background = grid.background();
        let usual = |measure: usize| USUAL[measure].0;
        let behind = mean(grid, &background);
        let near = grid.grown(&product, RING);
        let ring: Vec<bool> = near.iter().zip(&background).map(|(near, free)| *near && *free).collect();
        let contrast =
            mean(grid, &product).zip(mean(grid, &ring)).map(|(inside, around)| distance(inside, around));
        let (of_product, of_background) = (double_hue(grid, &product), double_hue(grid, &background));
        let along = |degrees: f64| {
            behind.map(|[_, a, b]| a * degrees.to_radians().cos() + b * degrees.to_radians().sin())
        };
        // A creative without background is a usual one: there is nothing to like or dislike.
        Ok(Self {
            light: behind.map_or(usual(0), |[light, ..]| light),
            warm: along(37.0).unwrap_or(usual(1)),
            vivid: mean_of(grid, &background, |[_, a, b]| a.hypot(b)).unwrap_or(usual(2)),
            green: along(142.0).unwrap_or(usual(3)),
            busy: steps(grid, &background, &product).unwrap_or(usual(4)),
            contrast: contrast.unwrap_or(usual(5)),
            harmony: of_product[0] * of_background[0] + of_product[1] * of_background[1],
        })
    }

    /// The measures in the order of their definition.
    pub(super) const fn measures(&self) -> [f64; MEASURES] {
        [self.light, self.warm, self.vivid, self.green, self.busy, self.contrast, self.harmony]
    }

    /// How many usual spreads each measure lies above its usual mean, from -3 to 3.
    pub(super) fn standard(&self) -> [f64; MEASURES] {
        let measures = self.measures();
        std::array::from_fn(|at| {
            let (mean, spread) = USUAL[at];
            ((measures[at] - mean) / spread).clamp(-MOST, MOST)
        })
    }
}

/// Mean of a function of the cells in a mask; `None` when it is empty.
fn mean_of(grid: &Grid, mask: &[bool], value: impl Fn([f64; 3]) -> f64) -> Option<f64> {
    let cells = grid.lab.iter().zip(mask).filter(|(_, inside)| **inside);
    let (sum, count) = cells.fold((0.0, 0_u32), |(sum, count), (lab, _)| (sum + value(*lab), count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

/// Mean colour of the cells in a mask.
fn mean(grid: &Grid, mask: &[bool]) -> Option<[f64; 3]> {
    let channel = |at: usize| mean_of(grid, mask, |lab| lab[at]);
    Some([channel(0)?, channel(1)?, channel(2)?])
}

fn distance(one: [f64; 3], other: [f64; 3]) -> f64 {
    one.iter().zip(other).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
}

/// Chroma-weighted mean of (cos 2h, sin 2h): opposite hues are alike. Its length says how much of one colour there is.
fn double_hue(grid: &Grid, mask: &[bool]) -> [f64; 2] {
    let chroma = |[_, a, b]: [f64; 3]| a.hypot(b);
    // C cos 2h = (a^2 - b^2) / C and C sin 2h = 2ab / C.
    let part = |of: fn(f64, f64) -> f64| {
        mean_of(grid, mask, |lab| of(lab[1], lab[2]) / chroma(lab).max(1e-9)).unwrap_or(0.0)
    };
    let weight = mean_of(grid, mask, chroma).unwrap_or(0.0) + GREY;
    [part(|a, b| a * a - b * b) / weight, part(|a, b| 2.0 * a * b) / weight]
}

/// Mean step of lightness to the right and lower neighbours over background cells that are not the product's outline.
fn steps(grid: &Grid, background: &[bool], product: &[bool]) -> Option<f64> {
    let outline = grid.grown(product, OUTLINE);
    let free = |at: usize| background[at] && !outline[at];
    let (mut sum, mut count) = (0.0, 0_u32);
    for at in (0..grid.lab.len()).filter(|at| free(*at)) {
        let right = (at % grid.width + 1 < grid.width).then_some(at + 1);
        for next in [right, Some(at + grid.width)].into_iter().flatten() {
            if next < grid.lab.len() && free(next) {
                sum += (grid.lab[at][0] - grid.lab[next][0]).abs();
                count += 1;
            }
        }
    }
    (count > 0).then(|| sum / f64::from(count))
}
