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
    let (width, height) = (canvas.width, canvas.height);
    let sigma = |depth: f32| strength * ((depth - focus).abs() - 0.10 * focus).max(0.0) / depth.max(0.05);
    // Sharp things must not bleed into blurred ones, so they weigh little in the blurred copies.
    let levels: Vec<(f32, Vec<[f32; 4]>)> = [0.22, 0.5, 1.0]
        .map(|share| {
            let level = strength * share;
            let weighted = |(&[r, g, b], &depth): (&[f32; 3], &f32)| {
                let w = 0.002 + smoothstep(0.1 * level, 0.7 * level, sigma(depth));
                [r * w, g * w, b * w, w]
            };
            let mut copy: Vec<[f32; 4]> = canvas.data.iter().zip(depths).map(weighted).collect();
            gaussian_weighted(&mut copy, width, height, level);
            (level, copy)
        })
        .into();
    canvas.data.par_iter_mut().with_min_len(4096).enumerate().for_each(|(i, pixel)| {
        let wanted = sigma(depths[i]);
        if wanted < 0.05 {
            return;
        }
        let at = |k: usize| {
            let [r, g, b, w] = levels[k].1[i];
            [r / w, g / w, b / w]
        };
        let mut below = (0.0, *pixel);
        for (k, (level, _)) in levels.iter().enumerate() {
            if wanted <= *level || k + 1 == levels.len() {
                let t = ((wanted - below.0) / (level - below.0)).clamp(0.0, 1.0);
                let above = at(k);
                *pixel = std::array::from_fn(|c| below.1[c] + (above[c] - below.1[c]) * t);
                return;
            }
            below = (*level, at(k));
        }
    });
}
