//! The five parts of the score, each from 0 (bad) to 1 (good).

use crate::subject::Subject;
use crate::view::View;
use image::{GrayImage, imageops};
use imageproc::gradients::sobel_gradients;

/// The parts, and whether the product was recognised.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Parts {
    pub contrast: f64,
    pub saliency: f64,
    pub harmony: f64,
    pub calm: f64,
    pub exposure: f64,
    pub found: bool,
}

impl Parts {
    pub fn of(view: &View, subject: &Subject) -> Self {
        Self {
            contrast: contrast(view, subject),
            saliency: saliency(view, subject),
            harmony: harmony(view),
            calm: calm(view, subject),
            exposure: exposure(view),
            found: subject.found,
        }
    }
}

/// Mean colour under weights; `None` when they sum to nothing.
fn mean(lab: &[[f32; 3]], weights: impl Iterator<Item = f32>) -> Option<[f64; 3]> {
    let (mut sum, mut total) = ([0.0; 3], 0.0);
    for (colour, weight) in lab.iter().zip(weights) {
        let weight = f64::from(weight);
        total += weight;
        sum.iter_mut().zip(colour).for_each(|(s, &c)| *s += weight * f64::from(c));
    }
    (total > 1e-3).then(|| sum.map(|s| s / total))
}

/// Difference of the subject's and the background's mean OKLab colours: 0.6 of lightness (full at 0.35), 0.4 of hue and
/// chroma (full at 0.12).
fn contrast(view: &View, subject: &Subject) -> f64 {
    let inside = mean(&view.lab, subject.mask.iter().copied());
    let outside = mean(&view.lab, subject.mask.iter().map(|m| 1.0 - m));
    let (Some(a), Some(b)) = (inside, outside) else { return 0.0 };
    let luma = ((a[0] - b[0]).abs() / 0.35).min(1.0);
    let colour = ((a[1] - b[1]).hypot(a[2] - b[2]) / 0.12).min(1.0);
    0.6 * luma + 0.4 * colour
}

/// Saliency is the distance between a pixel's colour and its surroundings' (centre-surround at two scales, after
/// Itti et al. 1998, on OKLab). The part is the density inside the subject over the sum of the densities inside and
/// outside: 0.5 when the subject draws the eye no more than the rest.
fn saliency(view: &View, subject: &Subject) -> f64 {
    let (w, h) = (view.rgb.width() as usize, view.rgb.height() as usize);
    let centre = box_blur(&view.lab, w, h, 1);
    let surround = [box_blur(&view.lab, w, h, 10), box_blur(&view.lab, w, h, 28)];
    let (mut inside, mut outside, mut area) = (0.0, 0.0, 0.0);
    for (i, colour) in centre.iter().enumerate() {
        let distance = |other: &[f32; 3]| {
            let d: f32 = colour.iter().zip(other).map(|(a, b)| (a - b) * (a - b)).sum();
            f64::from(d.sqrt())
        };
        let energy = distance(&surround[0][i]) + distance(&surround[1][i]);
        let mask = f64::from(subject.mask[i]);
        inside += mask * energy;
        outside += (1.0 - mask) * energy;
        area += mask;
    }
    let density = (inside / area.max(1e-6), outside / (centre.len() as f64 - area).max(1e-6));
    if density.0 + density.1 < 1e-6 { 0.5 } else { density.0 / (density.0 + density.1) }
}

/// Mean over the square of half side `r` around each pixel, clipped at the edges, by a summed-area table.
fn box_blur(lab: &[[f32; 3]], w: usize, h: usize, r: usize) -> Vec<[f32; 3]> {
    let stride = w + 1;
    let mut table = vec![[0f64; 3]; stride * (h + 1)];
    for y in 0..h {
        let mut row = [0f64; 3];
        for x in 0..w {
            for c in 0..3 {
                row[c] += f64::from(lab[y * w + x][c]);
                table[(y + 1) * stride + x + 1][c] = table[y * stride + x + 1][c] + row[c];
            }
        }
    }
    let mut out = Vec::with_capacity(lab.len());
    for y in 0..h {
        let (y0, y1) = (y.saturating_sub(r), (y + r + 1).min(h));
        for x in 0..w {
            let (x0, x1) = (x.saturating_sub(r), (x + r + 1).min(w));
            let at = |x: usize, y: usize, c: usize| table[y * stride + x][c];
            let area = ((y1 - y0) * (x1 - x0)) as f64;
            out.push(std::array::from_fn(|c| {
                ((at(x1, y1, c) - at(x0, y1, c) - at(x1, y0, c) + at(x0, y0, c)) / area) as f32
            }));
        }
    }
    out
}

