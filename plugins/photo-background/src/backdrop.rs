//! What is behind the product: a photograph out of focus, or a wall.

use crate::assets::{Backdrop, Surface};
use crate::camera::Camera;
use crate::texture::{Edge, Texture};
use adeval_compositing::{Canvas, blur, noise::smoothstep};
use rayon::prelude::*;

/// The part of a photograph that the canvas shows.
#[derive(Debug, Clone, Copy)]
pub struct Crop {
    /// Left edge in pixels of the photograph.
    pub left: f32,
    /// Top edge in pixels of the photograph.
    pub top: f32,
    /// Pixels of the photograph to one of the canvas.
    pub scale: f32,
    /// Whether left and right are swapped.
    pub flip: bool,
}

impl Crop {
    /// Aligns the photograph's horizon with the camera's, showing `share` of its height where its sides allow;
    /// `across` (0 to 1) chooses where between its left and right edge. `needed` is the lowest row that will show.
    pub fn aligned(
        texture: &Texture,
        horizon: f32,
        camera: &Camera,
        share: f32,
        across: f32,
        needed: f32,
    ) -> Self {
        let (w, h) = (camera.width as f32, camera.height as f32);
        let scale =
            (share * texture.height() / h).min(texture.width() / w).min(texture.height() / needed.max(1.0));
        let top = horizon * texture.height() - camera.horizon * scale;
        let top = top.min(texture.height() - needed * scale).max(0.0);
        let left = (texture.width() - w * scale).max(0.0) * across;
        Self { left, top, scale, flip: false }
    }

    /// Aligns the photograph's lower edge with the canvas'.
    pub fn standing(texture: &Texture, camera: &Camera, share: f32, across: f32) -> Self {
        let (w, h) = (camera.width as f32, camera.height as f32);
        let scale = (share * texture.height() / h).min(texture.width() / w);
        let top = (texture.height() - h * scale).max(0.0);
        Self { left: (texture.width() - w * scale).max(0.0) * across, top, scale, flip: false }
    }
}

/// Draws a part of a photograph, in focus.
pub fn photograph(texture: &Texture, crop: &Crop, camera: &Camera) -> Canvas {
    let lod = crop.scale.max(1e-6).log2();
    draw(camera, |x, y| {
        let x = if crop.flip { camera.width as f32 - x } else { x };
        texture.sample(crop.left + x * crop.scale, crop.top + y * crop.scale, lod, Edge::Clamp)
    })
}

/// Blurs a backdrop that is far away. `sigma` is in pixels; a photograph that is out of focus already needs less.
pub fn defocus(canvas: &mut Canvas, place: &Backdrop, crop: &Crop, sigma: f32) {
    // The lens blur of such a photograph is about 9 of its own pixels wide.
    let has = if place.blurred { 4.5 / crop.scale } else { 0.0 };
    let missing = (sigma * sigma - has * has).max(0.0).sqrt();
    // Enlarged pixels are hidden in any case.
    blur::gaussian_canvas(canvas, missing.max(0.6 / crop.scale));
}

/// Blurs a photograph with ground in it: sharp at the row of the product, more so the farther away.
pub fn defocus_ground(canvas: &mut Canvas, camera: &Camera, ground: f32, sigma: f32) {
    let mut half = canvas.clone();
    blur::gaussian_canvas(&mut half, 0.4 * sigma);
    let mut full = half.clone();
    blur::gaussian_canvas(&mut full, sigma * (1.0f32 - 0.16).sqrt());
    let width = canvas.width.max(1);
    let rows =
        canvas.data.par_chunks_mut(width).zip(half.data.par_chunks(width)).zip(full.data.par_chunks(width));
    rows.enumerate().for_each(|(y, ((sharp, half), full))| {
        let row = y as f32 + 0.5;
        let behind = smoothstep(camera.stand - 0.04 * camera.height as f32, ground, row);
        let front = smoothstep(camera.stand + 0.04 * camera.height as f32, 1.25 * camera.height as f32, row);
        let amount = behind.max(front) * 2.0;
        for ((to, &h), &f) in sharp.iter_mut().zip(half).zip(full) {
            let (a, b, t) = if amount < 1.0 { (*to, h, amount) } else { (h, f, amount - 1.0) };
            *to = std::array::from_fn(|i| a[i] + (b[i] - a[i]) * t);
        }
    });
}

/// Draws a wall that stands `distance` (multiples of the product's distance) away and is lit from one side.
pub fn wall(
    texture: &Texture,
    surface: &Surface,
    camera: &Camera,
    light: f32,
    distance: f32,
    sigma: f32,
) -> Canvas {
    let texel = texture.width() / (surface.tile * camera.metre) * distance;
    let lod = texel.max(1.7 * sigma * texel).max(1e-6).log2();
    let foot = camera.row(distance);
    let (w, h) = (camera.width as f32, camera.height as f32);
    draw(camera, |x, y| {
        let color = texture.sample((x - 0.5 * w) * texel + 31.0, (y - foot) * texel, lod, Edge::Mirror);
        // A pool of light beside the product, and less light where wall and ground meet.
        let (u, v) = (x / w - 0.5 - 0.28 * light, y / h - 0.30);
        let pool = 1.18 * (-(u * u * 1.5 + v * v * 1.7)).exp();
        let corner = 1.0 - 0.28 * (-((foot - y).max(0.0) / (0.05 * h))).exp();
        color.map(|c| c * (0.22 + pool * 0.78) * corner)
    })
}

/// Fills a canvas from pixel centres.
fn draw(camera: &Camera, at: impl Fn(f32, f32) -> [f32; 3] + Sync) -> Canvas {
    let mut canvas = Canvas::filled(camera.width, camera.height, [0.0; 3]);
    canvas.data.par_chunks_mut(camera.width.max(1)).with_min_len(16).enumerate().for_each(|(y, row)| {
        for (x, pixel) in row.iter_mut().enumerate() {
            *pixel = at(x as f32 + 0.5, y as f32 + 0.5);
        }
    });
    canvas
}
