//! The mirror image of a product in a glossy surface.

use crate::{Canvas, Silhouette, blur, color::srgb_lut};
use image::RgbaImage;

/// How a surface mirrors the product that stands on it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reflection {
    /// Share of the mirror image at the contact line, 0 to 1; polished stone 0.2, acrylic 0.35.
    pub strength: f32,
    /// Blur, as a share of the product's size: 0 mirror, 0.01 satin.
    pub roughness: f32,
    /// How far below the contact line the mirror image has vanished, as a share of the product's height.
    pub reach: f32,
}

impl Default for Reflection {
    fn default() -> Self {
        Self { strength: 0.22, roughness: 0.006, reach: 0.4 }
    }
}

/// Adds the mirror image to the canvas, below the line on which the product stands.
pub fn reflect(canvas: &mut Canvas, silhouette: &Silhouette, product: &RgbaImage, spec: &Reflection) {
    let lines = mirror_lines(silhouette);
    let (w, h) = (canvas.width, canvas.height);
    let first = (silhouette.base - 0.3 * silhouette.height).max(0.0) as usize;
    let last = ((silhouette.base + spec.reach * silhouette.height).ceil().max(0.0) as usize).min(h);
    if first >= last {
        return;
    }
    let lut = srgb_lut();
    let mut layer = vec![[0.0f32; 4]; w * (last - first)];
    for (i, &line) in lines.iter().enumerate() {
        let x = silhouette.left as i64 + i as i64;
        if x < 0 || x >= w as i64 || !line.is_finite() {
            continue;
        }
        for y in first.max(line as usize)..last {
            let source = (2.0 * line - y as f32 - 1.0 - silhouette.top) as i64;
            if source < 0 || source >= i64::from(product.height()) {
                continue;
            }
            let [r, g, b, a] = product.get_pixel(i as u32, source as u32).0;
            let fade = 1.0 - (y as f32 - line) / (spec.reach * silhouette.height).max(1.0);
            let k = f32::from(a) / 255.0 * spec.strength * fade.max(0.0) * fade.max(0.0);
            let color = [lut[r as usize], lut[g as usize], lut[b as usize]];
            layer[(y - first) * w + x as usize] = [color[0] * k, color[1] * k, color[2] * k, k];
        }
    }
    blur::gaussian_weighted(&mut layer, w, last - first, spec.roughness * silhouette.size());
    for (pixel, over) in canvas.data[first * w..last * w].iter_mut().zip(&layer) {
        for (value, &add) in pixel.iter_mut().zip(over) {
            *value = *value * (1.0 - over[3]) + add;
        }
    }
}

/// For each column of the box the row about which it is mirrored: the contact line of the nearest columns that touch.
fn mirror_lines(silhouette: &Silhouette) -> Vec<f32> {
    let touching: Vec<usize> =
        (0..silhouette.contact.len()).filter(|&i| silhouette.contact[i] > 0.3).collect();
    let line = |i: usize| {
        let right = touching.partition_point(|&t| t < i);
        match (right.checked_sub(1).map(|l| touching[l]), touching.get(right)) {
            (_, Some(&r)) if r == i => silhouette.bottom[r],
            (Some(l), Some(&r)) => {
                let t = (i - l) as f32 / (r - l) as f32;
                silhouette.bottom[l] * (1.0 - t) + silhouette.bottom[r] * t
            }
            (Some(l), None) => silhouette.bottom[l],
            (None, Some(&r)) => silhouette.bottom[r],
            (None, None) => silhouette.base,
        }
    };
    (0..silhouette.contact.len()).map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgba;

    #[test]
    fn the_mirror_image_has_the_product_s_colour_and_fades() {
        let red = RgbaImage::from_pixel(20, 40, Rgba([255, 0, 0, 255]));
        let silhouette = Silhouette::new(&red, (20, 10), (64, 96));
        let mut canvas = Canvas::filled(64, 96, [0.2; 3]);
        reflect(&mut canvas, &silhouette, &red, &Reflection { reach: 0.8, ..Reflection::default() });
        let at = |x: usize, y: usize| canvas.data[y * 64 + x];
        assert!(at(30, 52)[0] > 0.3 && at(30, 52)[2] < 0.2);
        assert!(at(30, 52)[0] > at(30, 70)[0]);
        assert_eq!(at(30, 95), [0.2; 3]);
    }
}
