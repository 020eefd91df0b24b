//! Traces a ray through the scene and lights what it meets.

use crate::geometry::{Group, Hit, Solid, V3, along, dot, unit};
use crate::scene::{BackdropKind, Rgb, Scene, SurfaceKind};
use crate::set::{DISC_RADIUS, Place, disc_plane};
use crate::surface::Texel;
use crate::wall::{NICHE, niche};
use adeval_compositing::color::{add, hex, mix, mul, scale};
use adeval_compositing::noise::smoothstep;
use adeval_compositing::{Canvas, Plane, Silhouette};

/// What a ray found.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    /// Light towards the eye, linear.
    pub color: Rgb,
    /// Distance along the view axis, from the camera.
    pub depth: f32,
    /// Which thing it is; a change between neighbours is an edge.
    pub id: u32,
}

/// The scene with everything that is the same for all rays.
pub struct Stage<'a> {
    scene: &'a Scene,
    product: &'a Silhouette,
    contact: &'a Plane,
    /// Pixels for a product size.
    unit: f32,
    focal: f32,
    eye: V3,
    /// Column and row of the canvas at which the eye looks straight ahead.
    ahead: [f32; 2],
    light: V3,
    across: V3,
    up: V3,
    spread: f32,
    key: Rgb,
    fill: Rgb,
    /// The far backdrop on a coarse grid and its pixel size, where the lens blurs it anyway.
    far: Option<(Canvas, f32)>,
    groups: Vec<Group>,
}

impl<'a> Stage<'a> {
    /// A stage for a scene around a placed product; `contact` is the product's contact shadow,
    /// `lens` the blur (standard deviation in pixels) of what is infinitely far away.
    pub fn new(scene: &'a Scene, product: &'a Silhouette, contact: &'a Plane, lens: f32) -> Self {
        let unit = product.size().max(1.0);
        let center = 0.5 * product.canvas.0 as f32;
        let camera = scene.camera;
        let eye = [(center - product.foot_center()) / unit, camera.height, camera.distance];
        let light = scene.light.direction();
        let across = self::unit([light[2], 0.0, -light[0]]);
        let up = [
            across[1] * light[2] - across[2] * light[1],
            across[2] * light[0] - across[0] * light[2],
            across[0] * light[1] - across[1] * light[0],
        ];
        let up = if up[1] < 0.0 { up.map(|v| -v) } else { up };
        let spread = scene.light.softness.to_radians().tan();
        // Key and fill together give a level ground about its own colour.
        let fill = scene.light.fill;
        let key = scale(scene.light.color, 1.08 * (1.0 - fill) / light[1].max(0.42));
        let mut stage = Self {
            scene,
            product,
            contact,
            unit,
            focal: unit * camera.distance,
            eye,
            ahead: [center, product.anchor - camera.height * unit],
            light,
            across,
            up,
            spread,
            key,
            fill: scale(scene.light.fill_color, fill),
            far: None,
            groups: Group::all(&scene.solids),
        };
        let coarse = (lens / 4.0).min(6.0).floor();
        if !scene.backdrop.kind.is_wall() && coarse >= 2.0 {
            let far = scene.backdrop.coarse(product.canvas, coarse, stage.ahead, unit);
            stage.far = Some((far, coarse));
        }
        stage
    }

    /// What is seen at a place of the canvas, in pixels.
    pub fn look(&self, x: f32, y: f32, solids: &[u32]) -> Seen {
        let direction = [(x - self.ahead[0]) / self.focal, (self.ahead[1] - y) / self.focal, -1.0];
        let length = dot(direction, direction).sqrt();
        let ray = direction.map(|v| v / length);
        let mut nearest: Option<(u32, Hit)> = None;
        for &i in solids {
            if let Some(hit) = self.scene.solids[i as usize].hit(self.eye, ray)
                && nearest.is_none_or(|(_, n)| hit.t < n.t)
            {
                nearest = Some((i, hit));
            }
        }
        let ground = self.scene.meet(self.eye, ray);
        if let Some((i, hit)) = nearest.filter(|(_, hit)| ground.is_none_or(|g| hit.t < g.0)) {
            let solid = &self.scene.solids[i as usize];
            let color = self.solid(solid, along(self.eye, ray, hit.t), hit.normal, ray);
            return Seen { color, depth: hit.t / length, id: 16 + i };
        }
        match ground {
            Some((t, place)) => {
                let point = along(self.eye, ray, t);
                let color = self.place(point, place, ray, t, Some((x, y)));
                Seen { color, depth: t / length, id: place.id() }
            }
            None => Seen { color: self.beyond(ray), depth: 30.0, id: 0 },
        }
    }

