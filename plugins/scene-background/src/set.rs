//! The set: ground, wall, sweep, niche and disc, and where a ray meets them.

use crate::geometry::V3;
use crate::scene::{BackdropKind, Scene};
use crate::wall::{NICHE, niche};

/// Radius of the round disc before the wall, which stands on the ground.
pub(crate) const DISC_RADIUS: f32 = 0.55;

impl Scene {
    /// Where a ray meets the ground or the wall, and at which distance.
    pub(crate) fn meet(&self, origin: V3, ray: V3) -> Option<(f32, Place)> {
        let backdrop = &self.backdrop;
        let ground = self.ground;
        let down = if ray[1] < -1e-5 { (ground - origin[1]) / ray[1] } else { f32::INFINITY };
        if !backdrop.kind.is_wall() {
            let end = -backdrop.distance;
            let z = origin[2] + ray[2] * down;
            return (down > 1e-3 && down.is_finite() && z > end).then_some((down, Place::Ground));
        }
        let back = if ray[2] < -1e-5 { (-backdrop.distance - origin[2]) / ray[2] } else { f32::INFINITY };
        if backdrop.kind == BackdropKind::Sweep {
            return cove(origin, ray, ground, backdrop.distance, down, back);
        }
        if down < back {
            return (down > 1e-3).then_some((down, Place::Ground));
        }
        if !(back > 1e-3 && back.is_finite()) {
            return None;
        }
        let (x, y) = (origin[0] + ray[0] * back, origin[1] + ray[1] * back);
        if backdrop.kind == BackdropKind::Disc
            && let Some(t) = disc(origin, ray, ground, backdrop.distance).filter(|&t| t < back.min(down))
        {
            return Some((t, Place::Disc));
        }
        if backdrop.kind == BackdropKind::Arch && niche(x, y - ground) < 0.0 {
            let t = (-backdrop.distance - NICHE[2] - origin[2]) / ray[2];
            let (x, y) = (origin[0] + ray[0] * t, origin[1] + ray[1] * t);
            if y < ground {
                return Some((down, Place::Ground));
            }
            return Some((t, if niche(x, y - ground) < 0.0 { Place::Niche } else { Place::Jamb }));
        }
        Some((back, Place::Wall))
    }
}

/// What kind of place a ray ended on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Place {
    /// On the ground.
    Ground,
    /// On the curve of a sweep, at this angle from the ground (radians).
    Cove(f32),
    /// On the wall.
    Wall,
    /// On the back of the niche.
    Niche,
    /// On the side of the niche.
    Jamb,
    /// On the round disc before the wall.
    Disc,
}

impl Place {
    /// A number that tells places apart.
    pub(crate) fn id(self) -> u32 {
        match self {
            Self::Ground | Self::Cove(_) => 1,
            Self::Wall => 2,
            Self::Niche => 3,
            Self::Jamb => 4,
            Self::Disc => 5,
        }
    }
}

/// A sweep: ground and wall joined by a quarter of a cylinder.
fn cove(origin: V3, ray: V3, ground: f32, distance: f32, down: f32, back: f32) -> Option<(f32, Place)> {
    const CURVE: f32 = 1.1;
    let axis = [ground + CURVE, -distance + CURVE];
    if down > 1e-3 && down.is_finite() && origin[2] + ray[2] * down >= axis[1] {
        return Some((down, Place::Ground));
    }
    if back > 1e-3 && back.is_finite() && origin[1] + ray[1] * back >= axis[0] {
        return Some((back, Place::Cove(std::f32::consts::FRAC_PI_2)));
    }
    let (oy, oz) = (origin[1] - axis[0], origin[2] - axis[1]);
    let (a, b) = (ray[1] * ray[1] + ray[2] * ray[2], oy * ray[1] + oz * ray[2]);
    let root = b * b - a * (oy * oy + oz * oz - CURVE * CURVE);
    if root < 0.0 {
        return None;
    }
    let t = (-b + root.sqrt()) / a.max(1e-9);
    let sin = ((axis[1] - origin[2] - ray[2] * t) / CURVE).clamp(0.0, 1.0);
    (t > 1e-3).then(|| (t, Place::Cove(sin.asin())))
}

/// Where the disc stands, along z.
pub(crate) fn disc_plane(distance: f32) -> f32 {
    -0.72 * distance
}

fn disc(origin: V3, ray: V3, ground: f32, distance: f32) -> Option<f32> {
    let t = (disc_plane(distance) - origin[2]) / ray[2];
    let (x, y) = (origin[0] + ray[0] * t, origin[1] + ray[1] * t - ground);
    (t > 1e-3 && x.hypot(y - DISC_RADIUS) < DISC_RADIUS).then_some(t)
}
