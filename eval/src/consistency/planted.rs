//! Defects planted by known amounts: what proves that a measure sees its fault, grows with it, and sees no other.
//!
//! A [`Stage`] composes a sound creative: a scene, a soft contact shadow, the product. [`Stage::plant`] composes it with one
//! defect, and knows by construction where the product was declared to be and what of the picture is product.

use super::Placed;
use super::place::{covering, on_canvas};
use super::surroundings::INSIDE;
use image::{GrayImage, Luma, Rgb, RgbImage, Rgba, Rgba32FImage, RgbaImage, imageops};
use palette::{FromColor, Oklch, Srgb};

/// How far "nearby" reaches, as a Gaussian's sigma in pixels, and the weight below which nothing is near.
const NEARBY: f32 = 8.0;
const FAR_AWAY: f32 = 1e-6;

/// A kind of fault; the amount's unit stands beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defect {
    /// A larger copy of the product beneath it, by pixels on each side.
    Growth,
    /// The product's hues turned at equal lightness, by degrees.
    Recolour,
    /// The product drawn right of its declared place, by pixels.
    Shift,
    /// The product's own pixels blurred, by the Gaussian's sigma in pixels.
    Blur,
    /// The product pushed over the canvas' left edge, by percent of its width.
    Crop,
    /// A plinth of the product's width under its foot, by its height in pixels.
    Pedestal,
    /// Product and declared place lifted off the shadow, by pixels.
    Float,
    /// A white fringe of four pixels, by percent of opacity.
    Halo,
    /// The scene around the product faded into the colours that the product has nearby, by percent.
    Camouflage,
}

/// What a defect was planted into.
#[derive(Debug, Clone)]
pub struct Planted {
    /// The creative.
    pub creative: RgbImage,
    /// Where the product is declared to be.
    pub left: i32,
    /// Its top edge.
    pub top: i32,
    /// What a segmenter without any error sees as the product.
    pub silhouette: GrayImage,
}

/// A scene, and a product on it.
#[derive(Debug, Clone)]
pub struct Stage {
    /// The scene without the product.
    pub scene: RgbImage,
    /// The product at its size on the canvas.
    pub product: RgbaImage,
    /// Its left edge.
    pub left: i32,
    /// Its top edge.
    pub top: i32,
}

impl Planted {
    /// It as a measure takes it, with its silhouette for a segmenter's map.
    pub const fn placed<'a>(&'a self, stage: &'a Stage) -> Placed<'a> {
        Placed {
            creative: &self.creative,
            product: &stage.product,
            left: self.left,
            top: self.top,
            segmented: Some(&self.silhouette),
        }
    }
}

impl Defect {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Growth,
        Self::Recolour,
        Self::Shift,
        Self::Blur,
        Self::Crop,
        Self::Pedestal,
        Self::Float,
        Self::Halo,
        Self::Camouflage,
    ];

    /// Its name and the unit of its amounts.
    pub const fn name(self) -> (&'static str, &'static str) {
        match self {
            Self::Growth => ("growth", "px"),
            Self::Recolour => ("recolour", "degrees"),
            Self::Shift => ("shift", "px"),
            Self::Blur => ("blur", "px sigma"),
            Self::Crop => ("crop", "%"),
            Self::Pedestal => ("pedestal", "px"),
            Self::Float => ("float", "px"),
            Self::Halo => ("halo", "%"),
            Self::Camouflage => ("camouflage", "%"),
        }
    }
}

