//! Depth of field: blurs what lies before and behind the product, by how far it is from it.

use adeval_compositing::Canvas;
use adeval_compositing::blur::gaussian_weighted;
use adeval_compositing::noise::smoothstep;
use rayon::prelude::*;

/// Blurs the canvas. `depths` are distances from the camera, `focus` that of the product; `strength` is the blur, in
/// pixels of standard deviation, of something infinitely far away.
pub fn blur_by_depth(canvas: &mut Canvas, depths: &[f32], focus: f32, strength: f32) {
    if strength < 0.4 {
        return;
    }
    let width = canvas.width;
    let sigma = |depth: f32| strength * ((depth - focus).abs() - 0.10 * focus).max(0.0) / depth.max(0.05);
    let levels = [0.22, 0.5, 1.0].map(|share| Level::new(canvas, depths, strength * share, &sigma));
    canvas.data.par_chunks_mut(width).with_min_len(16).enumerate().for_each(|(y, row)| {
        for (x, pixel) in row.iter_mut().enumerate() {
            let wanted = sigma(depths[y * width + x]);
            if wanted >= 0.05 {
                *pixel = between(&levels, wanted, *pixel, x, y);
            }
        }
    });
}

/// The pixel at the blur that is wanted, between the two levels around it.
fn between(levels: &[Level], wanted: f32, sharp: [f32; 3], x: usize, y: usize) -> [f32; 3] {
    let (mut low, mut below): (f32, Option<&Level>) = (0.0, None);
    for (k, level) in levels.iter().enumerate() {
        if wanted <= level.sigma || k + 1 == levels.len() {
            let t = ((wanted - low) / (level.sigma - low)).clamp(0.0, 1.0);
            let from = below.map_or(sharp, |b| b.at(x, y));
            let to = level.at(x, y);
            return std::array::from_fn(|c| from[c] + (to[c] - from[c]) * t);
        }
        (low, below) = (level.sigma, Some(level));
    }
    sharp
}

/// A blurred copy of the canvas, at half the size where the blur hides that.
struct Level {
    sigma: f32,
    width: usize,
    height: usize,
    step: usize,
    data: Vec<[f32; 4]>,
}

impl Level {
    fn new(canvas: &Canvas, depths: &[f32], level: f32, sigma: &(impl Fn(f32) -> f32 + Sync)) -> Self {
        let step = if level >= 8.0 {
            4
        } else if level >= 3.0 {
            2
        } else {
            1
        };
        let (width, height) = (canvas.width.div_ceil(step), canvas.height.div_ceil(step));
        let mut data = vec![[0.0f32; 4]; width * height];
        data.par_chunks_mut(width).with_min_len(16).enumerate().for_each(|(row, out)| {
            for y in row * step..((row + 1) * step).min(canvas.height) {
                for x in 0..canvas.width {
                    let i = y * canvas.width + x;
                    // Sharp things must not bleed into blurred ones, so they weigh little in the blurred copies.
                    let w = 0.002 + smoothstep(0.1 * level, 0.7 * level, sigma(depths[i]));
                    let [r, g, b] = canvas.data[i];
                    for (sum, value) in out[x / step].iter_mut().zip([r, g, b, 1.0]) {
                        *sum += value * w;
                    }
                }
            }
        });
        gaussian_weighted(&mut data, width, height, level / step as f32);
        Self { sigma: level, width, height, step, data }
    }

    fn at(&self, x: usize, y: usize) -> [f32; 3] {
        let place = |v: usize, side: usize| {
            let at = ((v as f32 + 0.5) / self.step as f32 - 0.5).clamp(0.0, (side - 1) as f32);
            (at as usize, (at as usize + 1).min(side - 1), at - at.floor())
        };
        if self.step == 1 {
            let [r, g, b, w] = self.data[y * self.width + x];
            return [r / w, g / w, b / w];
        }
        let ((x0, x1, tx), (y0, y1, ty)) = (place(x, self.width), place(y, self.height));
        let row = |y: usize| {
            let (a, b) = (self.data[y * self.width + x0], self.data[y * self.width + x1]);
            std::array::from_fn::<f32, 4, _>(|c| a[c] + (b[c] - a[c]) * tx)
        };
        let (top, bottom) = (row(y0), row(y1));
        let [r, g, b, w]: [f32; 4] = std::array::from_fn(|c| top[c] + (bottom[c] - top[c]) * ty);
        [r / w, g / w, b / w]
    }
}
