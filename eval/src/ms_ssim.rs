//! Multi-scale structural similarity (Wang, Simoncelli and Bovik 2003): contrast and structure at each of five scales, the
//! means' likeness at the coarsest only, so that it forgives what is lost in detail and keeps to the large forms.
//!
//! Convention: SSIM's (see [`ssim`](crate::ssim())), scales halved by means of 2 x 2 pixels, exponents 0.0448, 0.2856,
//! 0.3001, 0.2363, 0.1333, negative scales taken as 0: torchmetrics' `multiscale_structural_similarity_index_measure`
//! with `normalize="relu"`.

use crate::ssim::{self, RADIUS, Similarity};
use crate::{EvalError, Result};
use image::{ImageBuffer, Rgb};
use std::ops::Deref;

const EXPONENTS: [f64; 5] = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333];
/// The window of SSIM, whose side a picture must have at the coarsest scale.
const WINDOW: usize = 2 * RADIUS + 1;
/// Pixels that the mask must have at a scale for the scale to count.
const FEWEST: usize = WINDOW * WINDOW;

/// MS-SSIM of two RGB images of one size on luma, in [0, 1]; 1 when they are equal.
///
/// # Errors
/// [`EvalError::SizeMismatch`], also when a side is below 176 pixels, which five scales need.
pub fn ms_ssim<A, B>(a: &ImageBuffer<Rgb<u8>, A>, b: &ImageBuffer<Rgb<u8>, B>) -> Result<f64>
where
    A: Deref<Target = [u8]>,
    B: Deref<Target = [u8]>,
{
    ssim::same_size("MS-SSIM", a.dimensions(), b.dimensions())?;
    let shorter = a.width().min(a.height()) as usize;
    let needed = WINDOW << (EXPONENTS.len() - 1);
    if shorter < needed {
        return Err(EvalError::size("MS-SSIM", "the shorter side", shorter, needed));
    }
    let mut scale = Scale {
        a: a.pixels().map(|p| ssim::luma(p.0)).collect(),
        b: b.pixels().map(|p| ssim::luma(p.0)).collect(),
        mask: vec![true; (a.width() * a.height()) as usize],
        width: a.width() as usize,
    };
    let mut value = 1.0;
    for (level, exponent) in EXPONENTS.iter().enumerate() {
        let map = ssim::map(&scale.a, &scale.b, &scale.mask, scale.width);
        let of = factor(level + 1 == EXPONENTS.len());
        value *= ssim::mean_within(&map, scale.width, of).max(0.0).powf(*exponent);
        scale = scale.halved();
    }
    Ok(value)
}

/// MS-SSIM inside a mask. As many scales count as leave the mask 121 pixels (at least one does), their exponents scaled to
/// a sum of 1; the number of scales comes with it. `finest` is SSIM's map of the two planes.
pub(crate) fn masked(
    finest: &[Similarity],
    [a, b]: [Vec<f64>; 2],
    mask: &[bool],
    width: usize,
) -> (f64, usize) {
    let mut scales = vec![Scale { a, b, mask: mask.to_vec(), width }];
    while scales.len() < EXPONENTS.len() {
        let next = scales[scales.len() - 1].halved();
        if next.count() < FEWEST {
            break;
        }
        scales.push(next);
    }
    let sum: f64 = EXPONENTS[..scales.len()].iter().sum();
    let mut value = 1.0;
    for (level, (scale, exponent)) in scales.iter().zip(EXPONENTS).enumerate() {
        let coarser;
        let map = if level == 0 {
            finest
        } else {
            coarser = ssim::map(&scale.a, &scale.b, &scale.mask, scale.width);
            &coarser
        };
        let of = factor(level + 1 == scales.len());
        let mean = ssim::mean_inside(map, &scale.mask, of).unwrap_or(0.0);
        value *= mean.max(0.0).powf(exponent / sum);
    }
    (value, scales.len())
}

/// What counts at a scale.
const fn factor(coarsest: bool) -> fn(Similarity) -> f64 {
    if coarsest { Similarity::whole } else { |s| s.structure }
}

/// Two pictures at one scale.
struct Scale {
    a: Vec<f64>,
    b: Vec<f64>,
    mask: Vec<bool>,
    width: usize,
}

impl Scale {
    fn count(&self) -> usize {
        self.mask.iter().filter(|inside| **inside).count()
    }

    /// Half the size: means of 2 x 2 pixels, inside where all four are. An odd last row or column is left out.
    fn halved(&self) -> Self {
        let (width, height) = (self.width / 2, self.mask.len() / self.width.max(1) / 2);
        let four = |x: usize, y: usize| {
            let at = 2 * y * self.width + 2 * x;
            [at, at + 1, at + self.width, at + self.width + 1]
        };
        let all = || (0..height).flat_map(|y| (0..width).map(move |x| four(x, y)));
        let mean = |plane: &[f64]| all().map(|at| at.iter().map(|i| plane[*i]).sum::<f64>() / 4.0).collect();
        let mask = all().map(|at| at.iter().all(|i| self.mask[*i])).collect();
        Self { a: mean(&self.a), b: mean(&self.b), mask, width }
    }
}
