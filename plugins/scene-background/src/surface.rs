//! Materials of the ground: colour, gloss and relief at a place, filtered to the size of a pixel there.

use crate::scene::{Rgb, Surface, SurfaceKind};
use adeval_compositing::color::{mix, scale};
use adeval_compositing::noise::{fbm, smoothstep, uniform, value, worley};

/// A surface at one place.
#[derive(Debug, Clone, Copy)]
pub struct Texel {
    /// Share of light that it scatters back, linear.
    pub albedo: Rgb,
    /// 0 matte to 1 mirror.
    pub gloss: f32,
    /// Tilt of the normal along x and z.
    pub tilt: [f32; 2],
}

impl Texel {
    fn matte(albedo: Rgb) -> Self {
        Self { albedo, gloss: 0.0, tilt: [0.0; 2] }
    }
}

/// A relief's slope along both axes, from its height.
fn slope(height: impl Fn(f32, f32) -> f32, x: f32, z: f32, step: f32, gain: f32) -> [f32; 2] {
    let here = height(x, z);
    [(height(x + step, z) - here) / step * -gain, (height(x, z + step) - here) / step * -gain]
}

/// How much of a detail of this frequency survives in a pixel of size `pixel`.
fn visible(frequency: f32, pixel: f32) -> f32 {
    1.0 - smoothstep(0.25, 0.9, frequency * pixel)
}

/// Octaves of noise that a pixel can still resolve, at most `most`.
fn octaves(frequency: f32, pixel: f32, most: u32) -> u32 {
    ((0.5 / (frequency * pixel).max(1e-4)).log2().ceil().max(1.0) as u32).min(most)
}

impl Surface {
    /// The surface at a place on the ground; `pixel` is the size of a pixel there, in product sizes.
    pub fn at(&self, x: f32, z: f32, pixel: f32) -> Texel {
        let (x, z, pixel) = (x * self.scale, z * self.scale, pixel * self.scale);
        match self.kind {
            SurfaceKind::Paper => self.paper(x, z, pixel),
            SurfaceKind::Wood => self.wood(x, z, pixel),
            SurfaceKind::Marble => self.marble(x, z, pixel),
            SurfaceKind::Linen => self.cloth(x, z, pixel, 0.10, 120.0),
            SurfaceKind::Velvet => self.velvet(x, z, pixel),
            SurfaceKind::Concrete => self.concrete(x, z, pixel),
            SurfaceKind::Sand => self.sand(x, z, pixel),
            SurfaceKind::Acrylic => Texel { albedo: self.color, gloss: 0.85, tilt: [0.0; 2] },
            SurfaceKind::Metal => self.metal(x, z, pixel),
            SurfaceKind::Grass => self.grass(x, z, pixel),
            SurfaceKind::Snow => self.snow(x, z, pixel),
            SurfaceKind::Water => self.water(x, z, pixel),
            SurfaceKind::Terrazzo => self.terrazzo(x, z, pixel),
            SurfaceKind::Tiles => self.tiles(x, z, pixel),
            SurfaceKind::Slate => self.slate(x, z, pixel),
            SurfaceKind::Rug => self.rug(x, z, pixel),
        }
    }

    fn paper(&self, x: f32, z: f32, pixel: f32) -> Texel {
        let fibre = (value(x * 90.0, z * 90.0, self.seed) - 0.5) * visible(90.0, pixel);
        let cloud = fbm(x * 0.8, z * 0.8, 2, self.seed ^ 1) - 0.5;
        Texel { gloss: 0.03, ..Texel::matte(scale(self.color, 1.0 + 0.03 * fibre + 0.05 * cloud)) }
    }

    fn wood(&self, x: f32, z: f32, pixel: f32) -> Texel {
        let width = 0.34;
        let plank = (z / width).floor();
        let within = z / width - plank;
        let id = plank as i32;
        let shift = uniform(id, 0, self.seed) * 40.0;
        let bend = 0.05 * (fbm(x * 0.7 + shift, z * 1.1, 2, self.seed) - 0.5);
        let zz = z + bend;
        // Growth rings cut lengthwise: bands whose distance varies, over fine pores.
        let rings = (fbm(x * 0.35 + shift, zz * 5.0, 3, self.seed ^ 2) * 26.0 + zz * 20.0).sin() * 0.5 + 0.5;
        let fine = fbm(x * 3.0 + shift, zz * 70.0, octaves(70.0, pixel, 3), self.seed ^ 3);
        let pores =
            smoothstep(0.6, 0.8, value(x * 9.0 + shift, zz * 160.0, self.seed ^ 4)) * visible(160.0, pixel);
        let grain = 0.22 * rings * visible(24.0, pixel) + 0.55 * fine;
        let tone =
            0.84 + 0.3 * uniform(id, 1, self.seed) + 0.16 * (fbm(x * 0.5 + shift, z, 2, self.seed ^ 5) - 0.5);
        let edge = (within.min(1.0 - within) * width).max(0.0);
        let joint = 1.0 - (1.0 - smoothstep(0.0, 0.006 + pixel, edge)) * (0.65 * 0.008 / (0.008 + pixel));
        let albedo =
            scale(mix(self.color, self.second, (grain + 0.25 * pores).clamp(0.0, 1.0)), tone * joint);
        Texel { albedo, gloss: 0.16 * (1.0 - 0.4 * fine), tilt: [0.0, 0.02 * (fine - 0.5)] }
    }