    fn beyond(&self, ray: V3) -> Rgb {
        let k = self.scene.camera.distance / (-ray[2]).max(1e-3);
        let (u, v) = (ray[0] * k, ray[1] * k);
        let backdrop = &self.scene.backdrop;
        let coarse = self.far.as_ref().and_then(|(far, size)| {
            let (x, y) = ((self.ahead[0] + u * self.unit) / size, (self.ahead[1] - v * self.unit) / size);
            far.bilinear(x, y)
        });
        mul(coarse.unwrap_or_else(|| backdrop.vista(u, v)), backdrop.tint)
    }

    /// Lights a place on the ground or on the wall. `pixel` is where it is seen directly, `None` in a mirror.
    fn place(&self, point: V3, place: Place, ray: V3, t: f32, pixel: Option<(f32, f32)>) -> Rgb {
        let backdrop = &self.scene.backdrop;
        let size = t / self.focal;
        let height = point[1] - self.scene.ground;
        let (texel, normal) = match place {
            Place::Ground => {
                let texel = self.ground_texel(point, size);
                (texel, unit([texel.tilt[0], 1.0, texel.tilt[1]]))
            }
            Place::Cove(angle) => {
                let (sin, cos) = angle.sin_cos();
                let paper = self.scene.surface.at(point[0], point[2] - height, size);
                let wall = Texel { albedo: backdrop.color, gloss: 0.0, tilt: [0.0; 2] };
                let t = smoothstep(0.0, 1.0, sin);
                (Texel { albedo: mix(paper.albedo, wall.albedo, t), ..paper }, [0.0, cos, sin])
            }
            Place::Wall => {
                let texel = backdrop.wall(point[0], height, size);
                (texel, unit([texel.tilt[0], texel.tilt[1], 1.0]))
            }
            Place::Niche => (Texel { albedo: backdrop.second, gloss: 0.0, tilt: [0.0; 2] }, [0.0, 0.0, 1.0]),
            Place::Jamb => {
                let up = (height - NICHE[1]).max(0.0);
                (Texel { albedo: backdrop.color, gloss: 0.0, tilt: [0.0; 2] }, unit([-point[0], -up, 0.15]))
            }
            Place::Disc => (Texel { albedo: backdrop.second, gloss: 0.05, tilt: [0.0; 2] }, [0.0, 0.0, 1.0]),
        };
        let lit = self.light(point, normal, place, pixel.is_some());
        let mut occlusion = self.corner(point, place);
        if let (Some((x, y)), Place::Ground | Place::Cove(_)) = (pixel, place)
            && self.scene.ground > -1e-3
        {
            occlusion *=
                1.0 - self.scene.shadow_strength.min(1.2) * 0.9 * self.contact.at(x as i64, y as i64);
        }
        let mut color = mul(texel.albedo, scale(lit, occlusion));
        if pixel.is_some() && texel.gloss > 0.02 {
            color = self.mirror(color, point, normal, ray, texel, t);
        }
        self.haze(color, place, t)
    }

