//! The functions of `opencv` against OpenCV itself: no differing byte in hundreds of calls.
//!
//! The calls and the CRC-32 of each answer come from `fixtures/scripts/goldens_sd_opencv.py`, which computes the same
//! pictures by the same formulas.

mod support;

use adeval_models::opencv::{
    Gradient, Interpolation, Picture, Rectangle, canny, dilate, erode, gray, resize,
};
use image::{Luma, LumaA, Pixel, Rgb, RgbImage, Rgba, RgbaImage};
use serde::Deserialize;
use support::Parity;
use support::pictures::{crc32, drawn, product};

const PARITY: Parity = Parity::new("opencv", "OpenCV 5.0.0 and 4.11.0");

/// One line of `opencv.json`.
#[derive(Deserialize)]
struct Golden {
    #[serde(flatten)]
    call: Call,
    picture: Source,
    crc: u32,
}

/// Kind, seed, width, height, channels.
#[derive(Deserialize)]
struct Source(String, u32, u32, u32, u8);

#[derive(Deserialize)]
#[serde(tag = "call", rename_all = "lowercase")]
enum Call {
    Canny { low: f64, high: f64, l2: bool },
    Dilate { width: u32, height: u32 },
    Erode { width: u32, height: u32 },
    Resize { rule: Rule, width: u32, height: u32 },
    Gray,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Rule {
    Nearest,
    Linear,
    Area,
}

impl Call {
    /// The row of the parity table that counts this call.
    fn case(&self) -> &'static str {
        match self {
            Self::Canny { l2: false, .. } => "Canny, L1 gradient",
            Self::Canny { l2: true, .. } => "Canny, L2 gradient",
            Self::Dilate { .. } | Self::Erode { .. } => "dilate and erode, rectangles",
            Self::Resize { rule: Rule::Area, .. } => "resize, INTER_AREA",
            Self::Resize { rule: Rule::Linear, .. } => "resize, INTER_LINEAR",
            Self::Resize { rule: Rule::Nearest, .. } => "resize, INTER_NEAREST",
            Self::Gray => "cvtColor, RGB to grey",
        }
    }

    fn answer<P: Pixel<Subpixel = u8>>(&self, picture: &Picture<P>) -> Vec<u8> {
        match *self {
            Self::Canny { low, high, l2 } => {
                canny(picture, low, high, if l2 { Gradient::L2 } else { Gradient::L1 }).into_raw()
            }
            Self::Dilate { width, height } => dilate(picture, Rectangle { width, height }).into_raw(),
            Self::Erode { width, height } => erode(picture, Rectangle { width, height }).into_raw(),
            Self::Resize { rule, width, height } => {
                let rule = match rule {
                    Rule::Nearest => Interpolation::Nearest,
                    Rule::Linear => Interpolation::Linear,
                    Rule::Area => Interpolation::Area,
                };
                resize(picture, width, height, rule).expect("pictures of at least one pixel").into_raw()
            }
            Self::Gray => {
                let (width, height) = picture.dimensions();
                gray(&RgbImage::from_raw(width, height, picture.as_raw().clone()).expect("three channels"))
                    .into_raw()
            }
        }
    }
}

/// The picture of a golden, whose type depends on its channels, to the answer's bytes.
fn answer(golden: &Golden) -> Vec<u8> {
    let Source(kind, seed, width, height, channels) = &golden.picture;
    let (size, call) = ((*width, *height), &golden.call);
    match (kind.ends_with(".png"), channels) {
        (true, 3) => call.answer(&rgb_of(&product(kind))),
        (true, _) => call.answer(&product(kind)),
        (_, 1) => call.answer(&drawn::<Luma<u8>>(kind, *seed, size)),
        (_, 2) => call.answer(&drawn::<LumaA<u8>>(kind, *seed, size)),
        (_, 3) => call.answer(&drawn::<Rgb<u8>>(kind, *seed, size)),
        (_, 4) => call.answer(&drawn::<Rgba<u8>>(kind, *seed, size)),
        (_, other) => panic!("{other} channels"),
    }
}

/// The colours alone, without a look at alpha, as NumPy's `[..., :3]`.
fn rgb_of(picture: &RgbaImage) -> RgbImage {
    RgbImage::from_fn(picture.width(), picture.height(), |x, y| {
        let [r, g, b, _] = picture.get_pixel(x, y).0;
        Rgb([r, g, b])
    })
}

#[test]
fn every_call_gives_the_bytes_of_opencv() {
    let text = std::fs::read_to_string(support::goldens().join("sd/opencv.json")).expect("the goldens");
    let goldens: Vec<Golden> = serde_json::from_str(&text).expect("lines of calls");
    let mut counts = std::collections::BTreeMap::<_, (usize, usize)>::new();
    for golden in &goldens {
        let differs = crc32(&answer(golden)) != golden.crc;
        let count = counts.entry(golden.call.case()).or_default();
        count.0 += 1;
        count.1 += usize::from(differs);
        if differs {
            let Source(kind, seed, width, height, channels) = &golden.picture;
            eprintln!("differs: {} of {kind} {seed} {width}x{height}x{channels}", golden.call.case());
        }
    }
    assert!(goldens.len() >= 700 && counts.len() == 7, "the goldens are incomplete: {counts:?}");
    for (case, (total, differing)) in counts {
        PARITY.number(
            &format!("{case} ({total} pictures)"),
            "pictures with a differing byte",
            differing as f64,
            0.0,
        );
    }
}

#[test]
fn pictures_without_pixels_are_refused_or_stay_empty() {
    let empty = RgbImage::new(0, 3);
    assert_eq!(canny(&empty, 100.0, 200.0, Gradient::L1).dimensions(), (0, 3));
    assert_eq!(dilate(&empty, Rectangle::square(20)).dimensions(), (0, 3));
    let error = resize(&empty, 4, 4, Interpolation::Area).expect_err("nothing to resample");
    assert_eq!(
        error.to_string(),
        "cannot resample 0x3 pixels to 4x4; both need a width and a height of at least 1"
    );
    assert!(resize(&RgbImage::new(2, 2), 0, 4, Interpolation::Linear).is_err());
}

#[test]
fn an_even_kernel_reaches_one_pixel_further_to_the_left_and_up() {
    let mut dot = image::GrayImage::new(64, 64);
    dot.put_pixel(30, 30, Luma([255]));
    let grown = dilate(&dot, Rectangle::square(20));
    let lit: Vec<_> = grown.enumerate_pixels().filter(|p| p.2.0[0] > 0).map(|p| (p.0, p.1)).collect();
    // A pixel looks 10 to its left, so the dot is seen up to 10 to its right.
    assert_eq!((lit.first(), lit.last(), lit.len()), (Some(&(21, 21)), Some(&(40, 40)), 400));
}
