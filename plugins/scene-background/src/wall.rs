//! Walls close behind the product: their colour and relief at a place on them.

use crate::scene::{Backdrop, BackdropKind};
use crate::surface::Texel;
use adeval_compositing::color::{mix, scale};
use adeval_compositing::noise::{fbm, smoothstep, uniform, value};

/// Half width, height of the springing line and depth of the arched niche.
pub const NICHE: [f32; 3] = [0.72, 0.75, 0.32];

impl Backdrop {
    /// The wall at `x` to the right and `y` above the ground; `pixel` is the size of a pixel there.
    pub fn wall(&self, x: f32, y: f32, pixel: f32) -> Texel {
        match self.kind {
            BackdropKind::Brick => self.brick(x, y, pixel),
            BackdropKind::TiledWall => self.glazed(x, y, pixel),
            BackdropKind::Slats => self.slats(x, y, pixel),
            BackdropKind::Curtain => self.curtain(x, y),
            BackdropKind::ConcreteWall => self.concrete(x, y, pixel),
            BackdropKind::Sweep | BackdropKind::Disc => {
                let cloud = fbm(x * 0.9, y * 0.9, 2, self.seed) - 0.5;
                Texel { albedo: scale(self.color, 1.0 + 0.04 * cloud), gloss: 0.0, tilt: [0.0; 2] }
            }
            _ => self.plaster(x, y),
        }
    }

    fn plaster(&self, x: f32, y: f32) -> Texel {
        // The strokes of the trowel bend with a slow warp, which may count as constant over one step.
        let w = fbm(x * 1.5, y * 1.5, 2, self.seed);
        let height = |x: f32, y: f32| fbm(x * 5.0 + 3.0 * w, y * 5.0 - 2.0 * w, 3, self.seed ^ 1);
        let here = height(x, y);
        let tilt = [(height(x + 0.02, y) - here) * -1.7, (height(x, y + 0.02) - here) * -1.7];
        let cloud = fbm(x * 0.9, y * 0.9, 2, self.seed ^ 2) - 0.5;
        Texel { albedo: scale(self.color, 1.0 + 0.16 * cloud + 0.06 * (here - 0.5)), gloss: 0.0, tilt }
    }

    fn concrete(&self, x: f32, y: f32, pixel: f32) -> Texel {
        let cloud = fbm(x * 1.2, y * 1.2, 5, self.seed) - 0.5;
        let streak = fbm(x * 5.0, y * 0.5, 3, self.seed ^ 1) - 0.5;
        let (u, v) = (x / 1.5 + 0.5, y / 1.1);
        let edge = |t: f32, side: f32| (0.5 - ((t - t.floor()) - 0.5).abs()) * side;
        let joint = smoothstep(0.004, 0.014 + pixel, edge(u, 1.5).min(edge(v, 1.1)));
        // Tie holes near the corners of each panel.
        let hole = (edge(u, 1.5) - 0.2).hypot(edge(v, 1.1) - 0.2);
        let hole = smoothstep(0.018, 0.026 + pixel, hole);
        let tone = (1.0 + 0.3 * cloud + 0.18 * streak) * (0.6 + 0.4 * joint) * (0.45 + 0.55 * hole);
        Texel { albedo: scale(self.color, tone), gloss: 0.0, tilt: [0.0; 2] }
    }

