//! Where things are: the horizon, the ground, the product on it.

use adeval_sdk::{CutOut, Placement};

/// Focal length as a share of the canvas' height: a short telephoto, as for product shots.
const FOCAL: f32 = 1.7;

/// A level camera over a ground plane. Rows and columns are pixels of the canvas; distances are multiples of the
/// distance of the product.
#[derive(Debug, Clone, Copy)]
pub struct Camera {
    /// Width of the canvas in pixels.
    pub width: usize,
    /// Height of the canvas in pixels.
    pub height: usize,
    /// Row of the horizon.
    pub horizon: f32,
    /// Row on which the product stands.
    pub stand: f32,
    /// Pixels a metre at the distance of the product.
    pub metre: f32,
}

impl Camera {
    /// A camera for a product at `placement` whose longer side is `size` metres.
    pub fn new(canvas: (u32, u32), placement: &Placement, horizon: f32, size: f32) -> Self {
        let longer = placement.width.max(placement.height) as f32;
        let height = canvas.1 as f32;
        // The footprint's middle is a little above the lowest pixel.
        let stand = (placement.top as f32 + placement.height as f32 - 0.02 * height).max(0.45 * height);
        let horizon = (horizon * height).min(stand - 0.12 * height);
        Self { width: canvas.0 as usize, height: canvas.1 as usize, horizon, stand, metre: longer / size }
    }

    /// Distance of the ground seen at a row below the horizon; 1 at the product.
    pub fn distance(&self, row: f32) -> f32 {
        (self.stand - self.horizon) / (row - self.horizon).max(1e-3)
    }

    /// The row at which ground at a distance is seen.
    pub fn row(&self, distance: f32) -> f32 {
        self.horizon + (self.stand - self.horizon) / distance
    }

    /// Rows a unit of depth takes, as a share of a unit of height, at the product.
    pub fn tilt(&self) -> f32 {
        let slope = (self.stand - self.horizon) / (FOCAL * self.height as f32);
        slope / (1.0 + slope * slope).sqrt()
    }

    /// The ground point seen at a pixel, in metres: to the right of the middle, and away from the product.
    pub fn ground(&self, x: f32, row: f32) -> (f32, f32) {
        let z = self.distance(row);
        let across = (x - 0.5 * self.width as f32) * z / self.metre;
        let away = (z - 1.0) * FOCAL * self.height as f32 / self.metre;
        (across, away)
    }

    /// Blur (standard deviation in pixels) at a distance, for an aperture that blurs the far end by `far` pixels.
    pub fn defocus(&self, distance: f32, far: f32) -> f32 {
        far * (1.0 - 1.0 / distance.max(0.05)).abs()
    }
}

/// Places the cut-out so that it stands in the lower part: centre within a few percent of the middle, and its lower
/// edge where the mass of product and shadow is balanced, but not above `highest` (share of the height). `shift` is
/// -1 to 1.
pub fn place(cut: &CutOut, canvas: (u32, u32), share: f32, shift: f32, highest: f32) -> Placement {
    let probe = cut.fit(canvas, share, 0.5, 1.0);
    let tall = probe.height as f32 / canvas.1 as f32;
    let wide = probe.width as f32 / canvas.0 as f32;
    let bottom = (0.53 + 0.5 * tall).clamp(highest, 0.90);
    let room = (0.5 - 0.5 * wide - 0.04).clamp(0.0, 0.05);
    cut.fit(canvas, share, 0.5 + room * shift, bottom)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn camera() -> Camera {
        let placement = Placement { left: 100, top: 100, width: 300, height: 330 };
        Camera::new((512, 512), &placement, 0.3, 0.5)
    }

    #[test]
    fn rows_and_distances_are_inverse() {
        let c = camera();
        assert!((c.distance(c.stand) - 1.0).abs() < 1e-6);
        for z in [0.8, 1.0, 1.7, 6.0] {
            assert!((c.distance(c.row(z)) - z).abs() < 1e-3 * z);
        }
        assert!(c.tilt() > 0.1 && c.tilt() < 0.5, "{}", c.tilt());
    }

    #[test]
    fn a_metre_at_the_product_has_its_pixels() {
        let c = camera();
        let (a, b) = (c.ground(200.0, c.stand).0, c.ground(200.0 + c.metre, c.stand).0);
        assert!((b - a - 1.0).abs() < 1e-4);
    }
}
