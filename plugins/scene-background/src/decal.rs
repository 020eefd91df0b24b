//! Flat things on the ground: leaves, petals, confetti.

use crate::scene::{Decal, DecalShape};
use adeval_compositing::noise::smoothstep;

impl Decal {
    /// How much of a place it covers, and its shade there; `soft` is the width of its edge in its own half lengths.
    pub(crate) fn covers(&self, x: f32, z: f32, soft: f32) -> (f32, f32) {
        let (dx, dz) = ((x - self.x) / self.size, (z - self.z) / self.size);
        if dx * dx + dz * dz > 1.6 {
            return (0.0, 1.0);
        }
        let (sin, cos) = self.angle.sin_cos();
        let (u, v) = (dx * cos + dz * sin, dz * cos - dx * sin);
        let half = match self.shape {
            DecalShape::Leaf => 0.36 * (1.0 - u * u).max(0.0).powf(0.8),
            DecalShape::Petal => 0.55 * ((1.0 - u * u).max(0.0)).sqrt() * (0.75 + 0.25 * u),
            DecalShape::Maple => {
                let angle = v.atan2(u);
                let lobes = 0.62 + 0.26 * (angle * 5.0).cos() + 0.08 * (angle * 15.0).cos();
                let inside = lobes - u.hypot(v);
                let rib = 1.0 - 0.18 * (1.0 - smoothstep(0.0, 0.05, (angle * 2.5).sin().abs() * u.hypot(v)));
                return (smoothstep(-0.5 * soft - 0.02, 0.5 * soft + 0.02, inside), rib * (0.85 + 0.3 * v));
            }
            DecalShape::Confetti => (0.45 - u.abs()).clamp(0.0, 0.3),
        };
        let cover =
            smoothstep(-0.5 * soft - 0.02, 0.5 * soft + 0.02, half - v.abs()) * f32::from(u.abs() < 1.0);
        let rib =
            if self.shape == DecalShape::Leaf { 1.0 - smoothstep(0.0, 0.05 + soft, v.abs()) } else { 0.0 };
        (cover, (1.0 + 0.55 * v + 0.1 * u) * (1.0 + 0.25 * rib))
    }
}
