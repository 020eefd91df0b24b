//! Product fidelity: are the product's own pixels kept in the creative?
//!
//! The reference is the product's alpha box resampled to its placement. Pixels count where its alpha is at least 250 and
//! so is that of all eight neighbours: edges, whose colour is mixed with the scene by right, are left out, and so are
//! see-through parts.

use crate::{EvalError, Result, ssim};
use image::{ImageBuffer, Rgb, RgbaImage};
use palette::{FromColor, Lab, LinSrgb, Srgb, color_difference::Ciede2000, white_point::D65};
use serde::{Deserialize, Serialize};
use std::ops::{Deref, Range};

/// The alpha from which a pixel counts as opaque.
const OPAQUE: u8 = 250;
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
/// [`EvalError::EmptyMask`] when no opaque pixel of the product lies on the canvas.
pub fn fidelity<C>(
    creative: &ImageBuffer<Rgb<u8>, C>,
    product: &RgbaImage,
    left: i32,
    top: i32,
) -> Result<Fidelity>
where
    C: Deref<Target = [u8]>,
{
    let mask = eroded(product);
    let total = mask.iter().filter(|inside| **inside).count();
    if total == 0 {
        let (w, h) = product.dimensions();
        let reason =
            format!("none of its {w}x{h} pixels and all their neighbours have an alpha of {OPAQUE} or more");
        return Err(EvalError::EmptyMask { reason });
    }
    let columns = visible(left, product.width(), creative.width());
    let rows = visible(top, product.height(), creative.height());
    let pairs = Pairs::cut(creative, product, &mask, (left, top), (columns, rows));
    let pixels = pairs.mask.iter().filter(|inside| **inside).count();
    if pixels == 0 {
        let (w, h) = product.dimensions();
        let reason = format!("the placement of {w}x{h} at ({left}, {top}) lies off the canvas");
        return Err(EvalError::EmptyMask { reason });
    }
    let structure = pairs.ssim() / pixels as f64;
    let colour = pairs.colour();
    let visible_share = pixels as f64 / total as f64;
    let n = pixels as f64;
    let colour_kept = colour.kept / n;
    Ok(Fidelity {
        product_fidelity: (structure.max(0.0) * colour_kept * visible_share).min(1.0),
        ssim: structure,
        colour_kept,
        visible_share,
        psnr_db: pairs.psnr(pixels),
        delta_e: colour.sum / n,
        changed_share: colour.changed as f64 / n,
        pixels,
    })
}

/// The part of [0, size) that lies on a canvas of `canvas` pixels when it starts at `at`.
fn visible(at: i32, size: u32, canvas: u32) -> Range<u32> {
    let start = (-i64::from(at)).clamp(0, i64::from(size));
    let end = (i64::from(canvas) - i64::from(at)).clamp(start, i64::from(size));
    start as u32..end as u32
}

/// Opaque pixels whose eight neighbours are opaque too; beyond the box nothing is.
fn eroded(product: &RgbaImage) -> Vec<bool> {
    let (w, h) = (product.width() as usize, product.height() as usize);
    let opaque: Vec<bool> = product.pixels().map(|p| p.0[3] >= OPAQUE).collect();
    let mut out = vec![false; w * h];
    for y in 1..h.saturating_sub(1) {
        for x in 1..w.saturating_sub(1) {
            let block = |row: usize| &opaque[row * w + x - 1..=row * w + x + 1];
            out[y * w + x] = (y - 1..=y + 1).all(|row| block(row).iter().all(|inside| *inside));
        }
    }
    out
}

/// The visible part of the product beside the same part of the creative.
struct Pairs {
    width: usize,
    mask: Vec<bool>,
    wanted: Vec<[u8; 3]>,
    found: Vec<[u8; 3]>,
}

struct Colour {
    sum: f64,
    kept: f64,
    changed: usize,
}

impl Pairs {
    fn cut<C: Deref<Target = [u8]>>(
        creative: &ImageBuffer<Rgb<u8>, C>,
        product: &RgbaImage,
        mask: &[bool],
        (left, top): (i32, i32),
        (columns, rows): (Range<u32>, Range<u32>),
    ) -> Self {
        let mut pairs =
            Self { width: columns.len(), mask: Vec::new(), wanted: Vec::new(), found: Vec::new() };
        for y in rows {
            for x in columns.clone() {
                let [r, g, b, _] = product.get_pixel(x, y).0;
                pairs.wanted.push([r, g, b]);
                let at = |offset: i32, inner: u32| (i64::from(offset) + i64::from(inner)) as u32;
                pairs.found.push(creative.get_pixel(at(left, x), at(top, y)).0);
                pairs.mask.push(mask[(y * product.width() + x) as usize]);
            }
        }
        pairs
    }

    /// The pixels inside the mask: what is wanted, what is found.
    fn inside(&self) -> impl Iterator<Item = ([u8; 3], [u8; 3])> + '_ {
        let pairs = self.wanted.iter().zip(&self.found).zip(&self.mask);
        pairs.filter(|(_, inside)| **inside).map(|((wanted, found), _)| (*wanted, *found))
    }

    /// Sum of the SSIM map over the mask.
    fn ssim(&self) -> f64 {
        if self.inside().all(|(wanted, found)| wanted == found) {
            return self.inside().count() as f64;
        }
        let plane = |pixels: &[[u8; 3]]| pixels.iter().map(|p| ssim::luma(*p)).collect::<Vec<_>>();
        let map = ssim::map(&plane(&self.wanted), &plane(&self.found), &self.mask, self.width);
        map.iter().zip(&self.mask).filter(|(_, inside)| **inside).map(|(value, _)| value).sum()
    }

    fn psnr(&self, pixels: usize) -> f64 {
        let squares: f64 = self
            .inside()
            .flat_map(|(wanted, found)| {
                std::array::from_fn::<_, 3, _>(|c| f64::from(wanted[c]) - f64::from(found[c]))
            })
            .map(|d| d * d)
            .sum();
        let mean = squares / (3 * pixels) as f64;
        if mean == 0.0 { PSNR_CAP } else { (10.0 * (255.0 * 255.0 / mean).log10()).min(PSNR_CAP) }
    }

    fn colour(&self) -> Colour {
        let mut colour = Colour { sum: 0.0, kept: 0.0, changed: 0 };
        for (wanted, found) in self.inside() {
            let difference = if wanted == found { 0.0 } else { delta_e_2000(wanted, found) };
            colour.sum += difference;
            colour.kept += 1.0 - ((difference - NOTICEABLE) / (OTHER_COLOUR - NOTICEABLE)).clamp(0.0, 1.0);
            colour.changed += usize::from(difference > NOTICEABLE);
        }
        colour
    }
}

/// CIEDE2000 difference of two sRGB colours (D65).
pub fn delta_e_2000(a: [u8; 3], b: [u8; 3]) -> f64 {
    lab(a).difference(lab(b))
}

fn lab([r, g, b]: [u8; 3]) -> Lab<D65, f64> {
    let linear: LinSrgb<f64> = Srgb::<u8>::new(r, g, b).into_linear();
    Lab::from_color(linear)
}