    fn marble(&self, x: f32, z: f32, pixel: f32) -> Texel {
        let (wx, wz) = (fbm(x * 1.1, z * 1.1, 3, self.seed), fbm(x * 1.1 + 7.7, z * 1.1, 3, self.seed ^ 9));
        let (u, v) = (x + 1.1 * wx + 0.6 * z, z + 1.1 * wz);
        let ridge = |f: f32, s: u32| 1.0 - (2.0 * fbm(u * f, v * f, octaves(f, pixel, 4), s) - 1.0).abs();
        let broad = smoothstep(0.90, 1.0, ridge(0.75, self.seed ^ 2)).powf(1.4);
        let thin = smoothstep(0.93, 1.0, ridge(1.9, self.seed ^ 3)) * visible(8.0, pixel);
        let cloud = smoothstep(0.35, 0.75, fbm(u * 0.6, v * 0.6, 3, self.seed ^ 4));
        let place = smoothstep(0.3, 0.6, wz);
        let amount = 0.16 * cloud + 0.62 * broad * (0.35 + 0.65 * place) + 0.3 * thin * place;
        Texel { albedo: mix(self.color, self.second, amount.min(1.0)), gloss: 0.5, tilt: [0.0; 2] }
    }

    fn cloth(&self, x: f32, z: f32, pixel: f32, fold: f32, threads: f32) -> Texel {
        let w = fbm(x * 0.6, z * 0.6, 2, self.seed);
        let height = |x: f32, z: f32| {
            let f = value(x * 0.7 + z * 1.5 + 3.0 * w, z * 0.3 - x * 0.2, self.seed ^ 1);
            1.0 - (2.0 * f - 1.0).abs()
        };
        let tilt = slope(height, x, z, 0.03, fold);
        let weave = {
            let (a, b) = ((x * threads).sin(), (z * threads).sin());
            let slub = value(x * 4.0, z * threads * 0.3, self.seed ^ 2)
                + value(x * threads * 0.3, z * 4.0, self.seed ^ 3);
            0.5 * (a * b) * visible(threads / 3.0, pixel) + (slub - 1.0) * visible(threads * 0.3, pixel)
        };
        Texel { albedo: scale(self.color, 1.0 + 0.10 * weave), gloss: 0.0, tilt }
    }

    fn velvet(&self, x: f32, z: f32, pixel: f32) -> Texel {
        let base = self.cloth(x, z, pixel, 0.22, 200.0);
        // Pile that leans away from the eye shines: the slopes are brighter than the crests.
        let sheen = (base.tilt[0].abs() * 1.6 + base.tilt[1].max(0.0)).min(1.0);
        Texel {
            albedo: mix(scale(self.color, 0.75), self.second, 0.8 * sheen * sheen),
            gloss: 0.05,
            tilt: base.tilt,
        }
    }

    fn concrete(&self, x: f32, z: f32, pixel: f32) -> Texel {
        let cloud = fbm(x * 1.3, z * 1.3, octaves(1.3, pixel, 5), self.seed) - 0.5;
        let grit = (value(x * 60.0, z * 60.0, self.seed ^ 1) - 0.5) * visible(60.0, pixel);
        let pit = worley(x * 9.0, z * 9.0, self.seed ^ 2);
        let hole =
            (1.0 - smoothstep(0.03, 0.09, pit.near)) * f32::from((pit.id & 7) < 2) * visible(14.0, pixel);
        let k = 1.0 + 0.34 * cloud + 0.08 * grit - 0.35 * hole;
        Texel {
            albedo: mix(scale(self.color, k), self.second, (0.3 * cloud).max(0.0)),
            gloss: 0.08,
            tilt: [0.0; 2],
        }
    }

