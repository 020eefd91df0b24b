//! Whether a creative can be used, and why not.
//!
//! The reasons are the failure kinds of Reliable_AD (Du et al., "Towards Reliable Advertising Image Generation Using Human
//! Feedback", ECCV 2024), which people found in generated advertisements: space, size, indistinctness and shape; and two
//! of pictures that are put together: a product that has itself changed, and a visible seam. That paper trains a network on people's
//! verdicts; these are limits on measures, with what each cannot see written beside it.

use super::{Measures, Parts};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Why a creative cannot be used.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The product's own pixels, colours or marks have changed.
    Changed,
    /// It is cut off by the canvas, or nothing carries it (the latter only where that is asked for).
    Space,
    /// It is too small or too large on the canvas. Whether it is too large for the *scene* is not seen.
    Size,
    /// It does not stand out from what is around it.
    Indistinct,
    /// It goes on beyond its outline, or lost some of its shape.
    Shape,
    /// A fringe around it shows that it was cut out.
    Seam,
}

/// The verdict on a creative.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Verdict {
    /// No reason speaks against it.
    pub available: bool,
    /// The reasons, each with the measure and its limit in words.
    pub reasons: Vec<Fault>,
}

/// One reason, and what it rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Fault {
    /// The kind.
    pub reason: Reason,
    /// The measure and its limit, in words.
    pub because: String,
}

/// From where on a measure speaks against a creative.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Least structure, colour and marks (parts of the score).
    pub least_kept: f64,
    /// Least share of the product on the canvas.
    pub least_visible: f64,
    /// Least contact shadow; absent: a product may hang, float or lie on its back.
    pub least_contact: Option<f64>,
    /// Least share of the canvas that the product's box covers.
    pub least_canvas_share: f64,
    /// Largest share.
    pub most_canvas_share: f64,
    /// Largest share of the outline without a visible edge.
    pub most_lost_edge: f64,
    /// Largest continuation beyond the outline, over the product's area.
    pub most_continuation: f64,
    /// Largest outgrowth plus erosion by the segmenter, over the product's area.
    pub most_misshapen: f64,
    /// Largest fringe just outside the outline, in CIELAB.
    pub most_halo: f64,
}

impl Verdict {
    /// The kinds of its reasons, each once.
    pub fn kinds(&self) -> BTreeSet<Reason> {
        self.reasons.iter().map(|fault| fault.reason).collect()
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            least_kept: 0.9,
            least_visible: 0.98,
            least_contact: None,
            least_canvas_share: 0.03,
            most_canvas_share: 0.9,
            most_lost_edge: 0.6,
            most_continuation: 0.06,
            most_misshapen: 0.5,
            most_halo: 10.0,
        }
    }
}

impl Limits {
    pub(super) fn judge(&self, measures: &Measures, parts: &Parts) -> Verdict {
        let mut reasons = Vec::new();
        let mut add = |reason, because| reasons.push(Fault { reason, because });
        for (name, part) in
            [("structure", Some(parts.structure)), ("colour", Some(parts.colour)), ("marks", parts.marks)]
        {
            if let Some(part) = part.filter(|part| *part < self.least_kept) {
                add(Reason::Changed, format!("{name} is kept to {part:.2}, less than {}", self.least_kept));
            }
        }
        if measures.visible_share < self.least_visible {
            let share = measures.visible_share;
            add(
                Reason::Space,
                format!("{share:.2} of the product is on the canvas, less than {}", self.least_visible),
            );
        }
        if let Some((found, least)) =
            measures.contact_shadow.zip(self.least_contact).filter(|(f, least)| f < least)
        {
            add(
                Reason::Space,
                format!("the ground under the foot is {found:.2} darker than beside it, less than {least}"),
            );
        }
        let share = measures.canvas_share;
        if share < self.least_canvas_share {
            add(
                Reason::Size,
                format!("its box covers {share:.3} of the canvas, less than {}", self.least_canvas_share),
            );
        }
        if share > self.most_canvas_share {
            add(
                Reason::Size,
                format!("its box covers {share:.2} of the canvas, more than {}", self.most_canvas_share),
            );
        }
        if let Some(lost) = measures.lost_edge_share.filter(|lost| *lost > self.most_lost_edge) {
            add(
                Reason::Indistinct,
                format!("{lost:.2} of the outline shows no edge, more than {}", self.most_lost_edge),
            );
        }
        if let Some(area) = measures.continuation.filter(|area| *area > self.most_continuation) {
            let most = self.most_continuation;
            add(
                Reason::Shape,
                format!("its colour goes on beyond the outline over {area:.2} of its area, more than {most}"),
            );
        }
        let shape = measures.segmented.map(|s| s.outgrowth + s.erosion);
        if let Some(area) = shape.filter(|area| *area > self.most_misshapen) {
            let most = self.most_misshapen;
            add(
                Reason::Shape,
                format!("a segmenter sees {area:.2} of its area too much or too little, more than {most}"),
            );
        }
        if let Some(halo) = measures.halo.filter(|halo| *halo > self.most_halo) {
            let most = self.most_halo;
            add(
                Reason::Seam,
                format!("a fringe of Delta-E {halo:.1} runs along its outline, more than {most}"),
            );
        }
        Verdict { available: reasons.is_empty(), reasons }
    }
}
