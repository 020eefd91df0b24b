//! The outline of a placed product: where it touches the ground, and how much light it stops.

use crate::{Plane, blur};
use image::RgbaImage;

/// Standard deviation of a level of the pyramid, in pixels of that level (box, blur and interpolation together).
const LEVEL_SIGMA: f32 = 0.68;

/// A product's alpha at its place on the canvas, ready for shadows. All coordinates are pixels of the canvas.
#[derive(Debug, Clone)]
pub struct Silhouette {
    /// Left edge of the product's box.
    pub left: f32,
    /// Top edge of the product's box.
    pub top: f32,
    /// Width of the box.
    pub width: f32,
    /// Height of the box.
    pub height: f32,
    /// Size of the canvas.
    pub canvas: (usize, usize),
    /// Row on which the lowest point of the product stands.
    pub base: f32,
    /// Row of the ground below the product's middle: a little above `base`, as the footprint has a depth.
    pub anchor: f32,
    /// Rows between the nearest and the farthest point that touch the ground: how deep the footprint looks.
    pub depth: f32,
    /// First and last column that touch the ground.
    pub foot: (f32, f32),
    /// For each column of the box, the lowest visible row; negative infinity where the column is empty.
    pub bottom: Vec<f32>,
    /// For each column of the box, how much it touches the ground, 0 to 1.
    pub contact: Vec<f32>,
    levels: Vec<Plane>,
    pad: f32,
    step: f32,
}

impl Silhouette {
    /// The silhouette of `product` (straight alpha) whose top left corner lies at `position` on a canvas of
    /// `canvas` pixels. The product may reach over the edges.
    pub fn new(product: &RgbaImage, position: (i32, i32), canvas: (usize, usize)) -> Self {
        let (w, h) = (product.width() as usize, product.height() as usize);
        let bottom = lowest_rows(product, position.1 as f32);
        let base = bottom.iter().copied().fold(f32::NEG_INFINITY, f32::max).max(position.1 as f32 + 1.0);
        let contact = touching(&bottom, base, h as f32);
        let touches = |c: &f32| *c > 0.25;
        let first = contact.iter().position(touches).unwrap_or(0);
        let last = contact.iter().rposition(touches).unwrap_or(w.saturating_sub(1));
        let foot = (position.0 as f32 + first as f32, position.0 as f32 + last as f32 + 1.0);
        let feet = bottom.iter().zip(&contact).filter(|(b, c)| b.is_finite() && **c > 0.4);
        let depth = feet.map(|(b, _)| base - b).fold(0.0, f32::max);
        let anchor = base - (0.10 * (foot.1 - foot.0)).min(0.10 * h as f32).max(0.35 * depth);
        let (levels, pad, step) = pyramid(product);
        let (left, top) = (position.0 as f32, position.1 as f32);
        Self {
            left,
            top,
            width: w as f32,
            height: h as f32,
            canvas,
            base,
            anchor,
            depth,
            foot,
            bottom,
            contact,
            levels,
            pad,
            step,
        }
    }

    /// Coverage (0 to 1) at a position, blurred by a Gaussian of `sigma` pixels.
    pub fn coverage(&self, x: f32, y: f32, sigma: f32) -> f32 {
        // Most places lie outside the padded box.
        let (px, py) = (x - self.left + self.pad, y - self.top + self.pad);
        if px < 0.0 || py < 0.0 || px > self.width + 2.0 * self.pad || py > self.height + 2.0 * self.pad {
            return 0.0;
        }
        let level = (sigma / (LEVEL_SIGMA * self.step)).max(1.0).log2().min((self.levels.len() - 1) as f32);
        let (low, t) = (level as usize, level.fract());
        let a = self.level(low, x, y);
        if t < 0.01 || low + 1 >= self.levels.len() {
            return a;
        }
        a + (self.level(low + 1, x, y) - a) * t
    }

    fn level(&self, level: usize, x: f32, y: f32) -> f32 {
        let size = self.step * (1u32 << level) as f32;
        let px = (x - self.left + self.pad) / size - 0.5;
        let py = (y - self.top + self.pad) / size - 0.5;
        self.levels[level].sample(px, py)
    }

    /// The longer side of the box, a measure of the product's size.
    pub fn size(&self) -> f32 {
        self.width.max(self.height)
    }

    /// Middle of the columns that touch the ground.
    pub fn foot_center(&self) -> f32 {
        0.5 * (self.foot.0 + self.foot.1)
    }
}

