//! The shadow of a placed product on a scene that is a picture: a contact line, and a cast shadow that is the
//! silhouette laid onto the ground away from the light, softer the farther it falls.

use crate::{Canvas, Light, Plane, Reflection, Silhouette, blur, reflect};
use image::RgbaImage;
use rayon::prelude::*;

/// How a product's shadow falls.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ShadowSpec {
    /// The light that makes it.
    pub light: Light,
    /// Strength of the cast shadow, 0 to 1.
    pub cast: f32,
    /// Strength of the dark line where the product touches the ground, 0 to 1.
    pub contact: f32,
    /// Rows of the picture for a unit of depth on the ground, as a share of a unit of height: the sine of the angle
    /// at which the camera looks down, 0.15 (low) to 1 (from above).
    pub tilt: f32,
    /// The row where the ground meets a wall; the shadow climbs the wall from there.
    pub wall: Option<f32>,
}

impl ShadowSpec {
    /// A natural shadow under a light, seen from a little above.
    pub fn under(light: &Light) -> Self {
        Self { light: *light, cast: 0.75, contact: 0.8, tilt: 0.32, wall: None }
    }
}

/// Shadow and reflection at once: darkens the canvas under the product and mirrors the product in it.
pub fn ground(
    canvas: &mut Canvas,
    silhouette: &Silhouette,
    product: &RgbaImage,
    spec: &ShadowSpec,
    reflection: Option<&Reflection>,
) {
    if let Some(reflection) = reflection {
        reflect(canvas, silhouette, product, reflection);
    }
    canvas.shade(&shadow(silhouette, spec), spec.light.shadow_tint());
}

/// Contact and cast shadow together: 0 is lit, 1 is full shadow; the canvas' size.
pub fn shadow(silhouette: &Silhouette, spec: &ShadowSpec) -> Plane {
    let mut plane = cast_shadow(silhouette, spec);
    let contact = contact_shadow(silhouette, spec.contact);
    for (s, c) in plane.data.iter_mut().zip(&contact.data) {
        *s = 1.0 - (1.0 - *s) * (1.0 - c);
    }
    plane
}

/// The cast shadow alone.
pub fn cast_shadow(silhouette: &Silhouette, spec: &ShadowSpec) -> Plane {
    let (w, h) = silhouette.canvas;
    let mut plane = Plane::filled(w, h, 0.0);
    let [dx, dy, dz] = spec.light.direction();
    let along = (-dx / dy).clamp(-1.8, 1.8);
    // Towards the wall is up in the picture; a shadow seen edge on would be a mere line.
    let back = (dz / dy * spec.tilt).clamp(-0.8, 0.8);
    let back = if back.abs() < 0.14 { 0.14f32.copysign(back) } else { back };
    let spread = (spec.light.softness.to_radians().tan() * (along * along + 1.0).sqrt()).clamp(0.01, 0.5);
    let sharpest = 0.004 * silhouette.size() + 0.6;
    let longest = silhouette.height;
    plane.data.par_chunks_mut(w.max(1)).enumerate().for_each(|(row, out)| {
        let y = row as f32 + 0.5;
        let (height, stretch) = match spec.wall.filter(|&wall| y < wall && back > 0.0) {
            Some(wall) => ((silhouette.anchor - wall) / back + (wall - y), (silhouette.anchor - wall) / back),
            None => ((silhouette.anchor - y) / back, f32::INFINITY),
        };
        if height < -0.02 * longest || height > longest * 1.05 {
            return;
        }
        let sigma = (height.max(0.0) * spread * 0.5).max(sharpest);
        let shift = along * height.min(stretch);
        // Light that comes around the product lifts the far end of its shadow.
        let fade = 1.0 - 0.45 * (height.max(0.0) / longest);
        for (column, s) in out.iter_mut().enumerate() {
            let x = column as f32 + 0.5 - shift;
            let covered = silhouette.coverage(x, silhouette.base - height, sigma);
            *s = covered * spec.cast * fade;
        }
    });
    plane
}

/// The contact shadow alone: a thin dark line under what touches the ground, in a wide soft occlusion.
pub fn contact_shadow(silhouette: &Silhouette, strength: f32) -> Plane {
    let (w, h) = silhouette.canvas;
    let size = silhouette.size();
    let foot = (silhouette.foot.1 - silhouette.foot.0).max(1.0);
    let wide = lines(silhouette, (0.05 * foot).max(1.0), (0.02 * foot).max(0.012 * size).max(0.8));
    let thin = lines(silhouette, (0.008 * size).max(0.7), (0.0055 * size).max(0.6));
    let mut plane = Plane::filled(w, h, 0.0);
    for ((s, a), b) in plane.data.iter_mut().zip(&thin.data).zip(&wide.data) {
        *s = strength * (1.0 - (1.0 - 0.75 * a.min(1.0)) * (1.0 - 0.6 * b.min(1.0)));
    }
    plane
}

/// The line of contact, blurred; 1 on a long straight line.
fn lines(silhouette: &Silhouette, sigma_x: f32, sigma_y: f32) -> Plane {
    let (w, h) = silhouette.canvas;
    let mut plane = Plane::filled(w, h, 0.0);
    let peak = sigma_y * (2.0 * std::f32::consts::PI).sqrt();
    for (i, (&bottom, &contact)) in silhouette.bottom.iter().zip(&silhouette.contact).enumerate() {
        let x = silhouette.left + i as f32;
        let y = bottom - 1.0;
        if contact > 0.0 && x >= 0.0 && y >= 0.0 && (x as usize) < w && (y as usize) < h {
            plane.data[y as usize * w + x as usize] += contact * peak;
        }
    }
    blur::gaussian_xy(&mut plane, sigma_x, sigma_y);
    plane
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgba;

    fn bottle() -> Silhouette {
        let image = RgbaImage::from_pixel(20, 60, Rgba([0, 90, 40, 255]));
        Silhouette::new(&image, (50, 30), (128, 128))
    }

    fn center(plane: &Plane) -> f32 {
        let mass: f32 = plane.data.iter().sum();
        plane.data.iter().enumerate().map(|(i, v)| v * (i % plane.width) as f32).sum::<f32>() / mass
    }

    #[test]
    fn the_shadow_falls_away_from_the_light() {
        let at = |azimuth| {
            center(&cast_shadow(&bottle(), &ShadowSpec::under(&Light { azimuth, ..Light::default() })))
        };
        assert!(at(-60.0) > 62.0, "light from the left: {}", at(-60.0));
        assert!(at(60.0) < 58.0, "light from the right: {}", at(60.0));
    }

    #[test]
    fn the_contact_line_is_under_the_product() {
        let plane = contact_shadow(&bottle(), 1.0);
        assert!(plane.at(60, 89) > 0.6, "{}", plane.at(60, 89));
        assert!(plane.at(60, 120) < 0.02 && plane.at(10, 89) < 0.02);
    }

    #[test]
    fn a_wall_turns_the_shadow_upwards() {
        let light = Light { azimuth: -40.0, elevation: 30.0, ..Light::default() };
        let spec = ShadowSpec { wall: Some(80.0), ..ShadowSpec::under(&light) };
        let (with, without) =
            (cast_shadow(&bottle(), &spec), cast_shadow(&bottle(), &ShadowSpec { wall: None, ..spec }));
        let top = |p: &Plane| p.data.iter().position(|&v| v > 0.2).unwrap() / p.width;
        assert!(top(&with) < top(&without));
    }
}