    fn ground_texel(&self, point: V3, size: f32) -> Texel {
        let surface = &self.scene.surface;
        // A pixel is drawn out along the line of sight on the ground.
        let stretch = (0.35 / (self.eye[1] - point[1]).abs().max(0.05)).clamp(1.0, 4.0);
        let mut texel = surface.at(point[0], point[2], size * stretch);
        for decal in &self.scene.decals {
            let shadow = decal.covers(
                point[0] + 0.35 * decal.size * self.light[0],
                point[2] + 0.35 * decal.size * self.light[2],
                0.25,
            );
            texel.albedo = scale(texel.albedo, 1.0 - 0.4 * shadow.0);
            let (cover, shade) = decal.covers(point[0], point[2], 2.0 * size / decal.size);
            if cover > 0.0 {
                texel.albedo = mix(texel.albedo, scale(decal.color, shade), cover);
                texel.gloss *= 1.0 - cover;
            }
        }
        texel
    }

    /// Light that arrives at a point: key through everything that hides it, rim light, and fill.
    fn light(&self, point: V3, normal: V3, place: Place, shadows: bool) -> Rgb {
        let facing = dot(normal, self.light).max(0.0);
        let mut key = facing;
        if key > 0.0 && shadows {
            key *= self.open(point, place);
        }
        if let Some(gobo) = &self.scene.gobo {
            key *= gobo.passes(dot(point, self.across), dot(point, self.up) - 0.5);
        }
        // A lamp at a finite distance: brighter where the product stands than in the corners.
        let away = point[0] * point[0] + 0.5 * point[2] * point[2];
        let near = 0.66 + 0.34 * (-away * 0.22).exp();
        let lean = 1.0 + 0.10 * (self.light[0] * point[0]).clamp(-1.5, 1.5);
        let sky = 0.62 + 0.38 * normal[1].max(0.0) + 0.22 * normal[2].max(0.0);
        let mut total = add(scale(self.key, key * near * lean), scale(self.fill, sky * (0.75 + 0.25 * near)));
        let rim = dot(normal, unit([-self.light[0], 0.5, 0.35])).max(0.0);
        total = add(total, scale(self.scene.rim, rim * near));
        for solid in self.scene.solids.iter().filter(|s| s.paint.glow > 0.0) {
            let to = crate::geometry::minus(solid.center, point);
            let squared = dot(to, to).max(0.01);
            let cos = (0.25 + 0.75 * dot(normal, to) / squared.sqrt()).max(0.0);
            total = add(total, scale(hex(0xffb45e), 0.10 * solid.paint.glow * cos / (squared + 0.05)));
        }
        total
    }

    /// The share of the key light that neither product nor props nor niche hide.
    fn open(&self, point: V3, place: Place) -> f32 {
        let mut open = 1.0f32;
        for group in self.groups.iter().filter(|g| !g.misses(point, self.light, self.spread)) {
            for solid in self.scene.solids[group.members.clone()].iter().filter(|s| s.paint.glow == 0.0) {
                open *= 1.0 - solid.hides(point, self.light, self.spread);
            }
        }
        let backdrop = &self.scene.backdrop;
        if matches!(place, Place::Niche | Place::Jamb) {
            let t = (-backdrop.distance - point[2]) / self.light[2].max(0.02);
            let q = along(point, self.light, t);
            let gap = niche(q[0], q[1] - self.scene.ground) / (self.spread * t).max(0.01);
            open *= 1.0 - smoothstep(-1.0, 1.0, gap);
        }
        if backdrop.kind == BackdropKind::Disc && place != Place::Disc && self.light[2] > 0.05 {
            let t = (disc_plane(backdrop.distance) - point[2]) / self.light[2];
            if t > 0.0 {
                let q = along(point, self.light, t);
                let gap = (q[0].hypot(q[1] - self.scene.ground - DISC_RADIUS) - DISC_RADIUS)
                    / (self.spread * t).max(0.01);
                open *= smoothstep(-1.0, 1.0, gap);
            }
        }
        open * (1.0 - (0.92 * self.scene.shadow_strength).min(1.0) * self.product_hides(point))
    }

