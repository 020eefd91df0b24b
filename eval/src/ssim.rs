//! Structural similarity (Wang et al. 2004) on luma, whole-frame or inside a mask.
//!
//! Convention: 8-bit luma 0.299 R + 0.587 G + 0.114 B, Gaussian window of 11 x 11 with sigma 1.5, K1 = 0.01, K2 = 0.03,
//! range 255, biased (population) variances. Whole frames average the positions whose window lies inside, as
//! scikit-image does with `gaussian_weights=True, use_sample_covariance=False`.

use crate::{EvalError, Result};
use image::{ImageBuffer, Rgb};
use std::ops::Deref;

pub(crate) const RADIUS: usize = 5;
const SIGMA: f64 = 1.5;
const C1: f64 = (0.01 * 255.0) * (0.01 * 255.0);
const C2: f64 = (0.03 * 255.0) * (0.03 * 255.0);

/// Luma of a pixel, 0 to 255, not rounded.
pub(crate) fn luma(pixel: [u8; 3]) -> f64 {
    let [r, g, b] = pixel.map(f64::from);
    0.299 * r + 0.587 * g + 0.114 * b
}

/// Mean SSIM of two RGB images of one size, at least 11 x 11 pixels; 1 when they are equal, in [-1, 1].
///
/// # Errors
/// [`EvalError::SizeMismatch`], also when a side is below 11 pixels.
pub fn ssim<A, B>(a: &ImageBuffer<Rgb<u8>, A>, b: &ImageBuffer<Rgb<u8>, B>) -> Result<f64>
where
    A: Deref<Target = [u8]>,
    B: Deref<Target = [u8]>,
{
    let (width, height) = (a.width() as usize, a.height() as usize);
    same_size("SSIM", a.dimensions(), b.dimensions())?;
    if width.min(height) <= 2 * RADIUS {
        return Err(EvalError::size("SSIM", "the shorter side", width.min(height), 2 * RADIUS + 1));
    }
    let planes = [a.pixels().map(|p| luma(p.0)).collect::<Vec<_>>(), b.pixels().map(|p| luma(p.0)).collect()];
    let map = map(&planes[0], &planes[1], &vec![true; width * height], width);
    Ok(mean_within(&map, width, Similarity::whole))
}

/// Mean over a mask; `None` where it is empty.
pub(crate) fn mean_inside(map: &[Similarity], mask: &[bool], of: impl Fn(Similarity) -> f64) -> Option<f64> {
    let inside = map.iter().zip(mask).filter(|(_, inside)| **inside);
    let (sum, count) = inside.fold((0.0, 0_usize), |(sum, count), (s, _)| (sum + of(*s), count + 1));
    (count > 0).then(|| sum / count as f64)
}

/// Refuses two images of different sizes.
pub(crate) fn same_size(metric: &str, (width, height): (u32, u32), other: (u32, u32)) -> Result<()> {
    if (width, height) == other {
        return Ok(());
    }
    Err(EvalError::SizeMismatch {
        place: metric.into(),
        what: "the second image".into(),
        got: format!("{}x{}", other.0, other.1),
        want: format!("{width}x{height}"),
    })
}

/// Mean over the positions whose window lies within the picture.
pub(crate) fn mean_within(map: &[Similarity], width: usize, of: fn(Similarity) -> f64) -> f64 {
    let height = map.len() / width;
    let rows = (RADIUS..height - RADIUS).flat_map(|y| &map[y * width + RADIUS..(y + 1) * width - RADIUS]);
    let count = (width - 2 * RADIUS) * (height - 2 * RADIUS);
    rows.map(|s| of(*s)).sum::<f64>() / count as f64
}

/// The two factors of SSIM at a pixel.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Similarity {
    /// Likeness of the windows' means.
    pub luminance: f64,
    /// Likeness of what is left when the means are taken off: contrast and structure.
    pub structure: f64,
}

impl Similarity {
    /// SSIM.
    pub fn whole(self) -> f64 {
        self.luminance * self.structure
    }
}

/// SSIM's factors at every pixel (row-major, `width` wide). A window sees the mask's pixels only: its weights are renormalised over
/// them, so what lies outside never enters. Values outside the mask mean nothing.
pub(crate) fn map(a: &[f64], b: &[f64], mask: &[bool], width: usize) -> Vec<Similarity> {
    let average = |of: &dyn Fn(f64, f64) -> f64| {
        let values = a.iter().zip(b).zip(mask).map(|((x, y), inside)| if *inside { of(*x, *y) } else { 0.0 });
        blur(values.collect(), width)
    };
    let weight = average(&|_, _| 1.0);
    let (ma, mb) = (average(&|x, _| x), average(&|_, y| y));
    let (aa, bb, ab) = (average(&|x, _| x * x), average(&|_, y| y * y), average(&|x, y| x * y));
    (0..a.len())
        .map(|i| {
            let w = weight[i].max(f64::MIN_POSITIVE);
            let (ma, mb) = (ma[i] / w, mb[i] / w);
            let (va, vb, cov) = (aa[i] / w - ma * ma, bb[i] / w - mb * mb, ab[i] / w - ma * mb);
            Similarity {
                luminance: (2.0 * ma * mb + C1) / (ma * ma + mb * mb + C1),
                structure: (2.0 * cov + C2) / (va + vb + C2),
            }
        })
        .collect()
}

/// Separable Gaussian with zeros beyond the edges.
fn blur(values: Vec<f64>, width: usize) -> Vec<f64> {
    let height = values.len() / width;
    let kernel = kernel();
    let mut rows = vec![0.0; values.len()];
    for y in 0..height {
        let (from, to) = (&values[y * width..][..width], &mut rows[y * width..][..width]);
        for (k, weight) in kernel.iter().enumerate() {
            // to[x] += weight * from[x + k - RADIUS], where that exists.
            let (skip_to, skip_from) = (RADIUS.saturating_sub(k), k.saturating_sub(RADIUS));
            to.iter_mut().skip(skip_to).zip(from.iter().skip(skip_from)).for_each(|(t, f)| *t += weight * f);
        }
    }
    let mut out = vec![0.0; values.len()];
    for y in 0..height {
        for (k, weight) in kernel.iter().enumerate() {
            let Some(source) = (y + k).checked_sub(RADIUS).filter(|s| *s < height) else { continue };
            let from = &rows[source * width..][..width];
            out[y * width..][..width].iter_mut().zip(from).for_each(|(t, f)| *t += weight * f);
        }
    }
    out
}

fn kernel() -> [f64; 2 * RADIUS + 1] {
    let raw: [f64; 2 * RADIUS + 1] = std::array::from_fn(|k| {
        let x = k as f64 - RADIUS as f64;
        (-x * x / (2.0 * SIGMA * SIGMA)).exp()
    });
    let sum: f64 = raw.iter().sum();
    raw.map(|w| w / sum)
}
