//! Text, logos and fine patterns on a product: where its strokes are, and whether they are kept.
//!
//! No recogniser: a pixel belongs to the marks when edges are dense around it and run in more than one direction, as
//! strokes do and single contours, shading and stripes do not.

use super::pairs::Pairs;
use crate::ssim::mean_inside;

/// A step of luma per pixel from which a gradient is an edge.
const EDGE: f64 = 12.0;
/// Share of edge pixels around a pixel of the marks.
const DENSE: f64 = 0.25;
/// Least share of the gradients' energy along the weaker axis.
const BOTH_WAYS: f64 = 0.2;
/// Side of "around" as a share of the product's longer side; at least 9 pixels.
const AROUND: f64 = 0.04;

/// The marks of a product.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Marks {
    /// Their share of the product's visible pixels.
    pub share: f64,
    /// Mean of SSIM's contrast and structure over them, negative values as 0; `None` where there are none.
    pub kept: Option<f64>,
}

pub(super) fn marks(pairs: &Pairs) -> Marks {
    let [wanted, _] = pairs.lumas();
    let region = region(&wanted, &pairs.mask, pairs.width);
    let count = region.iter().filter(|inside| **inside).count();
    let kept = || {
        if pairs.equal() {
            return Some(1.0);
        }
        mean_inside(pairs.similarities(), &region, |s| s.structure.max(0.0))
    };
    Marks { share: count as f64 / pairs.count() as f64, kept: if count > 0 { kept() } else { None } }
}

/// The pixels of the mask that belong to marks.
fn region(luma: &[f64], mask: &[bool], width: usize) -> Vec<bool> {
    let height = mask.len() / width;
    let (mut edges, mut across, mut down) =
        (vec![0.0; mask.len()], vec![0.0; mask.len()], vec![0.0; mask.len()]);
    for y in 1..height.saturating_sub(1) {
        for x in 1..width.saturating_sub(1) {
            let at = y * width + x;
            if [at, at - 1, at + 1, at - width, at + width].iter().any(|i| !mask[*i]) {
                continue;
            }
            let (gx, gy) = ((luma[at + 1] - luma[at - 1]) / 2.0, (luma[at + width] - luma[at - width]) / 2.0);
            edges[at] = f64::from(u8::from(gx.hypot(gy) >= EDGE));
            (across[at], down[at]) = (gx * gx, gy * gy);
        }
    }
    let radius = ((AROUND * width.max(height) as f64) as usize / 2).max(4);
    let inside: Vec<f64> = mask.iter().map(|inside| f64::from(u8::from(*inside))).collect();
    let [inside, edges, across, down] =
        [inside, edges, across, down].map(|plane| box_sums(&plane, width, radius));
    let marked = |at: usize| {
        let weaker = across[at].min(down[at]);
        mask[at]
            && edges[at] >= DENSE * inside[at]
            && weaker >= BOTH_WAYS * (across[at] + down[at])
            && weaker > 0.0
    };
    (0..mask.len()).map(marked).collect()
}

/// Sums over squares of 2 `radius` + 1 pixels, cut at the borders, by running sums along rows and columns.
fn box_sums(plane: &[f64], width: usize, radius: usize) -> Vec<f64> {
    let height = plane.len() / width;
    let mut rows = vec![0.0; plane.len()];
    for (from, to) in plane.chunks_exact(width).zip(rows.chunks_exact_mut(width)) {
        running(from.iter().copied(), radius).zip(to).for_each(|(sum, to)| *to = sum);
    }
    let mut out = vec![0.0; plane.len()];
    for x in 0..width {
        let column: Vec<f64> = (0..height).map(|y| rows[y * width + x]).collect();
        running(column.into_iter(), radius).enumerate().for_each(|(y, sum)| out[y * width + x] = sum);
    }
    out
}

/// Sums over windows of 2 `radius` + 1 values.
fn running(values: impl Iterator<Item = f64>, radius: usize) -> impl Iterator<Item = f64> {
    let mut sums = vec![0.0];
    for value in values {
        sums.push(sums[sums.len() - 1] + value);
    }
    let count = sums.len() - 1;
    (0..count).map(move |at| sums[(at + radius + 1).min(count)] - sums[at.saturating_sub(radius)])
}
