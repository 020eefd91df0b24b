//! Draws a scene around a placed product.

use crate::focus::blur_by_depth;
use crate::scene::{Backdrop, Scene, SurfaceKind, Veil};
use crate::shade::{Seen, Stage};
use adeval_compositing::blur::gaussian_weighted;
use adeval_compositing::noise::smoothstep;
use adeval_compositing::{Canvas, Finish, Reflection, Silhouette, contact_shadow, finish, reflect, vignette};
use image::{RgbImage, RgbaImage};
use rayon::prelude::*;

/// The identity of what nobody sees.
const HIDDEN: u32 = u32::MAX;

/// The finished scene of `size` pixels, without the product: `product` (resampled, at `position`) only throws its
/// shadow and its mirror image.
pub fn render(scene: &Scene, product: &RgbaImage, position: (i32, i32), size: (u32, u32)) -> RgbImage {
    let (width, height) = (size.0 as usize, size.1 as usize);
    let silhouette = Silhouette::new(product, position, (width, height));
    let contact = contact_shadow(&silhouette, 1.0);
    let lens = 0.055 * scene.aperture * silhouette.size().max(0.35 * width.max(height) as f32);
    let stage = Stage::new(scene, &silhouette, &contact, lens);
    let hidden = hidden(product, position, width, height);
    let mut seen = first_pass(scene, &stage, &hidden, width, height);
    smooth_edges(scene, &stage, &mut seen, width, height);
    let mut canvas = Canvas { width, height, data: seen.iter().map(|s| s.color).collect() };
    let depths: Vec<f32> = seen.iter().map(|s| s.depth).collect();
    blur_by_depth(&mut canvas, &depths, scene.camera.distance, lens);
    if let Some(reflection) = reflection(scene) {
        reflect(&mut canvas, &silhouette, product, &reflection);
    }
    veil(&mut canvas, &scene.veils);
    if scene.snowfall {
        snow(&mut canvas, scene.seed);
    }
    if scene.vignette > 0.0 {
        vignette(&mut canvas, scene.vignette);
    }
    finish(&canvas, &Finish { exposure: scene.exposure, shoulder: 0.72, grain: 1.4, seed: scene.seed })
}

/// Pixels that the product will cover entirely, some way inside its outline: nothing needs to be drawn there.
fn hidden(product: &RgbaImage, position: (i32, i32), width: usize, height: usize) -> Vec<bool> {
    const MARGIN: i64 = 3;
    let (w, h) = (i64::from(product.width()), i64::from(product.height()));
    let opaque = |x: i64, y: i64| {
        x >= 0 && y >= 0 && x < w && y < h && product.get_pixel(x as u32, y as u32).0[3] == 255
    };
    let mut hidden = vec![false; width * height];
    hidden.par_chunks_mut(width).with_min_len(32).enumerate().for_each(|(row, out)| {
        let y = row as i64 - i64::from(position.1);
        for (column, to) in out.iter_mut().enumerate() {
            let x = column as i64 - i64::from(position.0);
            let around = [(0, 0), (MARGIN, 0), (-MARGIN, 0), (0, MARGIN), (0, -MARGIN)];
            *to = around.iter().all(|(dx, dy)| opaque(x + dx, y + dy));
        }
    });
    hidden
}

fn first_pass(scene: &Scene, stage: &Stage<'_>, hidden: &[bool], width: usize, height: usize) -> Vec<Seen> {
    let rows: Vec<(f32, f32)> = scene.solids.iter().map(|s| stage.rows(s)).collect();
    // What is hidden lies in focus, so that it weighs nothing when the background is blurred.
    let focus = scene.camera.distance;
    let mut seen = vec![Seen { color: [0.0; 3], depth: focus, id: HIDDEN }; width * height];
    seen.par_chunks_mut(width).with_min_len(8).enumerate().for_each(|(y, row)| {
        let first = y * width;
        let y = y as f32 + 0.5;
        let solids = visible(&rows, y);
        for (x, to) in row.iter_mut().enumerate().filter(|(x, _)| !hidden[first + x]) {
            *to = stage.look(x as f32 + 0.5, y, &solids);
        }
    });
    seen
}

fn visible(rows: &[(f32, f32)], y: f32) -> Vec<u32> {
    (0..rows.len() as u32).filter(|&i| (rows[i as usize].0..=rows[i as usize].1).contains(&y)).collect()
}