    /// The product's shadow: its silhouette on a card that stands on its foot and faces the light.
    fn product_hides(&self, point: V3) -> f32 {
        let flat = self.light[0].hypot(self.light[2]).max(0.05);
        let face = [self.light[0] / flat, self.light[2] / flat];
        let behind = -(face[0] * point[0] + face[1] * point[2]);
        let t = behind / flat;
        if t < -0.02 {
            return 0.0;
        }
        let hit = along(point, self.light, t);
        let u = (face[1] * hit[0] - face[0] * hit[2]) * if face[1] < 0.0 { -1.0 } else { 1.0 };
        let sigma = (t.max(0.0) * self.spread * 0.55 * self.unit).max(0.004 * self.unit + 0.6);
        let x = self.product.foot_center() + u * self.unit;
        self.product.coverage(x, self.product.base - hit[1] * self.unit, sigma)
    }

    /// Ambient light that corners, props and the product's foot keep out; 1 is open.
    fn corner(&self, point: V3, place: Place) -> f32 {
        let normal = if place == Place::Ground { [0.0, 1.0, 0.0] } else { [0.0, 0.0, 1.0] };
        let mut open = 1.0f32;
        for group in self.groups.iter().filter(|g| !g.is_far(point)) {
            for solid in &self.scene.solids[group.members.clone()] {
                open *= 1.0 - 0.75 * solid.occludes(point, normal);
            }
        }
        let backdrop = &self.scene.backdrop;
        let height = point[1] - self.scene.ground;
        let depth = point[2] + backdrop.distance;
        match place {
            Place::Ground if backdrop.kind.is_wall() && backdrop.kind != BackdropKind::Sweep => {
                open *= 1.0 - 0.30 * (-depth.max(0.0) * 5.0).exp();
            }
            Place::Wall => open *= 1.0 - 0.30 * (-height * 5.0).exp(),
            Place::Niche => {
                let inside = -niche(point[0], height);
                open *= (0.62 + 0.38 * smoothstep(0.0, 0.4, inside)) * (1.0 - 0.25 * (-height * 6.0).exp());
            }
            _ => {}
        }
        // A wide, weak darkening where the product keeps the sky away.
        let foot = 0.5 * (self.product.foot.1 - self.product.foot.0) / self.unit;
        let distance = (point[0].hypot(1.4 * point[2]) - foot).max(0.0) + (point[1]).abs();
        open * (1.0 - 0.22 * self.scene.shadow_strength.min(1.5) * (-distance * 4.5).exp())
    }

    /// Adds what a glossy surface mirrors.
    fn mirror(&self, color: Rgb, point: V3, normal: V3, ray: V3, texel: Texel, t: f32) -> Rgb {
        let cos = -dot(normal, ray);
        let bounce = along(ray, normal, 2.0 * cos);
        let bounce = unit([bounce[0], bounce[1].max(0.02), bounce[2]]);
        let metal = self.scene.surface.kind == SurfaceKind::Metal;
        let fresnel = 0.04 + 0.96 * (1.0 - cos.clamp(0.0, 1.0)).powi(5);
        let amount = if metal { texel.gloss } else { texel.gloss * fresnel };
        if amount < 0.01 {
            return color;
        }
        let mut seen = None;
        for (i, solid) in self.scene.solids.iter().enumerate() {
            if let Some(hit) = solid.hit(along(point, bounce, 0.01), bounce)
                && seen.is_none_or(|(_, n): (usize, Hit)| hit.t < n.t)
            {
                seen = Some((i, hit));
            }
        }
        let image = match (seen, self.scene.meet(point, bounce)) {
            (Some((i, hit)), g) if g.is_none_or(|g| hit.t < g.0) => {
                let paint = self.scene.solids[i].paint;
                mul(paint.color, self.light(along(point, bounce, hit.t), hit.normal, Place::Wall, false))
            }
            (_, Some((s, place))) => self.place(along(point, bounce, s), place, bounce, t + s, None),
            _ => self.beyond(bounce),
        };
        let image = if metal { mul(image, scale(texel.albedo, 1.4)) } else { image };
        let half = unit(along(self.light, ray, -1.0));
        let shine = dot(normal, half).max(0.0).powi(if texel.gloss > 0.4 { 220 } else { 40 });
        add(mix(color, image, amount), scale(self.key, shine * texel.gloss * 0.35))
    }

