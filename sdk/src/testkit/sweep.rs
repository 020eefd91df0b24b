//! The tolerances that would have passed.

use super::compare::Differences;
use super::tolerance::Tolerance;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Pixel tolerances of the table.
const PIXELS: [f64; 7] = [0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8];

/// What other tolerances would have said of a comparison that failed; empty for one that passed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Sweep {
    /// Steps of the pixel tolerance.
    pub steps: Vec<SweepStep>,
    /// Smallest `pixel` at which the rule `window_share` passes, all else being equal.
    pub pixel: Option<f64>,
    /// Smallest `window_share` at which it passes.
    pub window_share: Option<f64>,
    /// Smallest `window_shift` at which the rule `window_shift` passes.
    pub window_shift: Option<f64>,
}

/// One tolerance of the table.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SweepStep {
    /// The pixel tolerance.
    pub pixel: f64,
    /// Most pixels of a window that differ by more.
    pub differing: u64,
    /// Whether so many may.
    pub passes: bool,
}

impl Sweep {
    pub(super) fn of(found: &Differences, tolerance: &Tolerance) -> Self {
        let side = tolerance.window;
        let step = |pixel| {
            let (region, differing) = found.densest(pixel, side);
            SweepStep { pixel, differing, passes: differing <= tolerance.allowed(region.area()) }
        };
        let (region, differing) = found.densest(tolerance.pixel, side);
        let shift_passes = |limit| found.most_shifted(limit, side).1 <= limit;
        let dense = differing > tolerance.allowed(region.area());
        Self {
            steps: PIXELS.map(step).to_vec(),
            pixel: dense.then(|| smallest(tolerance.pixel, |pixel| step(pixel).passes)),
            window_share: dense.then(|| differing as f64 / region.area() as f64),
            window_shift: (!shift_passes(tolerance.window_shift))
                .then(|| smallest(tolerance.window_shift, shift_passes)),
        }
    }
}

/// The smallest limit that passes, to the fourth digit, rounded up. Both rules only relax as their limit grows, and a limit
/// of 2 is more than any two colours differ.
fn smallest(failing: f64, passes: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (failing, 2.0);
    while high - low > 5e-5 {
        let middle = f64::midpoint(low, high);
        if passes(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    (high * 1e4).ceil() / 1e4
}

impl std::fmt::Display for Sweep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.steps.is_empty() {
            return Ok(());
        }
        writeln!(f, "  threshold sweep: most pixels of a window that differ, by `pixel`")?;
        write!(f, "   ")?;
        for step in &self.steps {
            write!(f, " {}:{}{}", step.pixel, step.differing, if step.passes { " passes" } else { "" })?;
        }
        let mut mends = Vec::new();
        if let (Some(pixel), Some(share)) = (self.pixel, self.window_share) {
            mends.push(format!("(pixel = {pixel} or window_share = {share})"));
        }
        mends.extend(self.window_shift.map(|shift| format!("window_shift = {shift}")));
        writeln!(f, "\n  would have passed with {}", mends.join(" and "))
    }
}
