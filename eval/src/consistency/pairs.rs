//! A product's own pixels beside those of the creative at the same place.

use super::place::span;
use crate::ssim::{self, Similarity};
use crate::{EvalError, Result};
use image::{ImageBuffer, Rgb, RgbaImage};
use std::cell::OnceCell;
use std::ops::Deref;

/// The alpha from which a pixel counts as opaque.
pub(super) const OPAQUE: u8 = 250;

/// The visible part of the product beside the same part of the creative, rows from the top.
///
/// The mask holds the pixels that are opaque with all eight neighbours: an edge's colour is mixed with the scene's by
/// right.
pub(super) struct Pairs {
    pub width: usize,
    pub mask: Vec<bool>,
    wanted: Vec<[u8; 3]>,
    found: Vec<[u8; 3]>,
    /// The mask's pixels on the canvas and off it.
    pub opaque: usize,
    similarities: OnceCell<Vec<Similarity>>,
}

impl Pairs {
    /// The pairs of a product whose corner lies at (`left`, `top`) of the creative.
    pub fn cut<C: Deref<Target = [u8]>>(
        creative: &ImageBuffer<Rgb<u8>, C>,
        product: &RgbaImage,
        left: i32,
        top: i32,
    ) -> Result<Self> {
        let mask = eroded(product);
        let opaque = mask.iter().filter(|inside| **inside).count();
        let (w, h) = product.dimensions();
        if opaque == 0 {
            let reason = format!(
                "none of its {w}x{h} pixels and all their neighbours have an alpha of {OPAQUE} or more"
            );
            return Err(EvalError::EmptyMask { reason });
        }
        let (x0, wide) = span(left, w, creative.width(), 0);
        let (y0, high) = span(top, h, creative.height(), 0);
        let mut pairs = Self {
            width: wide as usize,
            mask: Vec::new(),
            wanted: Vec::new(),
            found: Vec::new(),
            opaque,
            similarities: OnceCell::new(),
        };
        for (y, x) in (y0..y0 + high).flat_map(|y| (x0..x0 + wide).map(move |x| (y, x))) {
            let (px, py) = ((i64::from(x) - i64::from(left)) as u32, (i64::from(y) - i64::from(top)) as u32);
            let [r, g, b, _] = product.get_pixel(px, py).0;
            pairs.wanted.push([r, g, b]);
            pairs.found.push(creative.get_pixel(x, y).0);
            pairs.mask.push(mask[(py * w + px) as usize]);
        }
        if pairs.count() == 0 {
            let reason = format!("the placement of {w}x{h} at ({left}, {top}) lies off the canvas");
            return Err(EvalError::EmptyMask { reason });
        }
        Ok(pairs)
    }

    /// The number of pixels inside the mask, at least 1.
    pub fn count(&self) -> usize {
        self.mask.iter().filter(|inside| **inside).count()
    }

    /// The pixels inside the mask: what is wanted, what is found.
    pub fn inside(&self) -> impl Iterator<Item = ([u8; 3], [u8; 3])> + '_ {
        let pairs = self.wanted.iter().zip(&self.found).zip(&self.mask);
        pairs.filter(|(_, inside)| **inside).map(|((wanted, found), _)| (*wanted, *found))
    }

    /// Whether no pixel was changed.
    pub fn equal(&self) -> bool {
        self.inside().all(|(wanted, found)| wanted == found)
    }

    /// Luma of what is wanted and of what is found.
    pub fn lumas(&self) -> [Vec<f64>; 2] {
        [&self.wanted, &self.found].map(|pixels| pixels.iter().map(|p| ssim::luma(*p)).collect())
    }

    /// SSIM's factors at every pixel, computed once.
    pub fn similarities(&self) -> &[Similarity] {
        self.similarities.get_or_init(|| {
            let [wanted, found] = self.lumas();
            ssim::map(&wanted, &found, &self.mask, self.width)
        })
    }

    /// Mean over the mask of one of SSIM's factors, or of their product.
    pub fn mean_similarity(&self, of: fn(Similarity) -> f64) -> f64 {
        if self.equal() {
            return 1.0;
        }
        ssim::mean_inside(self.similarities(), &self.mask, of).unwrap_or(1.0)
    }
}

/// Opaque pixels whose eight neighbours are opaque too; beyond the box nothing is.
pub(super) fn eroded(product: &RgbaImage) -> Vec<bool> {
    let (w, h) = (product.width() as usize, product.height() as usize);
    let opaque: Vec<bool> = product.pixels().map(|p| p.0[3] >= OPAQUE).collect();
    let mut out = vec![false; w * h];
    // Three in a row, then three such rows.
    let mut rows = vec![false; w * h];
    for (from, to) in opaque.chunks_exact(w.max(1)).zip(rows.chunks_exact_mut(w.max(1))) {
        for (to, three) in to.iter_mut().skip(1).zip(from.windows(3)) {
            *to = three[0] & three[1] & three[2];
        }
    }
    for at in w..(w * h).saturating_sub(w) {
        out[at] = rows[at - w] & rows[at] & rows[at + w];
    }
    out
}