    fn solid(&self, solid: &Solid, point: V3, normal: V3, ray: V3) -> Rgb {
        if solid.paint.glow > 0.0 {
            return scale(solid.paint.color, solid.paint.glow);
        }
        let facing = dot(normal, self.light).max(0.0);
        let mut open = 1.0f32;
        if facing > 0.0 {
            let from = along(point, normal, 0.012);
            let near = self.groups.iter().filter(|g| !g.misses(from, self.light, self.spread));
            for other in near.flat_map(|g| &self.scene.solids[g.members.clone()]) {
                if !std::ptr::eq(other, solid) && other.paint.glow == 0.0 {
                    open *= 1.0 - other.hides(from, self.light, self.spread);
                }
            }
            open *= 1.0 - (0.92 * self.scene.shadow_strength).min(1.0) * self.product_hides(point);
        }
        let mut light = self.light(point, normal, Place::Wall, false);
        light = add(light, scale(self.key, -facing * (1.0 - open) * 0.85).map(|v| v.max(-0.8)));
        // Light that the ground throws back from below, and the darkness near it.
        let bounce = scale(mul(self.scene.surface.color, self.fill), 0.5 * (-normal[1]).max(0.0) + 0.12);
        let height = (point[1] - self.scene.ground).max(0.0);
        let ambient = 1.0 - 0.35 * (-height * 9.0).exp() * (1.0 - normal[1].max(0.0));
        let mut color = mul(solid.paint.color, add(scale(light.map(|v| v.max(0.02)), ambient), bounce));
        if normal[1] > 0.8 && point[1].abs() < 0.02 {
            let (x, y) = self.project(point);
            color = scale(
                color,
                1.0 - self.scene.shadow_strength.min(1.2) * 0.8 * self.contact.at(x as i64, y as i64),
            );
        }
        if solid.paint.gloss > 0.0 {
            let half = unit(along(self.light, ray, -1.0));
            let power = 12.0 + 140.0 * solid.paint.gloss;
            let shine = dot(normal, half).max(0.0).powf(power) * open;
            let fresnel = (1.0 + dot(normal, ray)).clamp(0.0, 1.0).powi(4);
            color = add(color, scale(self.key, shine * solid.paint.gloss * 0.7));
            color = mix(color, self.scene.backdrop.color, 0.35 * fresnel * solid.paint.gloss);
        }
        color
    }

    fn project(&self, p: V3) -> (f32, f32) {
        let k = self.focal / (self.eye[2] - p[2]).max(1e-3);
        (self.ahead[0] + (p[0] - self.eye[0]) * k, self.ahead[1] + (self.eye[1] - p[1]) * k)
    }

    /// Rows between which a solid can be seen, with a margin of a pixel.
    pub fn rows(&self, solid: &Solid) -> (f32, f32) {
        let near = (self.eye[2] - solid.center[2] - solid.bound).max(0.05);
        let radius = solid.bound * self.focal / near;
        let (_, y) = self.project(solid.center);
        (y - radius * 1.2 - 2.0, y + radius * 1.2 + 2.0)
    }

    /// Open ground fades into the colour of the horizon.
    fn haze(&self, color: Rgb, place: Place, t: f32) -> Rgb {
        if place != Place::Ground || !self.scene.backdrop.endless {
            return color;
        }
        let far = (t - self.scene.camera.distance).max(0.0);
        let backdrop = &self.scene.backdrop;
        let rate =
            if backdrop.kind == BackdropKind::Beach { 0.03 } else { 1.0 / backdrop.distance.min(22.0) };
        mix(color, mul(backdrop.vista(0.0, 0.02), backdrop.tint), 0.85 * (1.0 - (-far * rate).exp()))
    }
}
