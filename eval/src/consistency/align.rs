//! Where a product really lies: the displacement from its declared place.
//!
//! Least squared difference of luma inside the mask over whole pixels: searched coarse to fine, over a quarter of the size
//! first. A shift is one fault; without this every other number of a shifted product would be low too, and say nothing.

use super::pairs::Pairs;
use crate::Result;
use image::{RgbImage, RgbaImage, imageops};

/// The longest displacement along an axis that is looked for, in pixels.
pub(super) const FARTHEST: i32 = 16;
/// The squared error that a displacement must leave at most, as a share of that at the declared place: chance alone
/// finds a little less somewhere.
const CLEARLY_BETTER: f64 = 0.5;
/// The share of the product's visible pixels that must stay on the canvas.
const STILL_VISIBLE: f64 = 0.75;

/// The displacement (right, down) of the product's pixels from (`left`, `top`), up to 16 pixels along each axis; (0, 0)
/// when nothing else fits clearly better.
pub(super) fn displacement(creative: &RgbImage, product: &RgbaImage, left: i32, top: i32) -> Result<(i32, i32)> {
    let declared = Pairs::cut(creative, product, left, top)?;
    if declared.equal() {
        return Ok((0, 0));
    }
    let search = Search { creative, product, left, top, visible: declared.count() };
    let quarter = |size: u32| (size / 4).max(1);
    let small = imageops::thumbnail(creative, quarter(creative.width()), quarter(creative.height()));
    let cut_out = imageops::thumbnail(product, quarter(product.width()), quarter(product.height()));
    let at = (left.div_euclid(4), top.div_euclid(4));
    let coarse = Pairs::cut(&small, &cut_out, at.0, at.1).ok().map_or((0, 0), |pairs| {
        let rough = Search { creative: &small, product: &cut_out, left: at.0, top: at.1, visible: pairs.count() };
        let (x, y) = rough.best((0, 0), FARTHEST / 4);
        (4 * x, 4 * y)
    });
    // A small shift of a product with little texture can look like a large one from afar.
    let (far, near) = (search.best(coarse, 4), search.best((0, 0), 4));
    let fine = if search.error(far) < search.error(near) { far } else { near };
    let (there, here) = (search.error(fine), search.error((0, 0)));
    Ok(if there < CLEARLY_BETTER * here { fine } else { (0, 0) })
}

struct Search<'a> {
    creative: &'a RgbImage,
    product: &'a RgbaImage,
    left: i32,
    top: i32,
    visible: usize,
}

impl Search<'_> {
    /// The best displacement within `radius` of `around`; the nearest of equals.
    fn best(&self, around: (i32, i32), radius: i32) -> (i32, i32) {
        let reach = -radius..=radius;
        let places = reach.clone().flat_map(|y| reach.clone().map(move |x| (around.0 + x, around.1 + y)));
        let mut places: Vec<_> = places.filter(|(x, y)| x.abs() <= FARTHEST && y.abs() <= FARTHEST).collect();
        places.sort_by_key(|(x, y)| x * x + y * y);
        let errors = places.iter().map(|place| self.error(*place));
        let best = errors.zip(&places).fold((f64::INFINITY, (0, 0)), |best, (error, place)| {
            if error < best.0 { (error, *place) } else { best }
        });
        best.1
    }

    /// Mean squared difference of luma; infinite where too little of the product is on the canvas.
    fn error(&self, (right, down): (i32, i32)) -> f64 {
        let cut = Pairs::cut(self.creative, self.product, self.left + right, self.top + down);
        let Ok(pairs) = cut else { return f64::INFINITY };
        let count = pairs.count() as f64;
        if count < STILL_VISIBLE * self.visible as f64 {
            return f64::INFINITY;
        }
        let square = |(wanted, found)| (crate::ssim::luma(wanted) - crate::ssim::luma(found)).powi(2);
        pairs.inside().map(square).sum::<f64>() / count
    }
}
