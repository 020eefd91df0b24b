//! Which differences are antialiasing: edges that were drawn with another coverage, not things that moved.
//!
//! The detector is of Vysniauskas (2009), as image comparers use it: a pixel on a ramp between a darker and a brighter
//! neighbour, one of which lies in a flat area in both images. Alone it also excuses an edge that moved by a whole pixel.
//! So the swept area is measured too: the coverage that an edge gained or lost around a pixel, over the edge's length,
//! is how far it moved, and an edge that moved farther than the tolerance is not excused.

use image::RgbImage;

/// Levels by which the pixels of a flat area may differ.
const FLAT_LEVELS: u8 = 2;
/// Luma by which a neighbour counts as equal to the pixel.
const EQUAL_LUMA: f32 = 1.0;
/// Luma between the darkest and the brightest neighbour below which there is no edge.
const LEAST_CONTRAST: f32 = 8.0;

/// What the detector found.
pub struct Antialiasing {
    width: usize,
    /// Share of the edge's contrast that the pixel gained (or lost), in [-1, 1]; 0 where there is no antialiasing.
    coverage: Vec<f32>,
}

impl Antialiasing {
    /// Looks at the pixels that differ. The images are of one size.
    pub fn between(old: &RgbImage, new: &RgbImage, differs: &[bool]) -> Self {
        let (width, height) = (old.width() as usize, old.height() as usize);
        let grids = [Grid::new(old), Grid::new(new)];
        let mut coverage = vec![0.0; width * height];
        for (at, value) in coverage.iter_mut().enumerate().filter(|(at, _)| differs[*at]) {
            let (x, y) = (at % width, at / width);
            if grids[0].on_ramp(&grids[1], x, y) || grids[1].on_ramp(&grids[0], x, y) {
                *value = gained(&grids, x, y);
            }
        }
        Self { width, coverage }
    }

    /// How far the edge at a pixel moved, in pixels; `None` where there is no antialiased edge.
    ///
    /// A straight edge crosses three rows (or columns) of the 3x3 pixels around; gains and losses are summed apart, so
    /// that the two sides of a moved stroke do not cancel.
    pub fn displacement(&self, x: usize, y: usize) -> Option<f32> {
        let height = self.coverage.len() / self.width;
        if self.coverage[y * self.width + x] == 0.0 {
            return None;
        }
        let (mut gain, mut loss) = (0.0_f32, 0.0_f32);
        for y in y.saturating_sub(1)..=(y + 1).min(height - 1) {
            for x in x.saturating_sub(1)..=(x + 1).min(self.width - 1) {
                let value = self.coverage[y * self.width + x];
                gain += value.max(0.0);
                loss -= value.min(0.0);
            }
        }
        Some(gain.max(loss) / 3.0)
    }
}

/// Change of a pixel's luma as a share of the contrast around it in both images.
fn gained(grids: &[Grid<'_>; 2], x: usize, y: usize) -> f32 {
    let (mut low, mut high) = (f32::MAX, f32::MIN);
    for grid in grids {
        for (x, y) in grid.around(x, y).chain([(x, y)]) {
            let luma = grid.luma(x, y);
            low = low.min(luma);
            high = high.max(luma);
        }
    }
    if high - low < LEAST_CONTRAST {
        return 0.0;
    }
    (grids[1].luma(x, y) - grids[0].luma(x, y)) / (high - low)
}

struct Grid<'a> {
    width: usize,
    height: usize,
    pixels: &'a [u8],
}

impl<'a> Grid<'a> {
    fn new(image: &'a RgbImage) -> Self {
        Self { width: image.width() as usize, height: image.height() as usize, pixels: image.as_raw() }
    }

    fn pixel(&self, x: usize, y: usize) -> [u8; 3] {
        let at = 3 * (y * self.width + x);
        [self.pixels[at], self.pixels[at + 1], self.pixels[at + 2]]
    }

    /// Luma of the encoded levels (Rec. 601), 0 to 255: cheap, and rises wherever an edge rises.
    fn luma(&self, x: usize, y: usize) -> f32 {
        let [r, g, b] = self.pixel(x, y).map(f32::from);
        0.299 * r + 0.587 * g + 0.114 * b
    }

    fn on_border(&self, x: usize, y: usize) -> bool {
        x == 0 || y == 0 || x + 1 == self.width || y + 1 == self.height
    }

    /// The up to eight neighbours of a pixel.
    fn around(&self, x: usize, y: usize) -> impl Iterator<Item = (usize, usize)> + use<> {
        let (right, below) = ((x + 1).min(self.width - 1), (y + 1).min(self.height - 1));
        let rows = y.saturating_sub(1)..=below;
        let left = x.saturating_sub(1);
        rows.flat_map(move |ny| (left..=right).map(move |nx| (nx, ny))).filter(move |&n| n != (x, y))
    }

    /// Between a darker and a brighter neighbour, one of which lies in a flat area here and in `other`.
    fn on_ramp(&self, other: &Self, x: usize, y: usize) -> bool {
        let here = self.luma(x, y);
        let mut equal = usize::from(self.on_border(x, y));
        let (mut darkest, mut brightest) = ((-EQUAL_LUMA, None), (EQUAL_LUMA, None));
        for (nx, ny) in self.around(x, y) {
            let step = self.luma(nx, ny) - here;
            if step.abs() <= EQUAL_LUMA {
                equal += 1;
            } else if step < darkest.0 {
                darkest = (step, Some((nx, ny)));
            } else if step > brightest.0 {
                brightest = (step, Some((nx, ny)));
            }
        }
        // A vertical ramp has one equal pixel above and one below; an area has more.
        let (Some(dark), Some(bright)) = (darkest.1, brightest.1) else { return false };
        let flat = |(x, y)| self.is_flat(x, y) && other.is_flat(x, y);
        equal <= 2 && (flat(dark) || flat(bright))
    }

    /// At least three neighbours of the same colour.
    fn is_flat(&self, x: usize, y: usize) -> bool {
        let colour = self.pixel(x, y);
        let alike = |&(x, y): &(usize, usize)| {
            self.pixel(x, y).iter().zip(colour).all(|(a, b)| a.abs_diff(b) <= FLAT_LEVELS)
        };
        self.around(x, y).filter(alike).count() + usize::from(self.on_border(x, y)) >= 3
    }
}
