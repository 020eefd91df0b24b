//! Product fidelity: are the product's own pixels kept in the creative?
//!
//! The reference is the product's alpha box resampled to its placement. Pixels count where its alpha is at least 250 and
//! so is that of all eight neighbours: edges, whose colour is mixed with the scene by right, are left out, and so are
//! see-through parts.

use super::colour::delta_e_2000;
use super::pairs::Pairs;
use crate::Result;
use crate::ssim::Similarity;
use image::{ImageBuffer, Rgb, RgbaImage};
use serde::{Deserialize, Serialize};
use std::ops::Deref;

/// A just noticeable difference in Delta-E (Mahy et al. 1994).
const NOTICEABLE: f64 = 2.3;
/// A Delta-E from which a colour counts as another colour.
const OTHER_COLOUR: f64 = 25.0;
/// Equal images have an infinite PSNR; it is reported as this.
const PSNR_CAP: f64 = 100.0;

/// How far a product's pixels are kept, with the parts of the headline.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Fidelity {
    /// max(ssim, 0) x colour_kept x visible_share, in [0, 1]; 1 when every pixel is kept.
    pub product_fidelity: f64,
    /// Mean structural similarity inside the mask, on luma, in [-1, 1].
    pub ssim: f64,
    /// Mean over the mask of 1 up to a just noticeable difference (Delta-E 2.3), falling to 0 at Delta-E 25; in [0, 1].
    pub colour_kept: f64,
    /// Share of the mask that lies on the canvas, in (0, 1].
    pub visible_share: f64,
    /// Peak signal to noise ratio over RGB inside the mask, in dB, at most 100.
    pub psnr_db: f64,
    /// Mean CIEDE2000 difference inside the mask.
    pub delta_e: f64,
    /// Share of the mask whose CIEDE2000 difference is above 2.3, in [0, 1].
    pub changed_share: f64,
    /// The number of pixels compared.
    pub pixels: usize,
}

/// Measures how far a product is kept. `product` is its alpha box at the placement's size (straight alpha), `left` and
/// `top` are where its corner lies on the creative, in pixels; it may reach over the edges.
///
/// # Errors
/// [`crate::EvalError::EmptyMask`] when no opaque pixel of the product lies on the canvas.
pub fn fidelity<C>(
    creative: &ImageBuffer<Rgb<u8>, C>,
    product: &RgbaImage,
    left: i32,
    top: i32,
) -> Result<Fidelity>
where
    C: Deref<Target = [u8]>,
{
    let pairs = Pairs::cut(creative, product, left, top)?;
    Ok(of(&pairs))
}

/// The measure of a product's pixels beside those that were found.
pub(super) fn of(pairs: &Pairs) -> Fidelity {
    let pixels = pairs.count();
    let structure = pairs.mean_similarity(Similarity::whole);
    let colour = Colour::of(pairs);
    let visible_share = pixels as f64 / pairs.opaque as f64;
    let n = pixels as f64;
    let colour_kept = colour.kept / n;
    Fidelity {
        product_fidelity: (structure.max(0.0) * colour_kept * visible_share).min(1.0),
        ssim: structure,
        colour_kept,
        visible_share,
        psnr_db: psnr(pairs, pixels),
        delta_e: colour.sum / n,
        changed_share: colour.changed as f64 / n,
        pixels,
    }
}

struct Colour {
    sum: f64,
    kept: f64,
    changed: usize,
}

impl Colour {
    fn of(pairs: &Pairs) -> Self {
        let mut colour = Self { sum: 0.0, kept: 0.0, changed: 0 };
        for (wanted, found) in pairs.inside() {
            let difference = if wanted == found { 0.0 } else { delta_e_2000(wanted, found) };
            colour.sum += difference;
            colour.kept += 1.0 - ((difference - NOTICEABLE) / (OTHER_COLOUR - NOTICEABLE)).clamp(0.0, 1.0);
            colour.changed += usize::from(difference > NOTICEABLE);
        }
        colour
    }
}

fn psnr(pairs: &Pairs, pixels: usize) -> f64 {
    let squares: f64 = pairs
        .inside()
        .flat_map(|(wanted, found)| {
            std::array::from_fn::<_, 3, _>(|c| f64::from(wanted[c]) - f64::from(found[c]))
        })
        .map(|d| d * d)
        .sum();
    let mean = squares / (3 * pixels) as f64;
    if mean == 0.0 { PSNR_CAP } else { (10.0 * (255.0 * 255.0 / mean).log10()).min(PSNR_CAP) }
}
