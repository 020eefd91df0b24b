//! Buffers: a plane of scalars and a canvas in linear light.

use crate::color::{mix, srgb_lut};
use crate::noise::floor;
use image::RgbImage;

/// A plane of `width * height` scalars, rows from the top.
#[derive(Debug, Clone, PartialEq)]
pub struct Plane {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// The values, row by row.
    pub data: Vec<f32>,
}

impl Plane {
    /// A plane filled with one value.
    pub fn filled(width: usize, height: usize, value: f32) -> Self {
        Self { width, height, data: vec![value; width * height] }
    }

    /// The value at a pixel, 0 outside.
    #[inline]
    pub fn at(&self, x: i64, y: i64) -> f32 {
        if x < 0 || y < 0 || x >= self.width as i64 || y >= self.height as i64 {
            return 0.0;
        }
        self.data[y as usize * self.width + x as usize]
    }

    /// The bilinear value at a position in pixels (pixel centres at whole numbers), 0 outside.
    #[inline]
    pub fn sample(&self, x: f32, y: f32) -> f32 {
        let (w, h) = (self.width as f32, self.height as f32);
        if !(x > -1.0 && y > -1.0 && x < w && y < h) {
            return 0.0;
        }
        let (ix, iy) = (floor(x), floor(y));
        let (tx, ty) = (x - ix as f32, y - iy as f32);
        let (ix, iy) = (i64::from(ix), i64::from(iy));
        if ix >= 0 && iy >= 0 && ix + 1 < self.width as i64 && iy + 1 < self.height as i64 {
            let i = iy as usize * self.width + ix as usize;
            let (a, b) = (&self.data[i..i + 2], &self.data[i + self.width..i + self.width + 2]);
            let (top, bottom) = (a[0] + (a[1] - a[0]) * tx, b[0] + (b[1] - b[0]) * tx);
            return top + (bottom - top) * ty;
        }
        let top = self.at(ix, iy) * (1.0 - tx) + self.at(ix + 1, iy) * tx;
        let bottom = self.at(ix, iy + 1) * (1.0 - tx) + self.at(ix + 1, iy + 1) * tx;
        top * (1.0 - ty) + bottom * ty
    }

    /// The plane at half the size (each side at least 1), by averaging 2x2 blocks.
    #[must_use]
    pub fn halved(&self) -> Self {
        let (w, h) = (self.width.div_ceil(2).max(1), self.height.div_ceil(2).max(1));
        let mut out = Self::filled(w, h, 0.0);
        for y in 0..h {
            for x in 0..w {
                let (x0, y0) = (2 * x, 2 * y);
                let (x1, y1) = ((x0 + 1).min(self.width - 1), (y0 + 1).min(self.height - 1));
                let sum = self.data[y0 * self.width + x0]
                    + self.data[y0 * self.width + x1]
                    + self.data[y1 * self.width + x0]
                    + self.data[y1 * self.width + x1];
                out.data[y * w + x] = sum * 0.25;
            }
        }
        out
    }
}

/// An RGB image in linear light; 1.0 is the white of the display, brighter values are allowed.
#[derive(Debug, Clone, PartialEq)]
pub struct Canvas {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// The pixels, row by row.
    pub data: Vec<[f32; 3]>,
}

impl Canvas {
    /// A canvas of one colour (linear).
    pub fn filled(width: usize, height: usize, color: [f32; 3]) -> Self {
        Self { width, height, data: vec![color; width * height] }
    }

    /// An sRGB image in linear light.
    pub fn from_srgb(image: &RgbImage) -> Self {
        let lut = srgb_lut();
        let data = image.pixels().map(|p| p.0.map(|v| lut[v as usize])).collect();
        Self { width: image.width() as usize, height: image.height() as usize, data }
    }

    /// Multiplies every pixel by `1 - shadow * (1 - tint)`, where `tint` is the colour that full shadow keeps
    /// (linear, 0 = black). The plane must have the canvas' size.
    pub fn shade(&mut self, shadow: &Plane, tint: [f32; 3]) {
        assert_eq!((self.width, self.height), (shadow.width, shadow.height), "one shadow value a pixel");
        for (pixel, &s) in self.data.iter_mut().zip(&shadow.data) {
            for (value, t) in pixel.iter_mut().zip(tint) {
                *value *= 1.0 - s * (1.0 - t);
            }
        }
    }

    /// The colour between four pixels (centres at whole numbers), `None` outside.
    pub fn bilinear(&self, x: f32, y: f32) -> Option<[f32; 3]> {
        if !(x >= 0.0 && y >= 0.0 && x + 1.0 < self.width as f32 && y + 1.0 < self.height as f32) {
            return None;
        }
        let (ix, iy) = (x as usize, y as usize);
        let row = |y: usize| {
            let i = y * self.width + ix;
            mix(self.data[i], self.data[i + 1], x - ix as f32)
        };
        Some(mix(row(iy), row(iy + 1), y - iy as f32))
    }

    /// Mean colour, linear.
    pub fn mean(&self) -> [f32; 3] {
        let mut sum = [0.0f64; 3];
        for pixel in &self.data {
            for (s, &v) in sum.iter_mut().zip(pixel) {
                *s += f64::from(v);
            }
        }
        sum.map(|s| (s / self.data.len().max(1) as f64) as f32)
    }
}
