//! What happens at a product's outline: does it go on beyond it, is there a fringe, can it be seen at all?
//!
//! All three are read from profiles across the outline (see [`Surroundings`]). They need no segmenter: a rim that goes on
//! has the colour of the product beside it, a fringe has neither the product's colour nor the scene's.

use super::colour::delta_e_76;
use super::surroundings::{FIRST, Profile, REACH, Surroundings};

/// A colour difference below which two sides of an edge look like one surface (Delta-E 1976).
const SAME_SURFACE: f64 = 8.0;
/// Steps of a profile at which a fringe is looked for (2 and 3 pixels outside), and at which the scene is (9 and 12).
const NEAR: [usize; 2] = [2, 3];
const FAR: [usize; 2] = [9, 12];

/// What the outline is like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Seam {
    /// Area beyond the outline that goes on in the product's colour, over the product's area.
    pub continuation: f64,
    /// Length in CIELAB of the median, over the outline, of what is neither product nor scene just outside of it.
    pub halo: f64,
    /// Share of the outline at which no edge is seen within 24 pixels.
    pub lost_edge_share: f64,
}

/// Measures the outline; `None` where it has no place to look: a product that covers the canvas, or is too thin.
pub(super) fn seam(around: &Surroundings) -> Option<Seam> {
    let outline = around.outline();
    let profiles = around.profiles(&outline);
    if profiles.is_empty() {
        return None;
    }
    let count = profiles.len() as f64;
    let edges: Vec<Edge> = profiles.iter().map(edge).collect();
    let lost = edges.iter().filter(|edge| **edge == Edge::Lost).count() as f64;
    let beyond: usize = edges.iter().map(|edge| if let Edge::At(pixels) = edge { *pixels } else { 0 }).sum();
    let residuals: Vec<[f64; 3]> = profiles.iter().filter_map(fringe).collect();
    let median = std::array::from_fn(|c| median(residuals.iter().map(|r| r[c]).collect()));
    Some(Seam {
        continuation: beyond as f64 / count * outline.len() as f64 / around.area().max(1) as f64,
        halo: delta_e_76(median, [0.0; 3]),
        lost_edge_share: lost / count,
    })
}

/// Where the edge is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Edge {
    /// After so many pixels in the product's colour.
    At(usize),
    /// Not within 24 pixels.
    Lost,
    /// Not before the canvas ends or another part of the product comes near.
    Unknown,
}

fn edge(profile: &Profile) -> Edge {
    let same = |colour: &&[f64; 3]| delta_e_76(**colour, profile.inside) < SAME_SURFACE;
    let steps = profile.outside.iter().take_while(same).count();
    match steps {
        0 => Edge::At(0),
        all if all == profile.outside.len() && all == REACH - FIRST + 1 => Edge::Lost,
        all if all == profile.outside.len() => Edge::Unknown,
        some => Edge::At(some + FIRST - 1),
    }
}

/// What the colour just outside has that no mixture of product and scene has.
fn fringe(profile: &Profile) -> Option<[f64; 3]> {
    let mean = |steps: [usize; 2]| {
        let found: Option<Vec<_>> = steps.iter().map(|step| profile.outside.get(step - FIRST)).collect();
        let found = found?;
        Some(std::array::from_fn::<f64, 3, _>(|c| {
            found.iter().map(|v| v[c]).sum::<f64>() / found.len() as f64
        }))
    };
    let (near, far) = (mean(NEAR)?, mean(FAR)?);
    let inside = profile.inside;
    let along: [f64; 3] = std::array::from_fn(|c| far[c] - inside[c]);
    let from: [f64; 3] = std::array::from_fn(|c| near[c] - inside[c]);
    let dot = |a: [f64; 3], b: [f64; 3]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let length = dot(along, along);
    let share = if length > 0.0 { (dot(from, along) / length).clamp(0.0, 1.0) } else { 0.0 };
    Some(std::array::from_fn(|c| from[c] - share * along[c]))
}

/// The lower median; 0 of nothing.
fn median(mut values: Vec<f64>) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    let middle = (values.len() - 1) / 2;
    *values.select_nth_unstable_by(middle, f64::total_cmp).1
}
