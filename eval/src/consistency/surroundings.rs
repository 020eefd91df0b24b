//! The creative around a placed product, and profiles across its outline.

use super::colour::lab_of;
use super::place::{covering, span};
use adeval_sdk::outline::squared_distances;
use image::{RgbImage, RgbaImage};

/// The alpha from which a pixel is the product.
pub(super) const INSIDE: u8 = 128;
/// How far outside of the outline is looked, in pixels.
pub(super) const REACH: usize = 24;
/// Pixels around the product's box that a profile can touch.
const MARGIN: u32 = REACH as u32 + 4;
/// The first step outside: nearer pixels are mixed by antialiasing.
pub(super) const FIRST: usize = 2;
/// How far inside the product's colour is taken, in pixels.
const DEPTH: f64 = 3.0;
/// Profiles that are taken at most; more of them change nothing but the time.
const MOST: usize = 1500;

/// The canvas within reach of the product.
pub(super) struct Surroundings {
    width: usize,
    /// CIELAB where a profile can reach, which is within 28 pixels of the outline.
    lab: Vec<[f64; 3]>,
    inside: Vec<bool>,
    /// Distance from the outline in pixels: positive outside, negative inside.
    signed: Vec<f64>,
    /// The product's pixels on the canvas and off it.
    pub whole_area: usize,
}

/// What lies across the outline at one of its pixels, in CIELAB.
pub(super) struct Profile {
    /// Three pixels inside, a mean of 3 x 3 pixels.
    pub inside: [f64; 3],
    /// From 2 to 24 pixels outside, as far as the canvas and the shape allow; means of 3 pixels along the outline, so that
    /// an edge stays as sharp as it is.
    pub outside: Vec<[f64; 3]>,
}

impl Surroundings {
    pub fn cut(creative: &RgbImage, product: &RgbaImage, left: i32, top: i32) -> Self {
        let (x0, width) = span(left, product.width(), creative.width(), MARGIN);
        let (y0, height) = span(top, product.height(), creative.height(), MARGIN);
        let places = || (y0..y0 + height).flat_map(|y| (x0..x0 + width).map(move |x| (x, y)));
        let covered = |(x, y)| covering(product, (left, top), x, y).is_some_and(|p| p.0[3] >= INSIDE);
        let inside: Vec<bool> = places().map(covered).collect();
        let width = width as usize;
        let outside: Vec<bool> = inside.iter().map(|inside| !inside).collect();
        let out = squared_distances(&inside, width.max(1));
        let within = squared_distances(&outside, width.max(1));
        let signed: Vec<f64> =
            out.iter().zip(within).map(|(out, within)| out.sqrt() - within.sqrt()).collect();
        let lab = |((x, y), distance): ((u32, u32), &f64)| {
            let reached = (-DEPTH - 3.0..=f64::from(MARGIN)).contains(distance);
            if reached { lab_of(creative.get_pixel(x, y).0) } else { [0.0; 3] }
        };
        let lab = places().zip(&signed).map(lab).collect();
        let whole_area = product.pixels().filter(|p| p.0[3] >= INSIDE).count();
        Self { width, lab, inside, signed, whole_area }
    }

    /// The product's pixels on the canvas.
    pub fn area(&self) -> usize {
        self.inside.iter().filter(|inside| **inside).count()
    }

    /// Pixels of the outline: inside, with a neighbour outside. The canvas' border is no outline.
    pub fn outline(&self) -> Vec<(usize, usize)> {
        let height = self.height();
        let outside = |x: usize, y: usize| !self.inside[y * self.width + x];
        let edge = |x: usize, y: usize| {
            (x > 0 && outside(x - 1, y))
                || (x + 1 < self.width && outside(x + 1, y))
                || (y > 0 && outside(x, y - 1))
                || (y + 1 < height && outside(x, y + 1))
        };
        let all = (0..height).flat_map(|y| (0..self.width).map(move |x| (x, y)));
        all.filter(|(x, y)| !outside(*x, *y) && edge(*x, *y)).collect()
    }

    /// Profiles along the outline, at most 1500, evenly spread. Places where the product is thinner than the depth, or that
    /// another part of it faces nearer than 8 pixels, have none.
    pub fn profiles(&self, outline: &[(usize, usize)]) -> Vec<Profile> {
        let step = outline.len().div_ceil(MOST).max(1);
        outline.iter().step_by(step).filter_map(|(x, y)| self.profile(*x as f64, *y as f64)).collect()
    }

    fn profile(&self, x: f64, y: f64) -> Option<Profile> {
        let (nx, ny) = self.normal(x, y)?;
        let at = |t: f64| (x + t * nx, y + t * ny);
        let (inside_x, inside_y) = at(-DEPTH);
        if self.signed_at(inside_x, inside_y)? > -DEPTH / 2.0 {
            return None;
        }
        let inside = self.colour(inside_x, inside_y)?;
        let mut outside = Vec::new();
        for step in FIRST..=REACH {
            let (px, py) = at(step as f64);
            // In a concave corner the walk comes near another part of the product again.
            let Some(distance) = self.signed_at(px, py).filter(|d| *d > 0.7 * step as f64 - 0.5) else {
                break;
            };
            let Some(colour) = self.colour_along(px, py, (-ny, nx)).filter(|_| distance > 0.0) else { break };
            outside.push(colour);
        }
        (outside.len() >= 8).then_some(Profile { inside, outside })
    }

    fn height(&self) -> usize {
        self.inside.len() / self.width.max(1)
    }

    fn index(&self, x: f64, y: f64) -> Option<(usize, usize)> {
        let (x, y) = (x.round(), y.round());
        let within = x >= 0.0 && y >= 0.0 && (x as usize) < self.width && (y as usize) < self.height();
        within.then_some((x as usize, y as usize))
    }

    fn signed_at(&self, x: f64, y: f64) -> Option<f64> {
        self.index(x, y).map(|(x, y)| self.signed[y * self.width + x])
    }

    /// The outward normal, by central differences of the signed distance over two pixels.
    fn normal(&self, x: f64, y: f64) -> Option<(f64, f64)> {
        let along_x = self.signed_at(x + 2.0, y)? - self.signed_at(x - 2.0, y)?;
        let along_y = self.signed_at(x, y + 2.0)? - self.signed_at(x, y - 2.0)?;
        let length = along_x.hypot(along_y);
        (length > 0.5 && length.is_finite()).then_some((along_x / length, along_y / length))
    }

    /// Mean of 3 pixels in a direction.
    fn colour_along(&self, x: f64, y: f64, (dx, dy): (f64, f64)) -> Option<[f64; 3]> {
        let mut sum = [0.0; 3];
        for step in [-1.0, 0.0, 1.0] {
            let (x, y) = self.index(x + step * dx, y + step * dy)?;
            let pixel = self.lab[y * self.width + x];
            sum.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += value / 3.0);
        }
        Some(sum)
    }

    /// Mean of 3 x 3 pixels.
    fn colour(&self, x: f64, y: f64) -> Option<[f64; 3]> {
        let (x, y) = self.index(x, y)?;
        if x == 0 || y == 0 || x + 1 >= self.width || y + 1 >= self.height() {
            return None;
        }
        let mut sum = [0.0; 3];
        for row in y - 1..=y + 1 {
            for pixel in &self.lab[row * self.width + x - 1..=row * self.width + x + 1] {
                sum.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += value / 9.0);
            }
        }
        Some(sum)
    }
}
