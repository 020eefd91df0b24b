//! What lies far behind a table or an open ground. It is painted in angles, as the eye sees it: `u` to the right and
//! `v` above eye level, in product sizes at the product's distance. The lens blurs it afterwards.

use crate::scene::{Backdrop, BackdropKind, Rgb};
use adeval_compositing::Canvas;
use adeval_compositing::color::{add, hex, mix, scale};
use adeval_compositing::noise::{fbm, hash, smoothstep, uniform, value, worley};
use rayon::prelude::*;

impl Backdrop {
    /// The light that comes from a direction.
    pub fn vista(&self, u: f32, v: f32) -> Rgb {
        match self.kind {
            BackdropKind::Bokeh => self.bokeh(u, v),
            BackdropKind::Neon => self.neon(u, v),
            BackdropKind::Room => self.room(u, v),
            BackdropKind::Sky => self.sky(u, v),
            BackdropKind::Forest => self.forest(u, v),
            BackdropKind::Garden => self.garden(u, v),
            BackdropKind::Beach => self.beach(u, v),
            BackdropKind::Mountains => self.mountains(u, v),
            _ => self.gradient(u, v),
        }
    }

    /// The vista on a grid of `step` pixels over a canvas; `ahead` is where the eye looks straight ahead and `unit` the
    /// pixels of a product size.
    pub(crate) fn coarse(&self, canvas: (usize, usize), step: f32, ahead: [f32; 2], unit: f32) -> Canvas {
        let across = |side: usize| (side as f32 / step).ceil() as usize + 2;
        let mut far = Canvas::filled(across(canvas.0), across(canvas.1), [0.0; 3]);
        let width = far.width;
        far.data.par_chunks_mut(width).with_min_len(8).enumerate().for_each(|(row, out)| {
            let v = (ahead[1] - row as f32 * step) / unit;
            for (column, pixel) in out.iter_mut().enumerate() {
                *pixel = self.vista((column as f32 * step - ahead[0]) / unit, v);
            }
        });
        far
    }

    /// Discs of light out of focus, on cells of a grid.
    fn lights(&self, u: f32, v: f32, cells: f32, radius: f32, share: f32, layer: u32) -> (f32, u32) {
        let cell = worley(u * cells, v * cells, self.seed.wrapping_add(layer));
        if (cell.id >> 3 & 1023) as f32 > share * 1023.0 {
            return (0.0, 0);
        }
        let r = radius * (0.65 + 0.35 * (cell.id & 255) as f32 / 255.0);
        let disc = 1.0 - smoothstep(r - 0.04, r + 0.02, cell.near);
        // Lenses draw the rim of such a disc a little brighter.
        let rim = 1.0 + 0.4 * smoothstep(0.6 * r, r, cell.near);
        (disc * rim * (0.3 + 0.7 * ((cell.id >> 13) & 255) as f32 / 255.0), cell.id)
    }

    fn gradient(&self, u: f32, v: f32) -> Rgb {
        let t = smoothstep(-0.9, 1.3, v + 0.25 * u);
        let glow = (-(u * u + (v + 0.35) * (v + 0.35)) * 0.9).exp();
        add(mix(self.second, self.color, t), scale(self.second, 0.35 * glow))
    }

    fn bokeh(&self, u: f32, v: f32) -> Rgb {
        let mut color = mix(self.second, self.color, smoothstep(-0.8, 1.0, v));
        color = scale(color, 0.8 + 0.5 * fbm(u * 1.3, v * 1.3, 2, self.seed));
        let height = 1.0 - smoothstep(0.5, 1.6, (v - 0.1).abs());
        for (layer, cells, radius, share, gain) in
            [(0, 2.0, 0.40, 0.5, 0.22), (1, 3.4, 0.36, 0.42, 0.6), (2, 6.0, 0.28, 0.25, 1.1)]
        {
            let (light, id) = self.lights(u, v, cells, radius, share, layer);
            let warm = mix(self.accent, hex(0xffe2b0), ((id >> 5) & 255) as f32 / 255.0);
            color = add(color, scale(warm, light * gain * height));
        }
        color
    }

    fn neon(&self, u: f32, v: f32) -> Rgb {
        let mut color = mix(hex(0x0a0a18), hex(0x1c1030), smoothstep(-1.0, 1.2, v));
        let left = (-((u + 0.9) * (u + 0.9) * 0.9 + v * v * 0.3)).exp();
        let right = (-((u - 0.9) * (u - 0.9) * 0.9 + v * v * 0.3)).exp();
        color = add(color, add(scale(self.accent, 0.30 * left), scale(self.second, 0.30 * right)));
        for (layer, cells, radius, share, gain) in
            [(0, 1.9, 0.38, 0.45, 0.30), (1, 3.6, 0.34, 0.4, 0.7), (2, 7.0, 0.26, 0.18, 1.2)]
        {
            let (light, id) = self.lights(u, v, cells, radius, share, layer);
            let tint = if id & 16 == 0 { self.accent } else { self.second };
            color = add(color, scale(tint, light * gain));
        }
        color
    }

