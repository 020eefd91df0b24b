//! What the product stands on: a texture in perspective, in and out of focus, lit like what is behind it.

use crate::assets::Surface;
use crate::camera::Camera;
use crate::texture::{Edge, Texture};
use adeval_compositing::{Canvas, blur, noise, noise::smoothstep};
use rayon::prelude::*;

/// Samples along the line of sight a pixel, against the strong foreshortening.
const TAPS: usize = 3;

/// How a surface is drawn.
#[derive(Debug, Clone, Copy)]
pub struct Plane {
    /// Row of its far edge.
    pub edge: f32,
    /// Rows over which it appears, below the edge: the blur of a table's edge, or a long transition.
    pub soft: f32,
    /// Factor on the texture's colours: the light's colour and strength.
    pub tint: [f32; 3],
    /// Side from which the light comes, -1 left to 1 right.
    pub light: f32,
    /// Blur of the farthest things, in pixels.
    pub far: f32,
    /// Share of the light that it mirrors at a grazing angle.
    pub gloss: f32,
    /// Whether the texture is turned by a right angle.
    pub turned: bool,
    /// Where in the texture the product stands, shares of its sides.
    pub offset: (f32, f32),
}

/// Draws the surface over a scene. The scene is mirrored in it as far as it is glossy.
pub fn draw(canvas: &mut Canvas, texture: &Texture, surface: &Surface, camera: &Camera, plane: &Plane) {
    let mirror = Mirror::of(canvas, plane.edge);
    let (w, h) = (camera.width, camera.height as f32);
    let first = (plane.edge - plane.soft).max(camera.horizon + 1.0).max(0.0) as usize;
    let texels = texture.width() / surface.tile;
    let rows = canvas.data.par_chunks_mut(w.max(1)).with_min_len(8).enumerate().skip(first);
    rows.for_each(|(y, row)| {
        let middle = y as f32 + 0.5;
        let cover = smoothstep(plane.edge - plane.soft, plane.edge + plane.soft, middle);
        if cover <= 0.0 {
            return;
        }
        let distance = camera.distance(middle);
        let pixel = texels * distance / camera.metre;
        let blurred = camera.defocus(distance, plane.far) * pixel * 1.7;
        let lod = (pixel * 1.2).max(blurred).max(1e-6).log2();
        let depth = ((middle - plane.edge) / (h - plane.edge).max(1.0)).clamp(0.0, 1.0);
        let grazing = plane.gloss * (0.30 + 0.70 * (1.0 - depth) * (1.0 - depth)) + 0.04 * (1.0 - depth);
        let away: [f32; TAPS] = std::array::from_fn(|tap| {
            camera.ground(0.0, y as f32 + (tap as f32 + 0.5) / TAPS as f32).1 * texels
        });
        for (x, to) in row.iter_mut().enumerate() {
            let across = camera.ground(x as f32 + 0.5, middle).0 * texels;
            let color = covering(texture, surface, plane, across, &away, lod);
            let shade = lighting(plane, (x as f32 + 0.5) / w as f32 - 0.5, depth);
            let seen = mirror.at(x, middle);
            for (i, value) in to.iter_mut().enumerate() {
                let diffuse = color[i] * plane.tint[i] * shade;
                let lit = diffuse * (1.0 - grazing) + seen[i] * grazing;
                *value += (lit - *value) * cover;
            }
        }
    });
}

/// The texture's colour; two shifted copies in patches where that hides its repeats.
fn covering(
    texture: &Texture,
    surface: &Surface,
    plane: &Plane,
    across: f32,
    away: &[f32; TAPS],
    lod: f32,
) -> [f32; 3] {
    let one = average(texture, plane, across, away, lod);
    if !surface.loose {
        return one;
    }
    let (w, h) = (texture.width(), texture.height());
    let patch = noise::value(across / w * 2.3 + 40.0, away[0] / h * 2.3 + 40.0, 7);
    let t = smoothstep(0.40, 0.60, patch);
    if t <= 0.0 {
        return one;
    }
    // Turned by a right angle and scaled a little, so that no feature comes twice.
    let shifted =
        Plane { turned: !plane.turned, offset: (plane.offset.0 + 0.37, plane.offset.1 + 0.61), ..*plane };
    let other = average(texture, &shifted, across * 0.87, &away.map(|a| a * 0.87), lod);
    std::array::from_fn(|i| one[i] + (other[i] - one[i]) * t)
}

fn average(texture: &Texture, plane: &Plane, across: f32, away: &[f32; TAPS], lod: f32) -> [f32; 3] {
    let mut sum = [0.0f32; 3];
    for &away in away {
        let (u, v) = if plane.turned { (away, across) } else { (across, -away) };
        let u = u + plane.offset.0 * texture.width();
        let v = v + plane.offset.1 * texture.height();
        let color = texture.sample(u, v, lod, Edge::Mirror);
        sum = std::array::from_fn(|i| sum[i] + color[i]);
    }
    sum.map(|v| v / TAPS as f32)
}

/// Light on the surface: a pool around the product, brighter on the side of the light, darker at the lens.
fn lighting(plane: &Plane, u: f32, depth: f32) -> f32 {
    let side = 1.0 + 0.30 * plane.light * u * 2.0;
    let v = depth - 0.45;
    let pool = 0.86 + 0.32 * (-(u * u * 2.2 + v * v * 1.6)).exp();
    let front = 1.0 - 0.22 * smoothstep(0.55, 1.1, depth);
    (side * pool * front).max(0.05)
}

/// What a glossy surface shows of the scene behind it: the scene above the edge, mirrored and blurred.
struct Mirror {
    small: Canvas,
    step: f32,
    edge: f32,
}

impl Mirror {
    fn of(canvas: &Canvas, edge: f32) -> Self {
        let step = (canvas.width.max(canvas.height) / 96).max(1);
        let (w, h) = (canvas.width.div_ceil(step), canvas.height.div_ceil(step));
        let mut small = Canvas::filled(w, h, [0.0; 3]);
        for (i, pixel) in small.data.iter_mut().enumerate() {
            let x = ((i % w) * step + step / 2).min(canvas.width - 1);
            let y = ((i / w) * step + step / 2).min(canvas.height - 1);
            *pixel = canvas.data[y * canvas.width + x];
        }
        blur::gaussian_canvas(&mut small, 3.0);
        Self { small, step: step as f32, edge }
    }

    fn at(&self, x: usize, row: f32) -> [f32; 3] {
        let (w, h) = (self.small.width, self.small.height);
        let sx = ((x as f32 + 0.5) / self.step - 0.5).clamp(0.0, (w - 1) as f32);
        let sy = ((2.0 * self.edge - row) / self.step - 0.5).clamp(0.0, (h - 1) as f32);
        let (x0, y0) = (sx as usize, sy as usize);
        let (x1, y1) = ((x0 + 1).min(w - 1), (y0 + 1).min(h - 1));
        let (tx, ty) = (sx.fract(), sy.fract());
        let [a, b, c, d] = [(x0, y0), (x1, y0), (x0, y1), (x1, y1)].map(|(x, y)| self.small.data[y * w + x]);
        std::array::from_fn(|i| {
            let upper = a[i] + (b[i] - a[i]) * tx;
            upper + (c[i] + (d[i] - c[i]) * tx - upper) * ty
        })
    }
}
