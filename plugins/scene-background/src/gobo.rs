//! What stands between the light and the scene: window bars, blinds, leaves.

use adeval_compositing::Plane;
use adeval_compositing::noise::{fbm, smoothstep, uniform};

/// What breaks up the light.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GoboKind {
    /// A window with bars.
    Window,
    /// Slats of a blind.
    Blinds,
    /// Fronds of a palm.
    Palm,
    /// Light through a tree.
    Dapple,
}

/// A gobo: a mask in the plane across the light, in product sizes.
#[derive(Debug, Clone)]
pub struct Gobo {
    /// What it shows.
    pub kind: GoboKind,
    /// How much light it takes where it is dark, 0 to 1.
    pub depth: f32,
    /// Width of its soft edges, in product sizes.
    pub soft: f32,
    /// Shift across the light.
    pub shift: [f32; 2],
    /// Seed of leaves and dapples.
    pub seed: u32,
    fronds: Vec<Frond>,
    /// The palm's mask over `REACH` to all sides, as it is slow to draw.
    mask: Option<Plane>,
}

/// Half the side of the drawn mask, in product sizes, and its pixels.
const REACH: f32 = 2.4;
const MASK: usize = 288;

/// One leaflet of a frond: base, direction and length.
#[derive(Debug, Clone, Copy)]
struct Frond {
    base: [f32; 2],
    direction: [f32; 2],
    length: f32,
    width: f32,
}

impl Gobo {
    /// A gobo of a kind.
    pub fn new(kind: GoboKind, depth: f32, soft: f32, shift: [f32; 2], seed: u32) -> Self {
        let fronds = if kind == GoboKind::Palm { fronds(seed) } else { Vec::new() };
        let mut gobo = Self { kind, depth, soft, shift, seed, fronds, mask: None };
        if kind == GoboKind::Palm {
            let mut mask = Plane::filled(MASK, MASK, 0.0);
            let at = |i: usize| (i as f32 / (MASK - 1) as f32 * 2.0 - 1.0) * REACH;
            for (i, value) in mask.data.iter_mut().enumerate() {
                *value = gobo.palm(at(i % MASK), at(i / MASK));
            }
            gobo.mask = Some(mask);
        }
        gobo
    }

    /// The share of light that passes at a place across the light (a to the right, b up), 0 to 1.
    pub fn passes(&self, a: f32, b: f32) -> f32 {
        let (a, b) = (a + self.shift[0], b + self.shift[1]);
        let open = match self.kind {
            GoboKind::Window => self.window(a, b),
            GoboKind::Blinds => {
                // Slightly tilted slats, uneven in width.
                let v = (b + 0.12 * a) * 4.2;
                let edge = (v - v.round()).abs() * 2.0;
                let cord = 1.0 - 0.6 * (1.0 - smoothstep(0.0, 0.05 + self.soft, (a - 0.3).abs()));
                smoothstep(0.28 - self.soft * 3.0, 0.5 + self.soft * 3.0, edge) * cord
            }
            GoboKind::Palm => {
                let pixel = |v: f32| (v / REACH + 1.0) * 0.5 * (MASK - 1) as f32;
                let mask = self.mask.as_ref().filter(|_| a.abs() < REACH && b.abs() < REACH);
                1.0 - mask.map_or_else(|| self.palm(a, b), |m| m.sample(pixel(a), pixel(b)))
            }
            GoboKind::Dapple => {
                let n = fbm(a * 2.3 + 9.0, b * 2.3, 3, self.seed);
                smoothstep(0.42 - self.soft, 0.6 + self.soft, n)
            }
        };
        1.0 - self.depth * (1.0 - open)
    }

    fn window(&self, a: f32, b: f32) -> f32 {
        const PANE: [f32; 2] = [0.62, 0.72];
        let soft = self.soft.max(0.01);
        let slot = |v: f32, pane: f32, count: f32| {
            let inside = (v / pane).clamp(-count, count - 1e-3);
            let edge = (0.5 - ((inside - inside.floor()) - 0.5).abs()) * pane;
            let beyond = (v.abs() - count * pane).max(0.0);
            smoothstep(0.035 - soft, 0.035 + soft, edge - beyond)
        };
        slot(a + 0.16 * b, PANE[0], 1.0) * slot(b, PANE[1], 1.5)
    }

    fn palm(&self, a: f32, b: f32) -> f32 {
        let mut dark = 0.0f32;
        for frond in &self.fronds {
            let (x, y) = (a - frond.base[0], b - frond.base[1]);
            let s = x * frond.direction[0] + y * frond.direction[1];
            if s < -0.05 || s > frond.length + 0.05 {
                continue;
            }
            let t = (s / frond.length).clamp(0.0, 1.0);
            // A slender blade, widest at a third of its length.
            let half = frond.width * (t.powf(0.6) * (1.0 - t) * 2.0);
            let off = (y * frond.direction[0] - x * frond.direction[1]).abs();
            // Blades far from the stem hang farther from the light and blur more.
            let soft = self.soft * (0.6 + 0.8 * t);
            dark = dark.max(1.0 - smoothstep(half - soft, half + soft, off));
        }
        dark
    }
}

fn fronds(seed: u32) -> Vec<Frond> {
    let mut out = Vec::new();
    for stem in 0..3 {
        let r = |i: i32| uniform(stem, i, seed);
        let root = [-1.3 + 0.9 * stem as f32 + 0.3 * r(0), 1.5 + 0.3 * r(1)];
        let angle = -1.1 + 0.5 * (r(2) - 0.5) - 0.25 * stem as f32;
        let (sin, cos) = angle.sin_cos();
        for i in 0..11 {
            let t = 0.25 + 1.35 * i as f32 / 10.0;
            let base = [root[0] + cos * t, root[1] + sin * t];
            for side in [-1.0f32, 1.0] {
                let lean = angle + side * (0.95 - 0.03 * i as f32);
                let length =
                    0.62 * (1.0 - 0.045 * i as f32) * (0.85 + 0.3 * uniform(i, stem * 2 + side as i32, seed));
                out.push(Frond { base, direction: [lean.cos(), lean.sin()], length, width: 0.045 });
            }
        }
        out.push(Frond { base: root, direction: [cos, sin], length: 1.8, width: 0.02 });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_gobo_has_light_and_dark() {
        for kind in [GoboKind::Window, GoboKind::Blinds, GoboKind::Palm, GoboKind::Dapple] {
            let gobo = Gobo::new(kind, 0.8, 0.03, [0.0, 0.0], 5);
            let grid: Vec<f32> = (0..900)
                .map(|i| gobo.passes((i % 30) as f32 / 10.0 - 1.5, (i / 30) as f32 / 10.0 - 1.5))
                .collect();
            let lit = grid.iter().filter(|&&v| v > 0.9).count();
            let dark = grid.iter().filter(|&&v| v < 0.3).count();
            assert!(lit > 90 && dark > 30, "{kind:?}: {lit} lit, {dark} dark of 900");
        }
    }
}