/// Hue bins of 10 degrees.
const BINS: usize = 36;

/// The hue templates of Cohen-Or et al. (2006) i, V, L, I, T, Y, X: centres and full widths of sectors, in degrees.
const TEMPLATES: [&[(f64, f64)]; 7] = [
    &[(0.0, 18.0)],
    &[(0.0, 93.6)],
    &[(0.0, 18.0), (90.0, 79.2)],
    &[(0.0, 18.0), (180.0, 18.0)],
    &[(0.0, 180.0)],
    &[(0.0, 93.6), (180.0, 18.0)],
    &[(0.0, 93.6), (180.0, 93.6)],
];

/// One minus the chroma-weighted mean angle by which the hues miss the best template in its best rotation (0 at 30
/// degrees). Greys count as harmonious with everything.
fn harmony(view: &View) -> f64 {
    let (mut histogram, mut total) = ([0.0; BINS], 0.0);
    for colour in &view.lab {
        let chroma = f64::from(colour[1].hypot(colour[2]));
        let hue = f64::from(colour[2].atan2(colour[1])).to_degrees().rem_euclid(360.0);
        if chroma > 0.015 {
            histogram[((hue / 10.0) as usize).min(BINS - 1)] += chroma;
            total += chroma;
        }
    }
    // Below a mean chroma of 0.02 there is hardly any colour that could clash.
    let floor = 0.02 * view.lab.len() as f64;
    let miss =
        TEMPLATES.iter().map(|sectors| best_rotation(&histogram, sectors)).fold(f64::INFINITY, f64::min);
    (1.0 - miss / total.max(floor) / 30.0).clamp(0.0, 1.0)
}

/// The least sum of weight times angle outside the sectors, over all rotations by whole bins.
fn best_rotation(histogram: &[f64; BINS], sectors: &[(f64, f64)]) -> f64 {
    let outside: [f64; BINS] = std::array::from_fn(|bin| {
        let miss = |&(centre, width): &(f64, f64)| {
            let apart = (bin as f64 * 10.0 - centre).rem_euclid(360.0);
            (apart.min(360.0 - apart) - width / 2.0).max(0.0)
        };
        sectors.iter().map(miss).fold(f64::INFINITY, f64::min)
    });
    let rotated = |by: usize| (0..BINS).map(|bin| histogram[(bin + by) % BINS] * outside[bin]).sum::<f64>();
    (0..BINS).map(rotated).fold(f64::INFINITY, f64::min)
}

/// Sobel magnitude (of 8-bit values) from which a pixel counts as an edge.
const EDGE: u16 = 90;

/// One minus the density of edges outside the subject and its outline (0 at a density of 0.35).
fn calm(view: &View, subject: &Subject) -> f64 {
    let gray: GrayImage = imageops::grayscale(&view.rgb);
    let (w, h) = (gray.width() as usize, gray.height() as usize);
    let near = |x: usize, y: usize| {
        (y.saturating_sub(2)..(y + 3).min(h))
            .any(|ny| (x.saturating_sub(2)..(x + 3).min(w)).any(|nx| subject.mask[ny * w + nx] > 0.3))
    };
    let edges = sobel_gradients(&gray);
    let (mut count, mut total) = (0u32, 0u32);
    for (x, y, p) in edges.enumerate_pixels() {
        if !near(x as usize, y as usize) {
            total += 1;
            count += u32::from(p.0[0] >= EDGE);
        }
    }
    if total == 0 { 1.0 } else { (1.0 - f64::from(count) / f64::from(total) / 0.35).max(0.0) }
}

/// A bell around a mean lightness of 0.72 (width 0.25), times the share of pixels that are not crushed to black, times
/// one minus half the share of pixels that are blown out (white sweeps are common and no fault in themselves).
fn exposure(view: &View) -> f64 {
    let count = view.lab.len().max(1) as f64;
    let level = view.lab.iter().map(|c| f64::from(c[0])).sum::<f64>() / count;
    let share = |test: fn(f32) -> bool| view.lab.iter().filter(|c| test(c[0])).count() as f64 / count;
    let bell = (-((level - 0.72) / 0.25).powi(2) / 2.0).exp();
    bell * (1.0 - share(|l| l < 0.06)) * (1.0 - 0.5 * share(|l| l > 0.995))
}
