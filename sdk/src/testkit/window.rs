//! The worst NxN window of an image, by sums that cost the same for every N.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A part of an image in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Region {
    /// Left edge.
    pub x: u32,
    /// Top edge.
    pub y: u32,
    /// Width.
    pub width: u32,
    /// Height.
    pub height: u32,
}

impl Region {
    /// Number of pixels.
    pub fn area(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }
}

impl std::fmt::Display for Region {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}x{} window at x {}, y {}", self.width, self.height, self.x, self.y)
    }
}

/// Sums of `C` values over every rectangle that starts at the top left corner.
pub struct Sums<const C: usize> {
    width: usize,
    height: usize,
    sums: Vec<[f64; C]>,
}

impl<const C: usize> Sums<C> {
    /// Sums a plane of `width` x `height` values, rows from the top.
    pub fn new(width: usize, height: usize, value: impl Fn(usize) -> [f64; C]) -> Self {
        let stride = width + 1;
        let mut sums = vec![[0.0; C]; stride * (height + 1)];
        for y in 0..height {
            let mut row = [0.0; C];
            for x in 0..width {
                let values = value(y * width + x);
                for c in 0..C {
                    row[c] += values[c];
                    sums[(y + 1) * stride + x + 1][c] = sums[y * stride + x + 1][c] + row[c];
                }
            }
        }
        Self { width, height, sums }
    }

    fn over(&self, region: Region) -> [f64; C] {
        let at = |x: u32, y: u32| &self.sums[y as usize * (self.width + 1) + x as usize];
        let (right, below) = (region.x + region.width, region.y + region.height);
        let (a, b) = (at(region.x, region.y), at(right, below));
        let (c, d) = (at(right, region.y), at(region.x, below));
        std::array::from_fn(|i| b[i] - c[i] - d[i] + a[i])
    }

    /// The window of `side` (the image's side where that is smaller) whose sums `badness` rates highest; the first of
    /// equals, by rows.
    pub fn worst(&self, side: u32, badness: impl Fn([f64; C], u64) -> f64) -> (Region, f64) {
        let (width, height) = (self.width as u32, self.height as u32);
        let window = Region { x: 0, y: 0, width: side.min(width), height: side.min(height) };
        let mut worst = (window, f64::MIN);
        for y in 0..=height - window.height {
            for x in 0..=width - window.width {
                let here = Region { x, y, ..window };
                let value = badness(self.over(here), here.area());
                if value > worst.1 {
                    worst = (here, value);
                }
            }
        }
        worst
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_window_is_found_wherever_it_is() {
        for (x, y) in [(0, 0), (5, 3), (8, 6)] {
            let sums = Sums::new(9, 7, |at| [f64::from(u8::from(at == y * 9 + x))]);
            let (region, value) = sums.worst(3, |[sum], area| sum / area as f64);
            assert_eq!(value, 1.0 / 9.0);
            let inside = |at: usize, from: u32, length: u32| (from..from + length).contains(&(at as u32));
            assert!(inside(x, region.x, region.width) && inside(y, region.y, region.height), "{region}");
        }
        let tiny = Sums::new(2, 1, |_| [1.0]);
        assert_eq!(tiny.worst(8, |[sum], _| sum).0, Region { x: 0, y: 0, width: 2, height: 1 });
    }
}
