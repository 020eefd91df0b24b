//! A creative on a small grid, in OKLab, with the product's share of each cell.

use crate::{EvalError, Result};
use adeval_sdk::Placement;
use image::{ImageBuffer, Rgb, RgbaImage};
use palette::{FromColor, LinSrgb, Oklab, Srgb};
use std::ops::Deref;

/// Cells along the longer side: shoppers see a thumbnail.
const SIDE: u32 = 96;

/// Cells in rows from the top.
pub(super) struct Grid {
    pub width: usize,
    /// Mean colour of a cell (averaged in linear light): lightness, a, b.
    pub lab: Vec<[f64; 3]>,
    /// The product's share of a cell, in [0, 1].
    pub product: Vec<f64>,
}

/// What falls into one cell.
#[derive(Clone, Copy, Default)]
struct Sum {
    light: [f32; 3],
    alpha: f64,
    pixels: u32,
}

impl Grid {
    /// Averages a creative over cells. `product` is the alpha box at the placement's size.
    pub fn of<C>(
        creative: &ImageBuffer<Rgb<u8>, C>,
        product: &RgbaImage,
        placement: &Placement,
    ) -> Result<Self>
    where
        C: Deref<Target = [u8]>,
    {
        let (width, height) = creative.dimensions();
        if width == 0 || height == 0 {
            return Err(EvalError::EmptyMask { reason: format!("the creative has {width}x{height} pixels") });
        }
        let longer = width.max(height);
        let cells = |side: u32| (side * SIDE.min(longer)).div_ceil(longer).max(1);
        let (columns, rows) = (cells(width), cells(height));
        let cell =
            |x: u32, y: u32| (y * rows / height) as usize * columns as usize + (x * columns / width) as usize;
        let linear: [f32; 256] =
            std::array::from_fn(|v| Srgb::new(v as u8, 0, 0).into_format::<f32>().into_linear().red);
        let mut sums = vec![Sum::default(); (columns * rows) as usize];
        for (x, y, pixel) in creative.enumerate_pixels() {
            let sum = &mut sums[cell(x, y)];
            sum.light.iter_mut().zip(pixel.0).for_each(|(to, v)| *to += linear[usize::from(v)]);
            sum.pixels += 1;
        }
        for (x, y, pixel) in product.enumerate_pixels() {
            let (x, y) = (i64::from(placement.left) + i64::from(x), i64::from(placement.top) + i64::from(y));
            if (0..i64::from(width)).contains(&x) && (0..i64::from(height)).contains(&y) {
                sums[cell(x as u32, y as u32)].alpha += f64::from(pixel.0[3]) / 255.0;
            }
        }
        Ok(Self {
            width: columns as usize,
            lab: sums.iter().map(Sum::lab).collect(),
            product: sums.iter().map(|sum| sum.alpha / f64::from(sum.pixels)).collect(),
        })
    }

    /// Cells that hold nothing of the product.
    pub fn background(&self) -> Vec<bool> {
        self.product.iter().map(|share| *share < 0.02).collect()
    }

    /// Cells of a mask, and those up to `reach` cells beside or above them.
    pub fn grown(&self, mask: &[bool], reach: usize) -> Vec<bool> {
        let (width, height) = (self.width, mask.len() / self.width);
        let along = |mask: &[bool], count: usize, length: usize, at: &dyn Fn(usize, usize) -> usize| {
            let mut out = vec![false; mask.len()];
            for line in 0..count {
                for i in 0..length {
                    let near = i.saturating_sub(reach)..(i + reach + 1).min(length);
                    out[at(line, i)] = near.into_iter().any(|j| mask[at(line, j)]);
                }
            }
            out
        };
        let rows = along(mask, height, width, &|y, x| y * width + x);
        along(&rows, width, height, &|x, y| y * width + x)
    }
}

impl Sum {
    fn lab(&self) -> [f64; 3] {
        let [red, green, blue] = self.light.map(|sum| sum / self.pixels as f32);
        let colour = Oklab::from_color(LinSrgb::new(red, green, blue));
        [colour.l, colour.a, colour.b].map(f64::from)
    }
}