impl Stage {
    /// The creative with one defect; with an amount of 0 it is sound.
    pub fn plant(&self, defect: Defect, amount: u32) -> Planted {
        let mut place = (self.left, self.top);
        let mut canvas = self.scene.clone();
        let pixels = amount as i32;
        if defect == Defect::Crop {
            place.0 = -((f64::from(self.product.width()) * f64::from(amount) / 100.0).round() as i32);
        }
        self.contact_shadow(&mut canvas, place);
        let mut silhouette = GrayImage::new(canvas.width(), canvas.height());
        let mut drawn = place;
        match defect {
            Defect::Growth => {
                let (w, h) = self.product.dimensions();
                let larger = imageops::resize(
                    &self.product,
                    w + 2 * amount,
                    h + 2 * amount,
                    imageops::FilterType::Triangle,
                );
                paste(&mut canvas, &mut silhouette, &larger, (place.0 - pixels, place.1 - pixels));
            }
            Defect::Pedestal => self.plinth(&mut canvas, &mut silhouette, place, amount),
            Defect::Halo => self.fringe(&mut canvas, place, f64::from(amount) / 100.0),
            Defect::Camouflage => self.fade(&mut canvas, place, f64::from(amount) / 100.0),
            Defect::Shift => drawn.0 += pixels,
            Defect::Float => {
                place.1 -= pixels;
                drawn.1 -= pixels;
            }
            Defect::Recolour | Defect::Blur | Defect::Crop => {}
        }
        let own = match defect {
            Defect::Recolour => turned(&self.product, f64::from(amount)),
            Defect::Blur if amount > 0 => blurred(&self.product, amount as f32),
            _ => self.product.clone(),
        };
        paste(&mut canvas, &mut silhouette, &own, drawn);
        Planted { creative: canvas, left: place.0, top: place.1, silhouette }
    }

    /// Where the foot is: its middle and half its width, on the canvas.
    fn foot(&self, (left, top): (i32, i32)) -> (f64, f64, f64) {
        let inside = |x: u32, y: u32| self.product.get_pixel(x, y).0[3] >= INSIDE;
        let (width, height) = self.product.dimensions();
        let lowest = (0..height).rev().find(|y| (0..width).any(|x| inside(x, *y))).unwrap_or(height - 1);
        let band = lowest.saturating_sub(height / 33)..=lowest;
        let columns: Vec<u32> = (0..width).filter(|x| band.clone().any(|y| inside(*x, y))).collect();
        let (first, last) = (columns.first().copied().unwrap_or(0), columns.last().copied().unwrap_or(width));
        let middle = f64::from(left) + f64::from(first + last) / 2.0;
        (middle, f64::from(top) + f64::from(lowest), f64::from(last - first + 1) / 2.0)
    }

    /// Darkens the ground under the foot: a flat Gaussian spot.
    fn contact_shadow(&self, canvas: &mut RgbImage, place: (i32, i32)) {
        let (x, y, half) = self.foot(place);
        let (wide, deep) = (1.1 * half + 6.0, 0.05 * f64::from(self.product.height()) + 4.0);
        for (px, py, pixel) in canvas.enumerate_pixels_mut() {
            let along = ((f64::from(px) - x).abs() - 0.8 * half).max(0.0) / (wide - 0.8 * half);
            let away = (f64::from(py) - y) / deep;
            let shade = 1.0 - 0.55 * (-2.0 * (along * along + away * away)).exp();
            pixel.0 = pixel.0.map(|v| (f64::from(v) * shade).round() as u8);
        }
    }

    /// A plinth of wood: no colour of the product's.
    fn plinth(&self, canvas: &mut RgbImage, silhouette: &mut GrayImage, place: (i32, i32), height: u32) {
        let (x, y, _) = self.foot(place);
        let half = f64::from(self.product.width()) / 2.0;
        for (px, py, pixel) in canvas.enumerate_pixels_mut() {
            let below = f64::from(py) - y;
            if (f64::from(px) - x).abs() <= half && below > 0.0 && below <= f64::from(height) {
                let grain = 0.9 + 0.1 * (f64::from(py) * 0.9).sin();
                pixel.0 = [150.0, 108.0, 66.0].map(|v: f64| (v * grain) as u8);
                silhouette.put_pixel(px, py, Luma([255]));
            }
        }
    }

