//! The comparison of two images: which rule failed, where, by how much, and what would have passed.

use super::antialias::Antialiasing;
use super::oklab::{self, Oklab, hyab};
use super::sweep::Sweep;
use super::tolerance::Tolerance;
use super::window::{Region, Sums};
use image::RgbImage;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A colour change counts for the mean of its window up to this many times the window's limit, so that a few loud pixels,
/// which are the pixel rule's to judge, do not pass for a change of the whole window.
const CLIP: f64 = 10.0;

/// A rule that failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "rule", rename_all = "kebab-case")]
pub enum Violation {
    /// The images are of different sizes; nothing else was compared.
    Size {
        /// Width and height of the snapshot.
        old: [u32; 2],
        /// Width and height of the new image.
        new: [u32; 2],
    },
    /// Too many pixels of a window differ: something is broken, missing or elsewhere.
    WindowShare {
        /// The worst window.
        region: Region,
        /// Its pixels that differ.
        differing: u64,
        /// How many may.
        allowed: u64,
    },
    /// The mean colour of a window changed: a tint, a lost shadow, another exposure.
    WindowShift {
        /// The worst window.
        region: Region,
        /// HyAB length of the change.
        shift: f64,
        /// What is allowed.
        allowed: f64,
    },
}

impl Violation {
    /// Where it is, when it is somewhere.
    pub fn region(&self) -> Option<Region> {
        match self {
            Self::Size { .. } => None,
            Self::WindowShare { region, .. } | Self::WindowShift { region, .. } => Some(*region),
        }
    }
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Size { old: [ow, oh], new: [nw, nh] } => {
                write!(f, "size: {nw}x{nh} pixels, the snapshot has {ow}x{oh}")
            }
            Self::WindowShare { region, differing, allowed } => {
                let area = region.area();
                write!(f, "window_share: {differing} of {area} pixels differ ({allowed} may) in the {region}")
            }
            Self::WindowShift { region, shift, allowed } => {
                write!(
                    f,
                    "window_shift: the mean colour changed by {shift:.4} ({allowed} may) in the {region}"
                )
            }
        }
    }
}

/// What a comparison found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Comparison {
    /// The limits.
    pub tolerance: Tolerance,
    /// Rules that failed; none when the images are alike.
    pub violations: Vec<Violation>,
    /// Largest HyAB distance of two pixels.
    pub largest: f64,
    /// Mean HyAB distance.
    pub mean: f64,
    /// Pixels that differ, antialiasing left out.
    pub differing: u64,
    /// Pixels that differ by antialiasing.
    pub excused: u64,
    /// Most pixels that differ in a window, and mean change of the worst window, for a row of tolerances.
    pub sweep: Sweep,
}

impl Comparison {
    /// Whether no rule failed.
    pub fn passed(&self) -> bool {
        self.violations.is_empty()
    }

    /// The part of the image to look at first.
    pub fn region(&self) -> Option<Region> {
        self.violations.iter().find_map(Violation::region)
    }
}

impl std::fmt::Display for Comparison {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for violation in &self.violations {
            writeln!(f, "  {violation}")?;
        }
        if matches!(self.violations.first(), Some(Violation::Size { .. })) {
            return Ok(());
        }
        writeln!(
            f,
            "  {} pixels differ, {} more by antialiasing; largest distance {:.4}, mean {:.6}",
            self.differing, self.excused, self.largest, self.mean
        )?;
        if self.passed() { Ok(()) } else { write!(f, "{}", self.sweep) }
    }
}

/// Compares an image with its snapshot.
///
/// Two rules look at every NxN window: no more than a share of its pixels may differ by more than `pixel` (antialiased
/// edges that stayed where they were are excused), and its mean colour may not change. The first sees what is broken or
/// moved however small, the second what is too faint for any one pixel: a tint, a missing shadow.
pub fn compare(old: &RgbImage, new: &RgbImage, tolerance: &Tolerance) -> Comparison {
    if old.dimensions() != new.dimensions() {
        let (old, new) = (<[u32; 2]>::from(old.dimensions()), <[u32; 2]>::from(new.dimensions()));
        let mut comparison = Comparison::equal(tolerance);
        comparison.violations.push(Violation::Size { old, new });
        return comparison;
    }
    if old.as_raw() == new.as_raw() || old.is_empty() {
        return Comparison::equal(tolerance);
    }
    Differences::between(old, new, tolerance).judge(tolerance)
}

impl Comparison {
    fn equal(tolerance: &Tolerance) -> Self {
        Self {
            tolerance: *tolerance,
            violations: Vec::new(),
            largest: 0.0,
            mean: 0.0,
            differing: 0,
            excused: 0,
            sweep: Sweep::default(),
        }
    }
}