    fn sand(&self, x: f32, z: f32, pixel: f32) -> Texel {
        let height = |x: f32, z: f32| {
            let w = fbm(x * 0.8, z * 0.8, 3, self.seed);
            0.030 * ((z * 17.0 + 7.0 * w + 2.0 * x).sin() * (0.35 + w)) + 0.28 * w
        };
        let tilt = slope(height, x, z, 0.02, 0.55 * visible(5.0, pixel) + 0.1);
        let grain =
            (uniform((x * 260.0) as i32, (z * 260.0) as i32, self.seed) - 0.5) * visible(150.0, pixel);
        let fine = (value(x * 70.0, z * 70.0, self.seed ^ 1) - 0.5) * visible(70.0, pixel);
        let tone = 1.0 + 0.14 * grain + 0.12 * fine + 0.1 * (fbm(x, z, 3, self.seed ^ 3) - 0.5);
        Texel { tilt, ..Texel::matte(scale(self.color, tone)) }
    }

    fn metal(&self, x: f32, z: f32, pixel: f32) -> Texel {
        let brush = fbm(x * 2.0, z * 220.0, 2, self.seed) - 0.5;
        let seen = 0.35 + 0.65 * visible(120.0, pixel);
        let albedo = scale(self.color, 0.92 + 0.2 * brush * seen);
        Texel { albedo, gloss: 0.55, tilt: [0.0, 0.05 * brush * seen] }
    }

    fn grass(&self, x: f32, z: f32, pixel: f32) -> Texel {
        let far = 1.0 - visible(30.0, pixel);
        let blades = fbm(x * 34.0, z * 9.0, octaves(34.0, pixel, 3), self.seed);
        let tips = value(x * 80.0 + 4.0 * blades, z * 22.0, self.seed ^ 1);
        let patch = fbm(x * 1.2, z * 1.2, 3, self.seed ^ 2);
        let light = smoothstep(0.25, 0.85, 0.55 * blades + 0.45 * tips) * (1.0 - far) + 0.45 * far;
        let color = mix(scale(self.color, 0.35), self.second, light);
        Texel { tilt: [0.3 * (blades - 0.5), 0.0], ..Texel::matte(scale(color, 0.75 + 0.5 * patch)) }
    }

    fn snow(&self, x: f32, z: f32, pixel: f32) -> Texel {
        let height = |x: f32, z: f32| fbm(x * 1.3, z * 1.3, 4, self.seed);
        let tilt = slope(height, x, z, 0.03, 0.5);
        let sparkle = smoothstep(0.985, 1.0, uniform((x * 150.0) as i32, (z * 150.0) as i32, self.seed ^ 1));
        let grain = (value(x * 60.0, z * 60.0, self.seed ^ 2) - 0.5) * visible(60.0, pixel);
        Texel {
            tilt,
            ..Texel::matte(scale(self.color, 1.0 + 0.05 * grain + 0.35 * sparkle * visible(100.0, pixel)))
        }
    }

    fn water(&self, x: f32, z: f32, pixel: f32) -> Texel {
        let height = |x: f32, z: f32| {
            let w = fbm(x * 1.4, z * 1.4, 2, self.seed);
            0.5 * value(x * 3.0 + w, z * 5.5, self.seed ^ 1)
                + 0.2 * value(x * 9.0, z * 14.0 + w, self.seed ^ 2)
        };
        let tilt = slope(height, x, z, 0.02, 0.07 * visible(6.0, pixel) + 0.01);
        // Light focused by the waves draws a net on the bottom.
        let net = |s: u32, f: f32| {
            let c = worley(x * f + 0.6 * value(x * 3.0, z * 3.0, s), z * f, s);
            1.0 - smoothstep(0.0, 0.16, c.second - c.near)
        };
        let caustic = (net(self.seed ^ 4, 2.6) + 0.6 * net(self.seed ^ 5, 4.1)) * visible(6.0, pixel);
        Texel { albedo: mix(self.color, self.second, (0.5 * caustic).min(1.0)), gloss: 0.75, tilt }
    }

