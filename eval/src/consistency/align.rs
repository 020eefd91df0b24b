//! Where a product really lies: the displacement from its declared place.
//!
//! Least squared difference of luma inside the mask over whole pixels: searched coarse to fine, over a quarter of the size
//! first. A shift is one fault; without this every other number of a shifted product would be low too, and say nothing.

use super::pairs::eroded;
use crate::ssim::luma;
use image::{RgbImage, RgbaImage, imageops};

/// The longest displacement along an axis that is looked for, in pixels.
const FARTHEST: i32 = 16;
/// The squared error that a displacement must leave at most, as a share of that at the declared place: chance alone
/// finds a little less somewhere.
const CLEARLY_BETTER: f64 = 0.5;
/// A mean squared difference in levels of luma that rounding makes: the product is where it was declared.
const ROUNDING: f64 = 1.0;
/// The share of the product's visible pixels that must stay on the canvas.
const STILL_VISIBLE: f64 = 0.75;
/// Pixels that are compared at most; more of them change nothing but the time.
const MOST: usize = 20_000;

/// The displacement (right, down) of the product's pixels from (`left`, `top`), up to 16 pixels along each axis; (0, 0)
/// when nothing else fits clearly better.
pub(super) fn displacement(creative: &RgbImage, product: &RgbaImage, left: i32, top: i32) -> (i32, i32) {
    let search = Search::new(creative, product, (left, top));
    let here = search.error((0, 0));
    if here < ROUNDING {
        return (0, 0);
    }
    let quarter = |size: u32| (size / 4).max(1);
    let small = imageops::thumbnail(creative, quarter(creative.width()), quarter(creative.height()));
    let cut_out = imageops::thumbnail(product, quarter(product.width()), quarter(product.height()));
    let rough = Search::new(&small, &cut_out, (left.div_euclid(4), top.div_euclid(4)));
    let (x, y) = rough.best((0, 0), FARTHEST / 4);
    // A small shift of a product with little texture can look like a large one from afar.
    let (far, near) = (search.best((4 * x, 4 * y), 4), search.best((0, 0), 4));
    let fine = if search.error(far) < search.error(near) { far } else { near };
    if search.error(fine) < CLEARLY_BETTER * here { fine } else { (0, 0) }
}

/// A product's luma at some of its pixels, and the creative's everywhere.
struct Search {
    /// Pixels inside the mask, where they were declared on the creative, with their luma.
    wanted: Vec<(i32, i32, f64)>,
    found: Vec<f64>,
    width: i32,
    height: i32,
    /// How many of the pixels lie on the canvas at the declared place.
    visible: usize,
}

impl Search {
    fn new(creative: &RgbImage, product: &RgbaImage, (left, top): (i32, i32)) -> Self {
        let mask = eroded(product);
        let count = mask.iter().filter(|inside| **inside).count();
        let pixels = product.enumerate_pixels().zip(mask).filter(|(_, inside)| *inside);
        let step = count.div_ceil(MOST).max(1);
        let wanted = pixels
            .step_by(step)
            .map(|((x, y, p), _)| (x as i32 + left, y as i32 + top, luma([p.0[0], p.0[1], p.0[2]])))
            .collect();
        let found = creative.pixels().map(|p| luma(p.0)).collect();
        let (width, height) = (creative.width() as i32, creative.height() as i32);
        let mut search = Self { wanted, found, width, height, visible: 0 };
        search.visible = search.differences((0, 0)).count();
        search
    }

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
    fn error(&self, place: (i32, i32)) -> f64 {
        let (sum, count) =
            self.differences(place).fold((0.0, 0_usize), |(sum, count), d| (sum + d * d, count + 1));
        let enough = count > 0 && count as f64 >= STILL_VISIBLE * self.visible as f64;
        if enough { sum / count as f64 } else { f64::INFINITY }
    }

    fn differences(&self, (right, down): (i32, i32)) -> impl Iterator<Item = f64> + '_ {
        self.wanted.iter().filter_map(move |(x, y, wanted)| {
            let (x, y) = (x + right, y + down);
            let within = (0..self.width).contains(&x) && (0..self.height).contains(&y);
            within.then(|| wanted - self.found[(y * self.width + x) as usize])
        })
    }
}