    fn room(&self, u: f32, v: f32) -> Rgb {
        // A pale wall, a window with bars on one side, furniture and plants as dim shapes.
        let side = if self.seed & 1 == 0 { 1.0 } else { -1.0 };
        let x = u * side;
        let mut color = scale(
            mix(self.color, self.second, 0.4 * smoothstep(0.2, -0.9, v)),
            0.75 + 0.25 * smoothstep(-1.2, 1.4, x),
        );
        let edge = |d: f32| smoothstep(-0.03, 0.03, d);
        let box_at = |x: f32, y: f32, w: f32, h: f32| edge(w - x.abs()) * edge(h - y.abs());
        // A shelf with things on three boards.
        let (sx, sy) = (x + 0.50, v + 0.02);
        let case = box_at(sx, sy, 0.40, 0.62);
        color = mix(color, scale(self.accent, 0.16), 0.85 * case);
        for i in 0..21 {
            let r = |k: i32| uniform(i, k, self.seed);
            let half = [0.03 + 0.035 * r(3), 0.07 + 0.07 * r(4)];
            let floor = -0.56 + 0.41 * (i % 3) as f32;
            let (bx, by) = (sx + 0.33 - 0.66 * r(0), sy - floor - half[1]);
            let tint = mix(
                mix(self.accent, self.color, r(1)),
                hex([0xc2563a, 0x3f6d74, 0xd9b45a, 0xece4d4][(i % 4) as usize]),
                0.55,
            );
            color = mix(color, scale(tint, 0.75), 0.9 * box_at(bx, by, half[0], half[1]) * case);
        }
        let window = x - 0.55;
        let frame = box_at(window, v - 0.32, 0.44, 0.80);
        let pane = box_at(window, v - 0.32, 0.40, 0.76);
        let bars = (1.0 - edge(0.025 - window.abs())) * (1.0 - edge(0.025 - (v - 0.32).abs()));
        let green = fbm(x * 2.0, v * 2.0, 3, self.seed ^ 3);
        let outside =
            mix(hex(0xfff8ec), hex(0xa9c58c), 0.7 * smoothstep(0.42, 0.62, green) * smoothstep(0.9, -0.3, v));
        color = mix(color, scale(self.color, 0.9), frame);
        color = mix(color, scale(outside, 1.55), pane * (0.3 + 0.7 * bars));
        // A lamp hangs from above, a plant stands on the sill.
        let lamp = (1.0 - smoothstep(0.09, 0.13, (x + 0.06).hypot((v - 0.62) * 1.2))) * f32::from(v < 0.66);
        color = mix(color, [1.15, 0.93, 0.62], 0.9 * lamp);
        let leaf = worley(x * 6.5 + 0.7, v * 5.0, self.seed ^ 4);
        let plant = (1.0 - smoothstep(0.25, 0.42, leaf.near))
            * smoothstep(0.30, 0.08, (x - 0.22).hypot(0.8 * (v + 0.32)));
        mix(color, scale(hex(0x4c6b3c), 0.5 + 0.6 * (leaf.id & 255) as f32 / 255.0), 0.9 * plant)
    }

    fn sky(&self, u: f32, v: f32) -> Rgb {
        let base = mix(self.second, self.color, smoothstep(-0.1, 1.3, v));
        let stretch = 1.0 + 1.2 / (v.max(0.0) + 0.35);
        let w = fbm(u * 0.7, v * stretch, 3, self.seed);
        let cloud = fbm(u * 0.9 + w, v * stretch * 1.3 + 0.5 * w, 5, self.seed ^ 1);
        let lit = fbm(u * 0.9 + w - 0.12, v * stretch * 1.3 + 0.5 * w + 0.2, 4, self.seed ^ 1);
        let cover = smoothstep(0.5, 0.74, cloud);
        let shade = 0.82 + 0.9 * (cloud - lit);
        mix(base, scale(mix([1.0; 3], self.accent, 0.18), shade.clamp(0.6, 1.15)), 0.9 * cover)
    }