    /// White, four pixels wide, around the product.
    fn fringe(&self, canvas: &mut RgbImage, corner: (i32, i32), opacity: f64) {
        let (width, height) = canvas.dimensions();
        let covered = |x, y| covering(&self.product, corner, x, y).is_some_and(|p| p.0[3] >= INSIDE);
        let inside: Vec<bool> =
            (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).map(|(x, y)| covered(x, y)).collect();
        let distances = adeval_sdk::outline::squared_distances(&inside, width as usize);
        for (pixel, squared) in canvas.pixels_mut().zip(distances) {
            if squared <= 16.0 {
                pixel.0 = pixel.0.map(|v| (f64::from(v) + opacity * (255.0 - f64::from(v))).round() as u8);
            }
        }
    }

    /// The scene, faded into the colours that the product has nearby: its blur, divided by the blur of its alpha.
    fn fade(&self, canvas: &mut RgbImage, corner: (i32, i32), share: f64) {
        let wide = Rgba32FImage::from_fn(canvas.width(), canvas.height(), |x, y| {
            let pixel = covering(&self.product, corner, x, y).map_or([0; 4], |pixel| pixel.0);
            let alpha = f32::from(pixel[3]) / 255.0;
            Rgba([0, 1, 2, 3].map(|c| if c == 3 { alpha } else { f32::from(pixel[c]) * alpha }))
        });
        let soft = imageops::blur(&wide, NEARBY);
        for (pixel, Rgba([r, g, b, weight])) in canvas.pixels_mut().zip(soft.pixels()) {
            if *weight > FAR_AWAY {
                let nearby = [*r, *g, *b].map(|v| f64::from(v / weight));
                pixel.0 = std::array::from_fn(|c| {
                    let own = f64::from(pixel.0[c]);
                    (own + share * (nearby[c] - own)).round() as u8
                });
            }
        }
    }
}

/// Lays straight-alpha pixels over a canvas, and their alpha over the silhouette.
fn paste(canvas: &mut RgbImage, silhouette: &mut GrayImage, product: &RgbaImage, corner: (i32, i32)) {
    for (x, y, Rgba([r, g, b, a])) in on_canvas(product, corner, canvas.dimensions()) {
        let (under, over, alpha) = (canvas.get_pixel(x, y).0, [*r, *g, *b], f64::from(*a) / 255.0);
        let mixed = std::array::from_fn(|c| {
            (f64::from(under[c]) + alpha * (f64::from(over[c]) - f64::from(under[c]))).round() as u8
        });
        canvas.put_pixel(x, y, Rgb(mixed));
        let seen = silhouette.get_pixel(x, y).0[0].max(*a);
        silhouette.put_pixel(x, y, Luma([seen]));
    }
}

/// Hues turned in Oklch, lightness and chroma kept as far as sRGB holds them.
fn turned(product: &RgbaImage, degrees: f64) -> RgbaImage {
    let mut out = product.clone();
    for Rgba([r, g, b, _]) in out.pixels_mut() {
        let mut colour: Oklch<f64> = Oklch::from_color(Srgb::<u8>::new(*r, *g, *b).into_linear::<f64>());
        colour.hue += degrees;
        let rgb: Srgb<u8> = Srgb::<f64>::from_color(colour).into_format();
        [*r, *g, *b] = [rgb.red, rgb.green, rgb.blue];
    }
    out
}

/// Pixels blurred under an unchanged alpha; colours are weighted by alpha, so that nothing bleeds in from outside.
fn blurred(product: &RgbaImage, sigma: f32) -> RgbaImage {
    let weighted = RgbaImage::from_fn(product.width(), product.height(), |x, y| {
        let Rgba([r, g, b, a]) = *product.get_pixel(x, y);
        let by = |v: u8| (u32::from(v) * u32::from(a) / 255) as u8;
        Rgba([by(r), by(g), by(b), a])
    });
    let soft = imageops::blur(&weighted, sigma);
    RgbaImage::from_fn(product.width(), product.height(), |x, y| {
        let Rgba([r, g, b, a]) = *soft.get_pixel(x, y);
        let by = |v: u8| (u32::from(v) * 255 / u32::from(a.max(1))).min(255) as u8;
        Rgba([by(r), by(g), by(b), product.get_pixel(x, y).0[3]])
    })
}
