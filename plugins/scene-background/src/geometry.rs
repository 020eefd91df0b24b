//! Solids and rays: where a ray hits, with which normal, and how much of the light a solid hides.

use crate::scene::Rgb;
use adeval_compositing::noise::smoothstep;

/// A point or a direction.
pub type V3 = [f32; 3];

/// Scalar product.
pub fn dot(a: V3, b: V3) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

/// `a + b * k`.
pub fn along(a: V3, b: V3, k: f32) -> V3 {
    [a[0] + b[0] * k, a[1] + b[1] * k, a[2] + b[2] * k]
}

/// `a - b`.
pub fn minus(a: V3, b: V3) -> V3 {
    along(a, b, -1.0)
}

/// The direction of `a`, with length 1.
pub fn unit(a: V3) -> V3 {
    let k = 1.0 / dot(a, a).sqrt().max(1e-9);
    a.map(|v| v * k)
}

/// A solid's form, in its own frame.
#[derive(Debug, Clone, Copy)]
pub enum Form {
    /// Half axes of an ellipsoid.
    Ellipsoid(V3),
    /// Half sides of a box with a small bevel.
    Box(V3),
    /// Radius and half height of an upright cylinder with a small bevel.
    Cylinder(f32, f32),
}

/// How a solid's surface looks.
#[derive(Debug, Clone, Copy)]
pub struct Paint {
    /// Colour.
    pub color: Rgb,
    /// 0 matte to 1 polished.
    pub gloss: f32,
    /// Light that it gives off itself (candles, lamps).
    pub glow: f32,
}

/// A solid prop.
#[derive(Debug, Clone, Copy)]
pub struct Solid {
    /// Its form.
    pub form: Form,
    /// Its centre.
    pub center: V3,
    /// Rows of the rotation from the world into its own frame.
    pub turn: [V3; 3],
    /// Its surface.
    pub paint: Paint,
    /// Radius of the sphere around it.
    pub bound: f32,
}

/// Where a ray meets a solid.
#[derive(Debug, Clone, Copy)]
pub struct Hit {
    /// Distance along the ray.
    pub t: f32,
    /// Outward normal.
    pub normal: V3,
}

impl Solid {
    /// A solid turned by `yaw` about the upright axis and then leant by `pitch`, in radians.
    pub fn new(form: Form, center: V3, yaw: f32, pitch: f32, paint: Paint) -> Self {
        let (sy, cy) = yaw.sin_cos();
        let (sp, cp) = pitch.sin_cos();
        let turn = [[cy, 0.0, -sy], [sy * sp, cp, cy * sp], [sy * cp, -sp, cy * cp]];
        let bound = match form {
            Form::Ellipsoid(a) => a[0].max(a[1]).max(a[2]),
            Form::Box(h) => dot(h, h).sqrt(),
            Form::Cylinder(r, h) => r.hypot(h),
        };
        Self { form, center, turn, paint, bound }
    }

    fn local(&self, v: V3) -> V3 {
        self.turn.map(|row| dot(row, v))
    }

    fn world(&self, v: V3) -> V3 {
        std::array::from_fn(|i| v[0] * self.turn[0][i] + v[1] * self.turn[1][i] + v[2] * self.turn[2][i])
    }

    /// The first hit of a ray (direction of length 1) in front of its origin.
    pub fn hit(&self, origin: V3, direction: V3) -> Option<Hit> {
        let away = minus(origin, self.center);
        let b = dot(away, direction);
        if dot(away, away) - b * b > self.bound * self.bound {
            return None;
        }
        let (o, d) = (self.local(away), self.local(direction));
        let (t, normal) = match self.form {
            Form::Ellipsoid(a) => ellipsoid(o, d, a)?,
            Form::Box(h) => cuboid(o, d, h)?,
            Form::Cylinder(r, h) => cylinder(o, d, r, h)?,
        };
        Some(Hit { t, normal: self.world(normal) })
    }

    /// The share of an area light (half angle tangent `spread`) in direction `light` that the solid hides from a point.
    pub fn hides(&self, point: V3, light: V3, spread: f32) -> f32 {
        let to = minus(self.center, point);
        let ahead = dot(to, light);
        if ahead < -self.bound {
            return 0.0;
        }
        let miss = (dot(to, to) - ahead * ahead).max(0.0).sqrt();
        if miss > self.bound + spread * (ahead + self.bound).max(0.0) {
            return 0.0;
        }
        let (o, d) = (self.local(minus(point, self.center)), self.local(light));
        if let Form::Ellipsoid(a) = self.form {
            return ellipsoid_hides(o, d, a, spread);
        }
        // The narrowest gap between ray and solid, seen from the point, as in sphere-traced soft shadows.
        let end = ahead + self.bound;
        let (mut t, mut gap) = (0.015f32.max(ahead - 1.5 * self.bound), 1.0f32);
        for _ in 0..14 {
            let distance = self.distance(along(o, d, t));
            gap = gap.min(distance / (spread * t).max(1e-3));
            t += distance.abs().max(0.02);
            if gap < -1.0 || t > end {
                break;
            }
        }
        1.0 - smoothstep(-1.0, 1.0, gap)
    }