    fn terrazzo(&self, x: f32, z: f32, pixel: f32) -> Texel {
        let mut albedo = scale(self.color, 1.0 + 0.05 * (fbm(x * 2.0, z * 2.0, 3, self.seed) - 0.5));
        for (layer, frequency, size) in [(0u32, 7.0, 0.42), (1, 13.0, 0.36), (2, 26.0, 0.3)] {
            let warp = 0.35 * value(x * frequency * 2.0, z * frequency * 2.0, self.seed ^ (layer + 5));
            let chip = worley(x * frequency + warp, z * frequency - warp, self.seed.wrapping_add(layer));
            let radius = size * (0.45 + 0.55 * ((chip.id >> 8) & 255) as f32 / 255.0);
            let soft = 0.02 + frequency * pixel;
            let inside =
                (1.0 - smoothstep(radius - soft, radius + soft, chip.near)) * visible(frequency * 0.8, pixel);
            let shade = 0.6 + 0.8 * ((chip.id >> 16) & 255) as f32 / 255.0;
            let color = match chip.id % 4 {
                0 => scale(self.second, shade),
                1 => mix(self.second, [0.75, 0.72, 0.66], 0.65),
                2 => scale([0.09, 0.085, 0.08], shade),
                _ => scale(mix(self.color, self.second, 0.5), shade),
            };
            albedo = mix(albedo, color, 0.9 * inside);
        }
        Texel { albedo, gloss: 0.4, tilt: [0.0; 2] }
    }

    fn tiles(&self, x: f32, z: f32, pixel: f32) -> Texel {
        let (u, v) = (x / 0.62, z / 0.62);
        let (iu, iv) = (u.floor(), v.floor());
        let edge = |t: f32| (t.min(1.0 - t)) * 0.62;
        let joint = smoothstep(0.004, 0.010 + pixel, edge(u - iu).min(edge(v - iv)));
        let tone = 0.95 + 0.1 * uniform(iu as i32, iv as i32, self.seed);
        let cloud = 1.0 + 0.12 * (fbm(x * 2.5, z * 2.5, 3, self.seed ^ 1) - 0.5);
        let albedo = mix(self.second, scale(self.color, tone * cloud), joint);
        Texel { albedo, gloss: 0.4 * joint, tilt: [0.0; 2] }
    }

    fn slate(&self, x: f32, z: f32, pixel: f32) -> Texel {
        let height = |x: f32, z: f32| fbm(x * 2.2, z * 4.0, octaves(4.0, pixel, 5), self.seed);
        let tilt = slope(height, x, z, 0.02, 0.14);
        let layers = fbm(x * 0.9 + 5.0, z * 2.6, 4, self.seed ^ 1);
        let dust = smoothstep(0.55, 0.9, fbm(x * 6.0, z * 6.0, octaves(6.0, pixel, 4), self.seed ^ 2));
        let albedo = mix(scale(self.color, 0.7 + 0.6 * layers), self.second, 0.25 * dust);
        Texel { albedo, gloss: 0.22, tilt }
    }

    fn rug(&self, x: f32, z: f32, pixel: f32) -> Texel {
        let tuft = worley(x * 26.0, z * 26.0, self.seed);
        let loops = (1.0 - smoothstep(0.1, 0.75, tuft.near)) * visible(26.0, pixel)
            + 0.5 * (1.0 - visible(26.0, pixel));
        let tone = 0.72 + 0.42 * loops + 0.12 * (fbm(x, z, 2, self.seed ^ 1) - 0.5);
        let k = visible(26.0, pixel) * 0.35;
        let tilt = [tuft.offset[0] * k, tuft.offset[1] * k];
        Texel {
            tilt,
            ..Texel::matte(scale(mix(self.color, self.second, 0.25 * ((tuft.id & 255) as f32 / 255.0)), tone))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn materials_are_sane_everywhere() {
        use SurfaceKind as S;
        let kinds = [
            S::Paper,
            S::Wood,
            S::Marble,
            S::Linen,
            S::Concrete,
            S::Sand,
            S::Acrylic,
            S::Metal,
            S::Grass,
            S::Snow,
            S::Water,
            S::Terrazzo,
            S::Velvet,
            S::Tiles,
            S::Slate,
            S::Rug,
        ];
        for kind in kinds {
            let surface =
                Surface { kind, color: [0.5, 0.4, 0.3], second: [0.2, 0.15, 0.1], scale: 1.0, seed: 3 };
            for i in 0..400 {
                let (x, z) = ((i % 20) as f32 * 0.37 - 3.0, (i / 20) as f32 * -0.9 + 1.0);
                let texel = surface.at(x, z, 0.002 * (1.0 + i as f32 * 0.1));
                assert!(texel.albedo.iter().all(|v| (0.0..=1.3).contains(v)), "{kind:?} {texel:?}");
                assert!(
                    (0.0..=1.0).contains(&texel.gloss) && texel.tilt.iter().all(|t| t.abs() < 3.0),
                    "{kind:?} {texel:?}"
                );
            }
        }
    }
}