    fn brick(&self, x: f32, y: f32, pixel: f32) -> Texel {
        let (w, h) = (0.42, 0.135);
        let row = (y / h).floor();
        let u = x / w + 0.5 * (row as i32).rem_euclid(2) as f32;
        let column = u.floor();
        let wobble = 0.006 * (fbm(x * 9.0, y * 9.0, 2, self.seed) - 0.5);
        let du = (0.5 - (u - column - 0.5).abs()) * w + wobble;
        let dv = (0.5 - (y / h - row - 0.5).abs()) * h + wobble;
        let edge = du.min(dv);
        let face = smoothstep(0.006, 0.014 + pixel, edge);
        let rough = fbm(x * 14.0, y * 14.0, 3, self.seed ^ 1) - 0.5;
        let tone = 0.86 + 0.28 * uniform(column as i32, row as i32, self.seed) + 0.28 * rough;
        let bevel = 1.0 - smoothstep(0.006, 0.026, edge);
        let side = |inside: f32, distance: f32| {
            if distance <= edge + 1e-4 { inside.signum() * bevel * 0.6 } else { 0.0 }
        };
        let tilt = [side(u - column - 0.5, du), side(y / h - row - 0.5, dv)];
        let albedo = mix(scale(self.second, 0.85 + 0.3 * rough), scale(self.color, tone), face);
        Texel { albedo, gloss: 0.0, tilt }
    }

    fn glazed(&self, x: f32, y: f32, pixel: f32) -> Texel {
        let side = 0.2;
        let (u, v) = (x / side, y / side);
        let (iu, iv) = (u.floor(), v.floor());
        let (du, dv) = (u - iu - 0.5, v - iv - 0.5);
        let edge = (0.5 - du.abs()).min(0.5 - dv.abs()) * side;
        let face = smoothstep(0.003, 0.008 + pixel, edge);
        let tone = 0.9 + 0.2 * uniform(iu as i32, iv as i32, self.seed);
        let pillow = 1.0 - smoothstep(0.0, 0.03, edge);
        // Hand-made tiles lie a little askew.
        let askew = [
            uniform(iu as i32, iv as i32, self.seed ^ 1) - 0.5,
            uniform(iu as i32, iv as i32, self.seed ^ 2) - 0.5,
        ];
        let tilt = [0.5 * pillow * du + 0.08 * askew[0], 0.5 * pillow * dv + 0.08 * askew[1]];
        Texel { albedo: mix(self.second, scale(self.color, tone), face), gloss: 0.35 * face, tilt }
    }

    fn slats(&self, x: f32, y: f32, pixel: f32) -> Texel {
        let width = 0.16;
        let slat = (x / width).floor();
        let within = x / width - slat - 0.5;
        let id = slat as i32;
        let grain = fbm(x * 40.0, y * 1.6 + 20.0 * uniform(id, 0, self.seed), 3, self.seed ^ 1);
        let tone = 0.82 + 0.3 * uniform(id, 1, self.seed);
        let gap = smoothstep(0.36, 0.40 + pixel / width, within.abs());
        let round = smoothstep(0.22, 0.37, within.abs()) * within.signum();
        let albedo = scale(mix(self.color, self.second, 0.75 * grain), tone * (1.0 - 0.88 * gap));
        Texel { albedo, gloss: 0.08, tilt: [round * 0.7, 0.0] }
    }

    fn curtain(&self, x: f32, y: f32) -> Texel {
        let height = |x: f32| {
            let w = x
                + 0.16 * fbm(x * 1.2, y * 0.22, 2, self.seed)
                + 0.03 * y * (value(x * 0.7, 0.0, self.seed ^ 1) - 0.5);
            let fold = value(w * 3.6, 0.1 * y, self.seed ^ 2);
            0.20 * fold + 0.05 * value(w * 9.0, 0.2 * y, self.seed ^ 3)
        };
        let here = height(x);
        let tilt = [(height(x + 0.01) - here) * -110.0 * 0.9, 0.0];
        let depth = smoothstep(0.04, 0.2, here);
        Texel {
            albedo: scale(self.color, 0.55 + 0.5 * depth),
            gloss: 0.0,
            tilt: [tilt[0].clamp(-1.6, 1.6), 0.0],
        }
    }
}

/// Signed distance to the outline of the niche (negative inside), in product sizes.
pub fn niche(x: f32, y: f32) -> f32 {
    let [half, spring, _] = NICHE;
    if y > spring { x.hypot(y - spring) - half } else { x.abs() - half }
}