/// HyAB length of a mean, from the sum over an area.
fn mean_length(sum: [f64; 3], area: u64) -> f64 {
    hyab(sum.map(|s| (s / area as f64) as f32)).into()
}

/// The pixels' differences, independent of the limits on them.
pub(super) struct Differences {
    width: usize,
    height: usize,
    /// HyAB distance of each pixel.
    distance: Vec<f32>,
    /// Change of each pixel's colour.
    change: Vec<Oklab>,
    /// Whether antialiasing excuses it.
    excused: Vec<bool>,
}

impl Differences {
    fn between(old: &RgbImage, new: &RgbImage, tolerance: &Tolerance) -> Self {
        let (width, height) = (old.width() as usize, old.height() as usize);
        let (before, after) = (oklab::plane(old), oklab::plane(new));
        let change: Vec<Oklab> = before.iter().zip(&after).map(|(a, b)| oklab::difference(*a, *b)).collect();
        let distance: Vec<f32> = change.iter().map(|c| hyab(*c)).collect();
        let mut excused = vec![false; distance.len()];
        if tolerance.edge_shift > 0.0 {
            let differs: Vec<bool> = distance.iter().map(|d| *d > 0.0).collect();
            let edges = Antialiasing::between(old, new, &differs);
            for (at, excuse) in excused.iter_mut().enumerate() {
                let moved = edges.displacement(at % width, at / width);
                *excuse = moved.is_some_and(|pixels| f64::from(pixels) <= tolerance.edge_shift);
            }
        }
        Self { width, height, distance, change, excused }
    }

    fn differs(&self, at: usize, pixel: f64) -> bool {
        f64::from(self.distance[at]) > pixel && !self.excused[at]
    }

    /// The window in which most pixels differ by more than `pixel`, and how many.
    pub(super) fn densest(&self, pixel: f64, side: u32) -> (Region, u64) {
        let count = |at| [f64::from(u8::from(self.differs(at, pixel)))];
        let (region, most) = Sums::new(self.width, self.height, count).worst(side, |[sum], _| sum);
        (region, most.round() as u64)
    }

    /// The window whose mean colour changed most, and by what length.
    pub(super) fn most_shifted(&self, limit: f64, side: u32) -> (Region, f64) {
        let clip = (CLIP * limit) as f32;
        let change = |at: usize| {
            if self.excused[at] {
                return [0.0; 3];
            }
            let scale = if self.distance[at] > clip { clip / self.distance[at] } else { 1.0 };
            self.change[at].map(|c| f64::from(c * scale))
        };
        Sums::new(self.width, self.height, change).worst(side, mean_length)
    }

    /// HyAB length of the mean change of a window, whole: what a reader is told.
    fn shift_of(&self, region: Region) -> f64 {
        let row =
            |y: u32| (region.x..region.x + region.width).map(move |x| y as usize * self.width + x as usize);
        let inside = (region.y..region.y + region.height).flat_map(row).filter(|at| !self.excused[*at]);
        let mut sum = [0.0; 3];
        inside.for_each(|at| sum.iter_mut().zip(self.change[at]).for_each(|(sum, c)| *sum += f64::from(c)));
        mean_length(sum, region.area())
    }

    fn judge(&self, tolerance: &Tolerance) -> Comparison {
        let mut violations = Vec::new();
        let (region, differing) = self.densest(tolerance.pixel, tolerance.window);
        let allowed = tolerance.allowed(region.area());
        if differing > allowed {
            violations.push(Violation::WindowShare { region, differing, allowed });
        }
        let (region, shift) = self.most_shifted(tolerance.window_shift, tolerance.window);
        if shift > tolerance.window_shift {
            let (shift, allowed) = (self.shift_of(region), tolerance.window_shift);
            violations.push(Violation::WindowShift { region, shift, allowed });
        }
        let count = self.distance.len() as f64;
        let over = |at: &usize| f64::from(self.distance[*at]) > tolerance.pixel;
        let differing = (0..self.distance.len()).filter(|at| self.differs(*at, tolerance.pixel)).count();
        let excused = (0..self.distance.len()).filter(|at| self.excused[*at] && over(at)).count();
        let sweep = if violations.is_empty() { Sweep::default() } else { Sweep::of(self, tolerance) };
        Comparison {
            tolerance: *tolerance,
            violations,
            largest: self.distance.iter().copied().fold(0.0, f32::max).into(),
            mean: self.distance.iter().map(|d| f64::from(*d)).sum::<f64>() / count,
            differing: differing as u64,
            excused: excused as u64,
            sweep,
        }
    }
}