/// Looks again, four times, where two things meet.
fn smooth_edges(scene: &Scene, stage: &Stage<'_>, seen: &mut [Seen], width: usize, height: usize) {
    let rows: Vec<(f32, f32)> = scene.solids.iter().map(|s| stage.rows(s)).collect();
    let edge = |x: usize, y: usize, seen: &[Seen]| {
        let id = seen[y * width + x].id;
        if id == HIDDEN {
            return false;
        }
        (x + 1 < width && seen[y * width + x + 1].id != id)
            || (y + 1 < height && seen[(y + 1) * width + x].id != id)
            || (x > 0 && seen[y * width + x - 1].id != id)
            || (y > 0 && seen[(y - 1) * width + x].id != id)
    };
    let places: Vec<usize> = (0..seen.len()).filter(|i| edge(i % width, i / width, seen)).collect();
    let smooth: Vec<[f32; 3]> = places
        .par_iter()
        .with_min_len(64)
        .map(|i| {
            let (x, y) = ((i % width) as f32, (i / width) as f32);
            let solids = visible(&rows, y + 0.5);
            let mut sum = [0.0; 3];
            for (dx, dy) in [(0.375, 0.125), (0.875, 0.375), (0.125, 0.625), (0.625, 0.875)] {
                let color = stage.look(x + dx, y + dy, &solids).color;
                sum = std::array::from_fn(|c| sum[c] + 0.25 * color[c].min(4.0));
            }
            sum
        })
        .collect();
    for (i, color) in places.into_iter().zip(smooth) {
        seen[i].color = color;
    }
}

fn reflection(scene: &Scene) -> Option<Reflection> {
    let (strength, roughness, reach) = match scene.surface.kind {
        _ if scene.ground < -1e-3 => return None,
        SurfaceKind::Acrylic => (0.36, 0.004, 0.6),
        SurfaceKind::Water => (0.30, 0.010, 0.45),
        SurfaceKind::Metal => (0.24, 0.018, 0.35),
        SurfaceKind::Marble => (0.20, 0.006, 0.4),
        SurfaceKind::Terrazzo | SurfaceKind::Tiles => (0.15, 0.008, 0.35),
        SurfaceKind::Slate => (0.09, 0.014, 0.25),
        SurfaceKind::Wood => (0.08, 0.016, 0.22),
        _ => return None,
    };
    Some(Reflection { strength, roughness, reach })
}

/// Lays the blurred foreground over the canvas.
fn veil(canvas: &mut Canvas, veils: &[Veil]) {
    if veils.is_empty() {
        return;
    }
    let (w, h) = (canvas.width, canvas.height);
    let short = w.min(h) as f32;
    let mut layer = vec![[0.0f32; 4]; w * h];
    for veil in veils {
        let (sin, cos) = veil.angle.sin_cos();
        let (cx, cy) = (veil.at[0] * w as f32, veil.at[1] * h as f32);
        let half = [veil.half[0] * short, veil.half[1] * short];
        let reach = half[0].max(half[1]) + 1.0;
        let clip = |v: f32, end: usize| (v.max(0.0) as usize).min(end);
        for y in clip(cy - reach, h)..clip(cy + reach + 1.0, h) {
            for x in clip(cx - reach, w)..clip(cx + reach + 1.0, w) {
                let (dx, dy) = (x as f32 + 0.5 - cx, y as f32 + 0.5 - cy);
                let (u, v) = ((dx * cos + dy * sin) / half[0], (dy * cos - dx * sin) / half[1]);
                let inside = (1.0 - u * u) - v.abs();
                let a = veil.opacity * smoothstep(-0.05, 0.15, inside) * f32::from(u.abs() < 1.0);
                if a > 0.0 {
                    let shade = 0.8 + 0.35 * v;
                    let to = &mut layer[y * w + x];
                    let [r, g, b] = veil.color.map(|c| c * shade);
                    for (to, from) in to.iter_mut().zip([r, g, b, 1.0]) {
                        *to = *to * (1.0 - a) + from * a;
                    }
                }
            }
        }
    }
    gaussian_weighted(&mut layer, w, h, 0.016 * short);
    for (pixel, over) in canvas.data.iter_mut().zip(&layer) {
        for c in 0..3 {
            pixel[c] = pixel[c] * (1.0 - over[3]) + over[c];
        }
    }
}

/// Flakes in the air, in three sizes.
fn snow(canvas: &mut Canvas, seed: u32) {
    let (w, h) = (canvas.width, canvas.height);
    let short = w.min(h).max(1) as f32;
    for (layer, cells, opacity) in [(1u32, 9.0, 0.75), (2, 17.0, 0.65), (3, 4.0, 0.4)] {
        canvas.data.par_chunks_mut(w.max(1)).with_min_len(16).enumerate().for_each(|(y, row)| {
            for (x, pixel) in row.iter_mut().enumerate() {
                let (flake, _) = Backdrop::floating(seed ^ layer, x as f32 / short, y as f32 / short, cells);
                *pixel = pixel.map(|v| v + (0.97 - v).max(0.0) * flake * opacity);
            }
        });
    }
}