    fn forest(&self, u: f32, v: f32) -> Rgb {
        let glow = (-(u * u * 0.5 + (v - 0.5) * (v - 0.5) * 0.7)).exp();
        let mass = fbm(u * 1.6, v * 1.6, 4, self.seed);
        let mut color =
            mix(scale(self.color, 0.35), self.second, smoothstep(0.2, 0.9, 0.45 * mass + 0.55 * glow));
        for trunk in 0..6 {
            let r = |k: i32| uniform(trunk, k, self.seed ^ 5);
            let x = -1.5 + 0.6 * trunk as f32 + 0.35 * r(0) + 0.05 * v;
            let half = 0.03 + 0.06 * r(1);
            let bark = smoothstep(half + 0.03, half - 0.02, (u - x).abs());
            color = mix(color, scale(hex(0x3a2f22), 0.5 + 0.6 * glow), 0.75 * bark * (0.4 + 0.6 * r(2)));
        }
        for (layer, cells, radius, gain) in [(0, 2.6, 0.42, 0.35), (1, 4.6, 0.38, 0.55)] {
            let (light, id) = self.lights(u, v, cells, radius, 0.6, layer);
            let tint = mix(self.second, self.accent, ((id >> 4) & 255) as f32 / 255.0);
            color = add(color, scale(tint, light * gain * (0.25 + 0.75 * glow)));
        }
        color
    }

    fn garden(&self, u: f32, v: f32) -> Rgb {
        let mass = fbm(u * 1.4, v * 1.4, 3, self.seed);
        let mut color = mix(self.color, self.second, smoothstep(0.25, 0.75, mass + 0.25 * v));
        for (layer, cells, radius, gain) in [(0, 3.0, 0.48, 0.8), (1, 4.4, 0.46, 0.75), (2, 7.5, 0.4, 0.6)] {
            let (light, id) = self.lights(u, v, cells, radius, 0.55, layer);
            let tint = mix(self.accent, [1.0, 0.98, 0.95], 0.7 * ((id >> 6) & 255) as f32 / 255.0);
            color = mix(color, tint, (light * gain).min(0.85));
        }
        color
    }

    fn beach(&self, u: f32, v: f32) -> Rgb {
        if v > 0.0 {
            let sun = (-(u * u * 0.35 + v * v * 1.1)).exp();
            let cloud = smoothstep(0.52, 0.8, fbm(u * 0.5, v * 4.0, 4, self.seed)) * smoothstep(0.05, 0.4, v);
            let sky = mix(self.second, self.color, smoothstep(0.0, 1.1, v));
            return mix(add(sky, scale(self.accent, 0.25 * sun)), [1.0, 0.97, 0.93], 0.45 * cloud);
        }
        // Waves crowd towards the horizon; the sea ends at a line of foam.
        let depth = 1.0 / (0.04 - v);
        let wave = fbm(u * depth * 0.3, depth * 3.0, 3, self.seed ^ 1);
        let sea = mix(hex(0x2f8f9d), hex(0x86cfc8), smoothstep(0.0, -0.3, v));
        let sea = mix(sea, mix(self.second, [1.0; 3], 0.4), 0.25 + 0.3 * smoothstep(0.5, 0.8, wave));
        let line = 0.19 + 0.03 * value(u * 2.0, 0.0, self.seed ^ 2);
        let foam =
            smoothstep(0.03, 0.0, (-v - line).abs()) + 0.5 * smoothstep(0.02, 0.0, (-v - 0.7 * line).abs());
        let shore = mix(sea, [0.95, 0.97, 0.96], foam.min(1.0) * 0.85);
        mix(shore, scale(self.accent, 0.8), smoothstep(line, line + 0.06, -v))
    }

    fn mountains(&self, u: f32, v: f32) -> Rgb {
        let mut color = mix(self.second, self.color, smoothstep(0.0, 1.4, v));
        for layer in 0..4u32 {
            let far = 1.0 - layer as f32 / 3.0;
            let frequency = 0.7 + 0.45 * layer as f32;
            let ridge = 0.05
                + (0.62 - 0.17 * layer as f32)
                    * fbm(u * frequency + 3.0 * layer as f32, 0.5, 5, self.seed ^ layer);
            let inside = smoothstep(-0.006, 0.006, ridge - v);
            let haze = mix(scale(self.accent, 0.42), self.second, 0.12 + 0.6 * far);
            let slope = fbm(u * frequency * 6.0, v * 6.0, 3, self.seed ^ (layer + 8)) - 0.5;
            let snow = smoothstep(0.16, 0.30, v + 0.30 * slope) * (0.35 + 0.4 * far);
            let rock = mix(scale(haze, 1.0 + 0.5 * slope), [0.88, 0.92, 0.97], snow);
            color = mix(color, rock, inside);
        }
        color
    }

    /// A flake or petal that floats in the air: its brightness at a place of the canvas (shares), and its identity.
    pub fn floating(seed: u32, u: f32, v: f32, cells: f32) -> (f32, u32) {
        let cell = worley(u * cells, v * cells, seed);
        let id = hash(cell.id as i32, 1, seed);
        let radius = 0.05 + 0.11 * (id & 255) as f32 / 255.0;
        let soft = 0.02 + 0.06 * ((id >> 8) & 255) as f32 / 255.0;
        ((1.0 - smoothstep(radius - soft, radius + soft, cell.near)) * f32::from((id >> 16) & 3 != 0), id)
    }
}
