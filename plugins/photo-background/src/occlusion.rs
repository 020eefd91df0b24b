//! Light from everywhere that a product keeps off the ground around its feet: a soft pool, wider than the contact
//! line, without which a product seems to float.

use adeval_compositing::{Canvas, Plane, Silhouette, blur};

/// Darkens the canvas around what touches the ground. `tilt` is the sine of the camera's downward angle.
pub fn darken(canvas: &mut Canvas, silhouette: &Silhouette, tilt: f32, strength: f32) {
    let foot = (silhouette.foot.1 - silhouette.foot.0).max(1.0);
    let reach = (0.10 * silhouette.size()).min(0.05 * silhouette.size() + 0.25 * foot).max(1.5);
    let weights = weights(silhouette);
    let near = pool(silhouette, &weights, 0.45 * reach, 0.80 * reach * tilt);
    let wide = pool(silhouette, &weights, 1.5 * reach, 1.7 * reach * tilt);
    let mut plane = near;
    for (n, w) in plane.data.iter_mut().zip(&wide.data) {
        *n = strength * (1.0 - (1.0 - 0.70 * n.min(1.0)) * (1.0 - 0.60 * w.min(1.0)));
    }
    canvas.shade(&plane, [0.06, 0.05, 0.05]);
}

/// How close each column of the product is to the ground, 0 to 1.
///
/// An upright product touches where its outline is lowest. A flat one (a saw, a hammer) lies on the ground with all of
/// its lower outline, except where it spans between two lower parts, as a sofa does between its legs.
fn weights(silhouette: &Silhouette) -> Vec<f32> {
    if silhouette.height > 0.75 * silhouette.width {
        return silhouette.contact.clone();
    }
    let step = 0.10 * silhouette.height;
    let mut lowest = f32::NEG_INFINITY;
    let running = |lowest: &mut f32, b: f32| {
        *lowest = lowest.max(b);
        *lowest
    };
    let left: Vec<f32> = silhouette.bottom.iter().map(|&b| running(&mut lowest, b)).collect();
    let mut lowest = f32::NEG_INFINITY;
    let mut right: Vec<f32> = silhouette.bottom.iter().rev().map(|&b| running(&mut lowest, b)).collect();
    right.reverse();
    let columns = silhouette.bottom.iter().zip(&silhouette.contact).zip(left.iter().zip(&right));
    columns
        .map(|((&b, &contact), (&l, &r))| {
            let spans = l > b + step && r > b + step;
            if !b.is_finite() || spans {
                return contact;
            }
            let high = ((silhouette.base - b) / silhouette.height).clamp(0.0, 1.0);
            contact.max(0.85 * (1.0 - high))
        })
        .collect()
}

/// The line of contact, blurred; 1 in the middle of a long straight line.
fn pool(silhouette: &Silhouette, weights: &[f32], sigma_x: f32, sigma_y: f32) -> Plane {
    let (w, h) = silhouette.canvas;
    let sigma_y = sigma_y.max(0.8);
    let mut plane = Plane::filled(w, h, 0.0);
    let peak = sigma_y * (2.0 * std::f32::consts::PI).sqrt();
    for (i, (&bottom, &weight)) in silhouette.bottom.iter().zip(weights).enumerate() {
        let (x, y) = (silhouette.left + i as f32, bottom - 0.5);
        if weight > 0.0 && x >= 0.0 && y >= 0.0 && (x as usize) < w && (y as usize) < h {
            plane.data[y as usize * w + x as usize] += weight * peak;
        }
    }
    blur::gaussian_xy(&mut plane, sigma_x, sigma_y);
    plane
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Rgba, RgbaImage};

    fn shaded(product: &RgbaImage, at: (i32, i32)) -> Canvas {
        let silhouette = Silhouette::new(product, at, (128, 128));
        let mut canvas = Canvas::filled(128, 128, [1.0; 3]);
        darken(&mut canvas, &silhouette, 0.3, 0.8);
        canvas
    }

    #[test]
    fn the_pool_is_darkest_at_the_feet_and_gone_far_away() {
        let canvas = shaded(&RgbaImage::from_pixel(24, 60, Rgba([9, 9, 9, 255])), (50, 30));
        let at = |x: usize, y: usize| canvas.data[y * 128 + x][0];
        assert!(at(62, 91) < 0.75, "{}", at(62, 91));
        assert!(at(62, 91) < at(62, 96) && at(62, 96) < 1.0);
        assert!(at(62, 30) > 0.99 && at(5, 120) > 0.98);
    }

    #[test]
    fn a_flat_thing_lies_with_all_of_its_edge_and_a_bench_only_with_its_legs() {
        let saw = RgbaImage::from_fn(100, 40, |x, y| {
            let edge = 10 + x / 4;
            Rgba([90, 90, 90, if y < edge && y + 12 > edge { 255 } else { 0 }])
        });
        let flat = weights(&Silhouette::new(&saw, (10, 30), (128, 128)));
        assert!(flat[50] > 0.3, "{}", flat[50]);
        let bench = RgbaImage::from_fn(100, 40, |x, y| {
            Rgba([90, 60, 30, if y < 12 || !(8..92).contains(&x) { 255 } else { 0 }])
        });
        let legs = weights(&Silhouette::new(&bench, (10, 30), (128, 128)));
        assert!(legs[50] < 0.1 && legs[3] > 0.9, "{} {}", legs[50], legs[3]);
    }
}