    /// How much the solid darkens the ambient light at a point with a normal (short-range occlusion), 0 to 1.
    pub fn occludes(&self, point: V3, normal: V3) -> f32 {
        let to = minus(self.center, point);
        let squared = dot(to, to);
        let reach = self.reach();
        if squared > reach * reach {
            return 0.0;
        }
        if let Form::Ellipsoid(a) = self.form {
            let radius = (a[0] * a[1] * a[2]).cbrt();
            let cos = dot(to, normal) / squared.sqrt().max(1e-4);
            return (cos.max(0.0) * radius * radius / squared.max(radius * radius)).min(0.9);
        }
        let distance = self.distance(self.local(minus(point, self.center))).max(0.0);
        let range = 0.3 * self.bound + 0.03;
        0.5 * (-distance / (0.35 * range)).exp() * (1.0 - smoothstep(0.0, reach, squared.sqrt()))
    }

    /// How far its occlusion reaches.
    fn reach(&self) -> f32 {
        self.bound * 2.5 + 0.25
    }

    /// Signed distance from a point in the solid's own frame (box and cylinder).
    fn distance(&self, p: V3) -> f32 {
        match self.form {
            Form::Ellipsoid(a) => {
                let k = (p[0] / a[0]).hypot(p[1] / a[1]).hypot(p[2] / a[2]);
                (k - 1.0) * a[0].min(a[1]).min(a[2])
            }
            Form::Box(h) => {
                let q: V3 = std::array::from_fn(|i| p[i].abs() - h[i]);
                let outside = q.map(|v| v.max(0.0));
                dot(outside, outside).sqrt() + q[0].max(q[1]).max(q[2]).min(0.0)
            }
            Form::Cylinder(r, h) => {
                let (x, y) = (p[0].hypot(p[2]) - r, p[1].abs() - h);
                x.max(0.0).hypot(y.max(0.0)) + x.max(y).min(0.0)
            }
        }
    }
}

/// Neighbouring solids in one sphere, so that a ray or a place far from all of them needs one test only.
#[derive(Debug, Clone)]
pub struct Group {
    center: V3,
    radius: f32,
    reach: f32,
    /// The solids' places in the list that was grouped.
    pub members: std::ops::Range<usize>,
}

impl Group {
    /// Groups of solids that follow each other in the list; props of many parts add them in a row.
    pub fn all(solids: &[Solid]) -> Vec<Self> {
        const SIZE: usize = 6;
        let group = |(i, members): (usize, &[Solid])| {
            let share = 1.0 / members.len() as f32;
            let center = members.iter().fold([0.0; 3], |c, s| along(c, s.center, share));
            let far = |s: &Solid| dot(minus(s.center, center), minus(s.center, center)).sqrt() + s.bound;
            let radius = members.iter().map(far).fold(0.0, f32::max) * 1.001;
            let reach = members.iter().map(Solid::reach).fold(0.0, f32::max) + radius;
            Self { center, radius, reach, members: i * SIZE..i * SIZE + members.len() }
        };
        solids.chunks(SIZE).enumerate().map(group).collect()
    }

    /// Whether no member can hide any of the light from a point (see [`Solid::hides`]).
    pub fn misses(&self, point: V3, light: V3, spread: f32) -> bool {
        let to = minus(self.center, point);
        let ahead = dot(to, light);
        let miss = (dot(to, to) - ahead * ahead).max(0.0).sqrt();
        ahead < -self.radius || miss > self.radius + spread * (ahead + self.radius).max(0.0)
    }

    /// Whether no member can keep ambient light from a point (see [`Solid::occludes`]).
    pub fn is_far(&self, point: V3) -> bool {
        let to = minus(self.center, point);
        dot(to, to) > self.reach * self.reach
    }
}

fn ellipsoid(o: V3, d: V3, a: V3) -> Option<(f32, V3)> {
    let (os, ds): (V3, V3) = (std::array::from_fn(|i| o[i] / a[i]), std::array::from_fn(|i| d[i] / a[i]));
    let (qa, qb, qc) = (dot(ds, ds), dot(os, ds), dot(os, os) - 1.0);
    let root = qb * qb - qa * qc;
    if root < 0.0 {
        return None;
    }
    let t = (-qb - root.sqrt()) / qa;
    let p = along(o, d, t);
    (t > 1e-3).then(|| (t, unit(std::array::from_fn(|i| p[i] / (a[i] * a[i])))))
}

fn ellipsoid_hides(o: V3, d: V3, a: V3, spread: f32) -> f32 {
    let (os, ds): (V3, V3) = (std::array::from_fn(|i| o[i] / a[i]), std::array::from_fn(|i| d[i] / a[i]));
    let t = -dot(os, ds) / dot(ds, ds);
    if t <= 0.0 {
        return 0.0;
    }
    let p = along(os, ds, t);
    let size = a[0].min(a[1]).min(a[2]).max(0.3 * a[0].max(a[2]));
    let gap = (dot(p, p).sqrt() - 1.0) * size / (spread * t).max(2e-3);
    1.0 - smoothstep(-1.0, 1.0, gap)
}

