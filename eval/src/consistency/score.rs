//! One score from the parts.

use super::Measures;
use serde::{Deserialize, Serialize};

/// The parts of the score, each in [0, 1], 1 being best. A part that could not be measured is absent, and its weight goes
/// to the others.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Parts {
    /// Contrast and structure of the product's own pixels.
    pub structure: f64,
    /// Their colour: 1 up to a just noticeable difference (Delta-E 2.3), 0 at Delta-E 25.
    pub colour: f64,
    /// Text, logos and fine patterns; absent on a product without any.
    pub marks: Option<f64>,
    /// Whether it lies where it was declared: 0 at a displacement of a tenth of its longer side.
    pub position: f64,
    /// The share of it that is on the canvas.
    pub visible: f64,
    /// Whether its colour goes on beyond the outline: 0 where that is 30% of its area.
    pub outline: Option<f64>,
    /// Whether a segmenter sees another shape; 0 where what is too much and too little is half of its area.
    pub segmented: Option<f64>,
    /// Whether there is a fringe: 1 up to Delta-E 2.3, 0 at Delta-E 25.
    pub seam: Option<f64>,
    /// Whether it stands out: 1 up to a tenth of the outline without a visible edge, 0 at nine tenths.
    pub distinct: Option<f64>,
}

/// The weights of the parts: the product itself 0.55, its outline 0.30, its place 0.15. Chosen, not learnt.
pub const WEIGHTS: [(&str, f64); 9] = [
    ("structure", 0.20),
    ("colour", 0.20),
    ("marks", 0.15),
    ("position", 0.05),
    ("visible", 0.10),
    ("outline", 0.10),
    ("segmented", 0.10),
    ("seam", 0.05),
    ("distinct", 0.05),
];

/// A just noticeable difference, and a difference from which a colour is another one.
const COLOURS: (f64, f64) = (2.3, 25.0);
/// Continuation from which the outline is lost.
const GROWN: f64 = 0.3;
/// What a segmenter may take too much or too little at worst.
const MISSHAPEN: f64 = 0.5;
/// The share of the longer side by which a product may be displaced at worst.
const DISPLACED: f64 = 0.10;
/// Shares of the outline without a visible edge: no fault, and a product that cannot be seen.
const LOST: (f64, f64) = (0.1, 0.9);

/// What a lost part counts for.
const LEAST: f64 = 0.01;

impl Parts {
    /// The parts of what was measured of a product whose longer side is so many pixels.
    pub(super) fn of(measures: &Measures, longer: u32) -> Self {
        let Measures { pixels, segmented, .. } = measures;
        let shift = f64::from(measures.right).hypot(f64::from(measures.down));
        Self {
            structure: measures.structure.max(0.0),
            colour: pixels.colour_kept,
            marks: measures.marks_kept,
            position: falling(shift, (0.0, DISPLACED * f64::from(longer))),
            visible: measures.visible_share,
            outline: measures.continuation.map(|area| falling(area, (0.0, GROWN))),
            segmented: segmented.map(|s| falling(s.outgrowth + s.erosion, (0.0, MISSHAPEN))),
            seam: measures.halo.map(|halo| falling(halo, COLOURS)),
            distinct: measures.lost_edge_share.map(|share| falling(share, LOST)),
        }
    }

    /// The parts in the order of [`WEIGHTS`].
    const fn values(&self) -> [Option<f64>; WEIGHTS.len()] {
        [
            Some(self.structure),
            Some(self.colour),
            self.marks,
            Some(self.position),
            Some(self.visible),
            self.outline,
            self.segmented,
            self.seam,
            self.distinct,
        ]
    }

    /// The parts that were measured, with their names.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, f64)> {
        WEIGHTS.into_iter().zip(self.values()).filter_map(|((name, _), part)| Some((name, part?)))
    }

    /// Their weighted geometric mean: no part makes up for another. Each counts for at least 0.01, so that one that is lost
    /// does not hide the others.
    pub fn score(&self) -> f64 {
        let present = || self.values().into_iter().zip(WEIGHTS).filter_map(|(part, (_, w))| Some((part?, w)));
        let total: f64 = present().map(|(_, weight)| weight).sum();
        present().map(|(part, weight)| part.clamp(LEAST, 1.0).powf(weight / total)).product()
    }
}

/// 1 up to the first bound, 0 from the second on, straight between.
fn falling(value: f64, (good, bad): (f64, f64)) -> f64 {
    1.0 - ((value - good) / (bad - good)).clamp(0.0, 1.0)
}
