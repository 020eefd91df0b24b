//! Ten features of a creative for the logistic reward model.

use adeval_compositing::color::{oklab, srgb_lut};
use adeval_sdk::prelude::*;
use image::{RgbImage, imageops};

/// Number of features.
pub(crate) const FEATURES: usize = 10;

/// Their names, in order.
pub(crate) const NAMES: [&str; FEATURES] = [
    "lightness",
    "lightness-spread",
    "chroma",
    "chroma-spread",
    "green-red",
    "blue-yellow",
    "centre-lightness",
    "centre-chroma",
    "edges-centre",
    "edges-border",
];

/// The side at which a creative is looked at, whatever its aspect ratio.
const SIDE: u32 = 64;

#[derive(Default, Clone, Copy)]
struct Moments {
    count: f64,
    sum: f64,
    squares: f64,
}

impl Moments {
    fn add(&mut self, value: f64) {
        self.count += 1.0;
        self.sum += value;
        self.squares += value * value;
    }
    fn mean(self) -> f64 {
        self.sum / self.count.max(1.0)
    }
    fn spread(self) -> f64 {
        (self.squares / self.count.max(1.0) - self.mean() * self.mean()).max(0.0).sqrt()
    }
}

/// The features, scaled so that ordinary creatives lie about between -2 and 2: mean and spread of OKLab lightness and
/// chroma, mean opponent colours, centre minus border of lightness and chroma, mean lightness step between
/// neighbours in the centre (the middle half of each side) and at the border.
pub(crate) fn features(image: &Image) -> [f64; FEATURES] {
    let small: RgbImage = match image.as_rgb() {
        Some(view) => imageops::thumbnail(&view, SIDE, SIDE),
        None => imageops::thumbnail(&image.to_rgb(), SIDE, SIDE),
    };
    let lut = srgb_lut();
    let lab: Vec<[f32; 3]> = small.pixels().map(|p| oklab(p.0.map(|v| lut[v as usize]))).collect();
    let side = SIDE as usize;
    let middle = side / 4..3 * side / 4;
    // All, centre, border.
    let mut light = [Moments::default(); 3];
    let mut chroma = [Moments::default(); 3];
    let mut edges = [Moments::default(); 3];
    let (mut green_red, mut blue_yellow) = (Moments::default(), Moments::default());
    for (i, colour) in lab.iter().enumerate() {
        let (x, y) = (i % side, i / side);
        let part = if middle.contains(&x) && middle.contains(&y) { 1 } else { 2 };
        let step = |other: usize| f64::from((lab[other][0] - colour[0]).abs());
        let edge = (if x + 1 < side { step(i + 1) } else { 0.0 })
            + (if y + 1 < side { step(i + side) } else { 0.0 });
        for p in [0, part] {
            light[p].add(f64::from(colour[0]));
            chroma[p].add(f64::from(colour[1].hypot(colour[2])));
            edges[p].add(edge);
        }
        green_red.add(f64::from(colour[1]));
        blue_yellow.add(f64::from(colour[2]));
    }
    [
        (light[0].mean() - 0.65) / 0.2,
        (light[0].spread() - 0.2) / 0.1,
        (chroma[0].mean() - 0.06) / 0.04,
        (chroma[0].spread() - 0.05) / 0.03,
        green_red.mean() / 0.05,
        blue_yellow.mean() / 0.05,
        (light[1].mean() - light[2].mean()) / 0.2,
        (chroma[1].mean() - chroma[2].mean()) / 0.05,
        (edges[1].mean() - 0.08) / 0.06,
        (edges[2].mean() - 0.05) / 0.05,
    ]
}
