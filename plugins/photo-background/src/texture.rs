//! A picture with its mip levels, sampled in linear light.

use adeval_compositing::color::{linear_to_srgb, srgb_lut};
use image::RgbImage;

/// A picture and its halvings down to one pixel; 8-bit sRGB, since all of them stay in memory.
#[derive(Debug)]
pub struct Texture {
    levels: Vec<Level>,
    linear: &'static [f32; 256],
}

#[derive(Debug)]
struct Level {
    picture: RgbImage,
    /// Its sides as shares of the full picture's.
    scale: (f32, f32),
}

/// What lies beyond the edge of a texture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// The last pixel, repeated.
    Clamp,
    /// The picture, mirrored: joins without a seam whatever the picture.
    Mirror,
}

impl Texture {
    /// Decodes a JPEG.
    ///
    /// # Errors
    /// Those of the decoder.
    pub fn decode(jpeg: &[u8]) -> image::ImageResult<Self> {
        let picture = image::load_from_memory_with_format(jpeg, image::ImageFormat::Jpeg)?;
        Ok(Self::new(picture.into_rgb8()))
    }

    /// Builds the levels of a picture of at least one pixel.
    pub fn new(picture: RgbImage) -> Self {
        let (width, height) = (picture.width() as f32, picture.height() as f32);
        let level = |picture: RgbImage| {
            let scale = (picture.width() as f32 / width, picture.height() as f32 / height);
            Level { picture, scale }
        };
        let mut levels = vec![level(picture)];
        while let Some(last) = levels.last().filter(|l| l.picture.width() > 1 || l.picture.height() > 1) {
            let next = halve(&last.picture);
            levels.push(level(next));
        }
        Self { levels, linear: srgb_lut() }
    }

    /// Width in pixels.
    pub fn width(&self) -> f32 {
        self.levels[0].picture.width() as f32
    }

    /// Height in pixels.
    pub fn height(&self) -> f32 {
        self.levels[0].picture.height() as f32
    }

    /// Mean colour, linear.
    pub fn mean(&self) -> [f32; 3] {
        self.sample(0.5, 0.5, f32::MAX, Edge::Clamp)
    }

    /// The linear colour at `x`, `y` (pixels of the full picture, centres at halves), averaged over about `2^lod`
    /// pixels; trilinear.
    pub fn sample(&self, x: f32, y: f32, lod: f32, edge: Edge) -> [f32; 3] {
        let top = (self.levels.len() - 1) as f32;
        let lod = lod.clamp(0.0, top);
        let level = lod as usize;
        let t = lod - level as f32;
        let a = self.bilinear(level, x, y, edge);
        if t < 0.02 || level + 1 >= self.levels.len() {
            return a;
        }
        let b = self.bilinear(level + 1, x, y, edge);
        std::array::from_fn(|i| a[i] + (b[i] - a[i]) * t)
    }

    fn bilinear(&self, level: usize, x: f32, y: f32, edge: Edge) -> [f32; 3] {
        let Level { picture, scale } = &self.levels[level];
        let (w, h) = picture.dimensions();
        let (x, tx) = split(x * scale.0 - 0.5);
        let (y, ty) = split(y * scale.1 - 0.5);
        let (x0, x1) = (3 * wrap(x, w, edge), 3 * wrap(x.saturating_add(1), w, edge));
        let (y0, y1) = (wrap(y, h, edge), wrap(y.saturating_add(1), h, edge));
        let (raw, stride) = (picture.as_raw(), 3 * w as usize);
        let [a, b, c, d] = [(x0, y0), (x1, y0), (x0, y1), (x1, y1)].map(|(x, y)| {
            let pixel = &raw[y * stride + x..][..3];
            [pixel[0], pixel[1], pixel[2]].map(|v| self.linear[v as usize])
        });
        let weights = [(1.0 - tx) * (1.0 - ty), tx * (1.0 - ty), (1.0 - tx) * ty, tx * ty];
        std::array::from_fn(|i| a[i] * weights[0] + b[i] * weights[1] + c[i] * weights[2] + d[i] * weights[3])
    }
}

/// Whole and fractional part, rounding down; `f32::floor` is a function call on machines without SSE 4.1.
#[inline]
fn split(v: f32) -> (i32, f32) {
    let truncated = v as i32;
    let whole = truncated.saturating_sub(i32::from(v < truncated as f32));
    (whole, (v - whole as f32).clamp(0.0, 1.0))
}

#[inline]
fn wrap(i: i32, n: u32, edge: Edge) -> usize {
    let n = n as i32;
    if (0..n).contains(&i) {
        return i as usize;
    }
    match edge {
        Edge::Clamp => i.clamp(0, n - 1) as usize,
        Edge::Mirror => {
            let j = i.rem_euclid(2 * n);
            (if j < n { j } else { 2 * n - 1 - j }) as usize
        }
    }
}

/// Half the size, rounded up, by averaging 2x2 blocks in linear light.
fn halve(from: &RgbImage) -> RgbImage {
    let (w, h) = from.dimensions();
    let lut = srgb_lut();
    RgbImage::from_fn(w.div_ceil(2), h.div_ceil(2), |x, y| {
        let (x1, y1) = ((2 * x + 1).min(w - 1), (2 * y + 1).min(h - 1));
        let block = [(2 * x, 2 * y), (x1, 2 * y), (2 * x, y1), (x1, y1)].map(|(x, y)| from.get_pixel(x, y).0);
        image::Rgb(std::array::from_fn(|c| {
            let sum: f32 = block.iter().map(|p| lut[p[c] as usize]).sum();
            (linear_to_srgb(sum * 0.25) * 255.0 + 0.5) as u8
        }))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use adeval_compositing::color::srgb_to_linear;

    fn checks() -> Texture {
        Texture::new(RgbImage::from_fn(9, 5, |x, y| image::Rgb([if (x + y) % 2 == 0 { 255 } else { 0 }; 3])))
    }

    #[test]
    fn centres_are_exact_and_coarse_levels_average_in_linear_light() {
        let t = checks();
        assert!((t.sample(2.5, 2.5, 0.0, Edge::Clamp)[0] - 1.0).abs() < 1e-5);
        assert!(t.sample(3.5, 2.5, 0.0, Edge::Clamp)[0].abs() < 1e-5);
        let grey =
            Texture::new(RgbImage::from_fn(64, 64, |x, _| image::Rgb([if x % 2 == 0 { 255 } else { 0 }; 3])));
        assert!((grey.mean()[0] - 0.5).abs() < 0.01, "{:?}", grey.mean());
        assert!((srgb_to_linear(0.5) - 0.5).abs() > 0.2, "the mean of the bytes would be wrong");
    }

    #[test]
    fn mirrored_edges_join_without_a_seam() {
        let t = Texture::new(RgbImage::from_fn(16, 16, |x, _| image::Rgb([(x * 16) as u8; 3])));
        for (a, b) in [(15.9, 16.1), (-0.1, 0.1), (31.9, 32.1)] {
            let (a, b) = (t.sample(a, 3.0, 0.0, Edge::Mirror), t.sample(b, 3.0, 0.0, Edge::Mirror));
            assert!((a[0] - b[0]).abs() < 0.02);
        }
    }

    #[test]
    fn any_position_and_level_is_defined() {
        let t = checks();
        for x in [-1e6f32, -3.0, 0.0, 9.0, 1e6] {
            for lod in [-4.0, 0.3, 2.0, 99.0] {
                for edge in [Edge::Clamp, Edge::Mirror] {
                    assert!(t.sample(x, x, lod, edge).iter().all(|v| (0.0..=1.0).contains(v)));
                }
            }
        }
    }
}
