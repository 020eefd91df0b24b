//! Separable blurs in time independent of the radius: three box passes come close to a Gaussian.

use crate::{Canvas, Plane};
use rayon::prelude::*;

/// A pixel that can be averaged.
trait Sample: Copy + Send + Sync + Default {
    fn plus(self, other: Self, k: f32) -> Self;
    fn times(self, k: f32) -> Self;
}

impl Sample for f32 {
    fn plus(self, other: Self, k: f32) -> Self {
        self + other * k
    }
    fn times(self, k: f32) -> Self {
        self * k
    }
}

impl<const N: usize> Sample for [f32; N]
where
    [f32; N]: Default,
{
    fn plus(self, other: Self, k: f32) -> Self {
        std::array::from_fn(|i| self[i] + other[i] * k)
    }
    fn times(self, k: f32) -> Self {
        self.map(|v| v * k)
    }
}

/// Blurs a plane with a Gaussian of standard deviation `sigma` pixels; edges are repeated.
pub fn gaussian(plane: &mut Plane, sigma: f32) {
    gaussian_xy(plane, sigma, sigma);
}

/// Blurs a plane with a Gaussian of another standard deviation along rows (`sigma_x`) than along columns (`sigma_y`).
pub fn gaussian_xy(plane: &mut Plane, sigma_x: f32, sigma_y: f32) {
    blur(&mut plane.data, plane.width, plane.height, sigma_x, sigma_y);
}

/// Blurs a canvas with a Gaussian of standard deviation `sigma` pixels; edges are repeated.
pub fn gaussian_canvas(canvas: &mut Canvas, sigma: f32) {
    blur(&mut canvas.data, canvas.width, canvas.height, sigma, sigma);
}

/// Blurs four-channel pixels (colour and weight) like [`gaussian_canvas`].
pub fn gaussian_weighted(data: &mut [[f32; 4]], width: usize, height: usize, sigma: f32) {
    blur(data, width, height, sigma, sigma);
}

fn blur<T: Sample>(data: &mut [T], width: usize, height: usize, sigma_x: f32, sigma_y: f32) {
    if width == 0 || height == 0 {
        return;
    }
    if sigma_x >= 0.2 {
        rows(data, width, radius(sigma_x));
    }
    if sigma_y >= 0.2 {
        let mut turned = vec![T::default(); data.len()];
        transpose(data, &mut turned, width, height);
        rows(&mut turned, height, radius(sigma_y));
        transpose(&turned, data, height, width);
    }
}

/// A box of `whole` pixels to both sides, and a share `edge` of the next ones.
#[derive(Clone, Copy)]
struct Radius {
    whole: isize,
    edge: f32,
}

/// The box whose variance is a third of `sigma` squared, so that three passes together have it all.
fn radius(sigma: f32) -> Radius {
    let third = sigma * sigma / 3.0;
    let whole = (((1.0 + 12.0 * third).sqrt() - 1.0) * 0.5).floor();
    let missing = third - whole * (whole + 1.0) / 3.0;
    let edge = (2.0 * whole + 1.0) * missing / (2.0 * ((whole + 1.0) * (whole + 1.0) - third));
    Radius { whole: whole as isize, edge }
}

fn rows<T: Sample>(data: &mut [T], width: usize, radius: Radius) {
    data.par_chunks_mut(width).with_min_len(32).for_each_init(
        || vec![T::default(); width],
        |scratch, row| {
            for _ in 0..3 {
                boxed(row, scratch, radius);
                row.copy_from_slice(scratch);
            }
        },
    );
}

/// One box pass over a row, with a fractional radius.
fn boxed<T: Sample>(row: &[T], out: &mut [T], radius: Radius) {
    let last = row.len() as isize - 1;
    let Radius { whole, edge } = radius;
    let at = |i: isize| row[i.clamp(0, last) as usize];
    let norm = 1.0 / (2.0 * (whole as f32 + edge) + 1.0);
    let mut sum = T::default();
    for i in -whole..=whole {
        sum = sum.plus(at(i), 1.0);
    }
    for (i, to) in out.iter_mut().enumerate() {
        let i = i as isize;
        *to = sum.plus(at(i - whole - 1), edge).plus(at(i + whole + 1), edge).times(norm);
        sum = sum.plus(at(i + whole + 1), 1.0).plus(at(i - whole), -1.0);
    }
}

/// `to[x * height + y] = from[y * width + x]`, in tiles that fit the cache.
fn transpose<T: Sample>(from: &[T], to: &mut [T], width: usize, height: usize) {
    const TILE: usize = 32;
    to.par_chunks_mut(height * TILE).enumerate().for_each(|(band, rows)| {
        let x0 = band * TILE;
        let columns = rows.len() / height;
        for y0 in (0..height).step_by(TILE) {
            for dx in 0..columns {
                for y in y0..(y0 + TILE).min(height) {
                    rows[dx * height + y] = from[y * width + x0 + dx];
                }
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blurred_point_has_the_variance_that_was_asked_for() {
        for sigma in [1.0f32, 2.5, 7.3] {
            let mut plane = Plane::filled(101, 101, 0.0);
            plane.data[50 * 101 + 50] = 1.0;
            gaussian(&mut plane, sigma);
            let total: f32 = plane.data.iter().sum();
            let variance: f32 =
                plane.data.iter().enumerate().map(|(i, v)| v * ((i % 101) as f32 - 50.0).powi(2)).sum();
            assert!((total - 1.0).abs() < 1e-3, "mass {total}");
            assert!(
                (variance.sqrt() / sigma - 1.0).abs() < 0.06,
                "sigma {sigma} came out as {}",
                variance.sqrt()
            );
        }
    }

    #[test]
    fn a_flat_canvas_stays_flat_at_any_size() {
        for (w, h) in [(1, 1), (3, 70), (64, 2)] {
            let mut canvas = Canvas::filled(w, h, [0.5, 0.25, 1.0]);
            gaussian_canvas(&mut canvas, 9.0);
            assert!(canvas.data.iter().all(|p| (p[0] - 0.5).abs() < 1e-4 && (p[2] - 1.0).abs() < 1e-4));
        }
    }
}