fn lowest_rows(product: &RgbaImage, top: f32) -> Vec<f32> {
    let mut bottom = vec![f32::NEG_INFINITY; product.width() as usize];
    for (x, y, pixel) in product.enumerate_pixels() {
        if pixel.0[3] > 96 {
            bottom[x as usize] = top + y as f32 + 1.0;
        }
    }
    bottom
}

/// A column touches the ground where the lower outline has no lower neighbour, and lies not far above the base:
/// the feet of a chair do, its seat does not.
fn touching(bottom: &[f32], base: f32, height: f32) -> Vec<f32> {
    let reach = (bottom.len() / 14).max(1);
    let lowest = dilate(bottom, reach);
    let width = bottom.len() as f32;
    let slack = (0.012 * height).max(1.5);
    let weights = bottom.iter().zip(&lowest).map(|(&b, &low)| {
        if !b.is_finite() {
            return 0.0;
        }
        let hangs = ((low - b) / slack - 1.0).max(0.0) * 0.35;
        let high = ((base - b) / (0.5 * height).max(0.26 * width).max(1.0)).min(1.0);
        (1.0 - hangs).clamp(0.0, 1.0) * (1.0 - high * high)
    });
    weights.collect()
}

fn dilate(values: &[f32], reach: usize) -> Vec<f32> {
    let window = |i: usize| &values[i.saturating_sub(reach)..(i + reach + 1).min(values.len())];
    (0..values.len()).map(|i| window(i).iter().copied().fold(f32::NEG_INFINITY, f32::max)).collect()
}

/// Blurred and halved alpha planes, the padding around the first in canvas pixels, and its pixel size.
fn pyramid(product: &RgbaImage) -> (Vec<Plane>, f32, f32) {
    let (w, h) = (product.width() as usize, product.height() as usize);
    let mut alpha = Plane::filled(w, h, 0.0);
    for (to, pixel) in alpha.data.iter_mut().zip(product.pixels()) {
        *to = f32::from(pixel.0[3]) / 255.0;
    }
    let mut step = 1.0;
    while alpha.width.max(alpha.height) > 320 {
        alpha = alpha.halved();
        step *= 2.0;
    }
    let pad = alpha.width.max(alpha.height) / 3 + 2;
    let mut plane = Plane::filled(alpha.width + 2 * pad, alpha.height + 2 * pad, 0.0);
    for y in 0..alpha.height {
        let to = (y + pad) * plane.width + pad;
        plane.data[to..to + alpha.width].copy_from_slice(&alpha.data[y * alpha.width..(y + 1) * alpha.width]);
    }
    let mut levels = vec![plane];
    while levels.len() < 7 && levels[levels.len() - 1].width.min(levels[levels.len() - 1].height) > 6 {
        let mut next = levels[levels.len() - 1].clone();
        blur::gaussian(&mut next, 0.8);
        levels.push(next.halved());
    }
    (levels, pad as f32 * step, step)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgba;

    /// A table: a top with two legs.
    fn table() -> RgbaImage {
        RgbaImage::from_fn(100, 80, |x, y| {
            let leg = (5..12).contains(&x) || (88..95).contains(&x);
            Rgba([90, 60, 30, if y < 10 || leg { 255 } else { 0 }])
        })
    }

    #[test]
    fn legs_touch_the_ground_and_the_top_does_not() {
        let s = Silhouette::new(&table(), (10, 20), (200, 200));
        assert!(s.contact[8] > 0.9 && s.contact[90] > 0.9, "{:?}", &s.contact[..12]);
        assert!(s.contact[50] < 0.1, "{}", s.contact[50]);
        assert_eq!(s.base, 100.0);
    }

    #[test]
    fn coverage_blurs_with_sigma_and_is_placed_right() {
        let s = Silhouette::new(&table(), (10, 20), (200, 200));
        assert!(s.coverage(60.0, 25.0, 0.5) > 0.95);
        assert!(s.coverage(60.0, 70.0, 0.5) < 0.01);
        let far = s.coverage(60.0, 70.0, 20.0);
        assert!(far > 0.015 && far < 0.6, "{far}");
    }

    #[test]
    fn a_single_pixel_has_a_silhouette() {
        let s = Silhouette::new(&RgbaImage::from_pixel(1, 1, Rgba([1, 2, 3, 255])), (5, 5), (16, 16));
        assert!(s.coverage(5.5, 5.5, 0.5) > 0.1);
        assert_eq!(s.contact, [1.0]);
    }
}