fn cuboid(o: V3, d: V3, h: V3) -> Option<(f32, V3)> {
    let (mut near, mut far, mut axis) = (f32::NEG_INFINITY, f32::INFINITY, 0);
    for i in 0..3 {
        let inverse = 1.0 / if d[i].abs() < 1e-7 { 1e-7 } else { d[i] };
        let (a, b) = ((-h[i] - o[i]) * inverse, (h[i] - o[i]) * inverse);
        if a.min(b) > near {
            near = a.min(b);
            axis = i;
        }
        far = far.min(a.max(b));
    }
    if near > far || near < 1e-3 {
        return None;
    }
    let p = along(o, d, near);
    let bevel = 0.03 * h[0].min(h[1]).min(h[2]) + 0.008;
    let mut normal: V3 =
        std::array::from_fn(|i| smoothstep(h[i] - bevel, h[i], p[i].abs()).copysign(p[i]) * 0.7);
    normal[axis] = -d[axis].signum();
    Some((near, unit(normal)))
}

fn cylinder(o: V3, d: V3, r: f32, h: f32) -> Option<(f32, V3)> {
    let (qa, qb, qc) =
        (d[0] * d[0] + d[2] * d[2], o[0] * d[0] + o[2] * d[2], o[0] * o[0] + o[2] * o[2] - r * r);
    let bevel = 0.02 * r.min(h) + 0.01;
    let root = qb * qb - qa * qc;
    if root < 0.0 {
        return None;
    }
    let t = (-qb - root.sqrt()) / qa.max(1e-9);
    let y = o[1] + d[1] * t;
    if t > 1e-3 && y.abs() <= h {
        let rim = smoothstep(h - bevel, h, y.abs()).copysign(y);
        return Some((t, unit([(o[0] + d[0] * t) / r, rim, (o[2] + d[2] * t) / r])));
    }
    let cap = (h.copysign(-d[1]) - o[1]) / d[1];
    let (x, z) = (o[0] + d[0] * cap, o[2] + d[2] * cap);
    let radius = x.hypot(z);
    if !(cap > 1e-3 && radius <= r) {
        return None;
    }
    let rim = smoothstep(r - bevel, r, radius) * 0.8;
    Some((cap, unit([x / r * rim, (-d[1]).signum(), z / r * rim])))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GREY: Paint = Paint { color: [0.5; 3], gloss: 0.0, glow: 0.0 };

    #[test]
    fn rays_hit_where_they_should() {
        for (form, t) in [
            (Form::Ellipsoid([1.0, 1.0, 1.0]), 4.0),
            (Form::Box([1.0, 1.0, 0.5]), 4.5),
            (Form::Cylinder(2.0, 1.0), 3.0),
        ] {
            let solid = Solid::new(form, [0.0, 0.0, 0.0], 0.0, 0.0, GREY);
            let hit = solid.hit([0.0, 0.0, 5.0], [0.0, 0.0, -1.0]).unwrap();
            assert!((hit.t - t).abs() < 1e-4 && hit.normal[2] > 0.99, "{form:?}: {hit:?}");
            assert!(solid.hit([0.0, 3.0, 5.0], [0.0, 0.0, -1.0]).is_none());
        }
    }

    #[test]
    fn groups_only_skip_what_has_no_effect() {
        let at = |i: usize| [0.3 * i as f32 - 2.0, 0.1 * (i % 4) as f32, -0.2 * (i % 3) as f32];
        let solids: Vec<Solid> = (0..14)
            .map(|i| Solid::new(Form::Ellipsoid([0.2, 0.1, 0.15]), at(i), i as f32, 0.2, GREY))
            .collect();
        let (light, groups) = (unit([0.6, 0.5, 0.3]), Group::all(&solids));
        let mut skipped = 0;
        for i in 0..1600 {
            let point = [(i % 40) as f32 * 0.2 - 4.0, -0.3, (i / 40) as f32 * 0.2 - 4.0];
            for group in &groups {
                let members = &solids[group.members.clone()];
                if group.misses(point, light, 0.1) {
                    skipped += 1;
                    assert!(members.iter().all(|s| s.hides(point, light, 0.1) == 0.0));
                }
                if group.is_far(point) {
                    assert!(members.iter().all(|s| s.occludes(point, [0.0, 1.0, 0.0]) == 0.0));
                }
            }
        }
        assert!(skipped > 1000, "{skipped} of 4800 skipped");
    }

    #[test]
    fn shadows_are_full_behind_and_none_beside() {
        for form in [Form::Ellipsoid([1.0; 3]), Form::Box([1.0; 3]), Form::Cylinder(1.0, 1.0)] {
            let solid = Solid::new(form, [0.0, 5.0, 0.0], 0.3, 0.0, GREY);
            assert!(solid.hides([0.0; 3], [0.0, 1.0, 0.0], 0.05) > 0.99, "{form:?}");
            assert!(solid.hides([4.0, 0.0, 0.0], [0.0, 1.0, 0.0], 0.05) < 0.01, "{form:?}");
        }
    }
}
