//! Agreement with scipy, scikit-image and published tables; `fixtures/scripts/goldens_eval.py` writes the values.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // Helpers of tests may fail and print.

use adeval_eval::{Moments, bradley_terry, frechet_from_moments, frechet_from_rows, ssim};
use image::RgbImage;
use palette::{Lab, color_difference::Ciede2000, white_point::D65};
use serde::Deserialize;

#[derive(Deserialize)]
struct Goldens {
    frechet: Vec<FrechetCase>,
    image: ImageCase,
    sharma: Vec<[f64; 7]>,
    bradley_terry: BradleyTerryCase,
}

#[derive(Deserialize)]
struct FrechetCase {
    name: String,
    value: f64,
    x: Vec<Vec<f32>>,
    y: Vec<Vec<f32>>,
}

#[derive(Deserialize)]
struct ImageCase {
    width: u32,
    height: u32,
    ssim: f64,
    psnr: f64,
}

#[derive(Deserialize)]
struct BradleyTerryCase {
    wins: Vec<Vec<f64>>,
    strength: Vec<f64>,
}

fn goldens() -> Goldens {
    serde_json::from_str(include_str!("../../fixtures/goldens/eval/goldens.json")).unwrap()
}

/// The script's `image_pair`.
fn image_pair(width: u32, height: u32) -> (RgbImage, RgbImage) {
    let first = |x: u32, y: u32, c: u32| (x * 7 + y * 13 + c * 29 + (x * y) % 31) % 256;
    let second = |x: u32, y: u32, c: u32| {
        (first(x, y, c) as i32 + ((x * x * 3 + y * 5 + c * 11) % 41) as i32 - 20).clamp(0, 255) as u8
    };
    (
        RgbImage::from_fn(width, height, |x, y| image::Rgb([0, 1, 2].map(|c| first(x, y, c) as u8))),
        RgbImage::from_fn(width, height, |x, y| image::Rgb([0, 1, 2].map(|c| second(x, y, c)))),
    )
}

#[test]
fn both_frechet_routes_agree_with_scipy() {
    for case in goldens().frechet {
        let rows = frechet_from_rows(&case.x, &case.y).unwrap();
        let moments =
            frechet_from_moments(&Moments::of(&case.x).unwrap(), &Moments::of(&case.y).unwrap()).unwrap();
        for (route, value) in [("rows", rows), ("moments", moments)] {
            let error = (value - case.value).abs() / case.value;
            assert!(error <= 1e-9, "{} by {route}: {value} against {} ({error:e})", case.name, case.value);
        }
    }
}

#[test]
fn ssim_agrees_with_scikit_image() {
    let case = goldens().image;
    let (a, b) = image_pair(case.width, case.height);
    let value = ssim(&a, &b).unwrap();
    assert!((value - case.ssim).abs() < 1e-9, "{value} against {}", case.ssim);
}

#[test]
fn masked_psnr_agrees_with_scikit_image_on_a_whole_frame() {
    let case = goldens().image;
    let (a, b) = image_pair(case.width, case.height);
    // A border of one copied pixel takes the erosion, so that the mask is the whole frame.
    let product = image::RgbaImage::from_fn(case.width + 2, case.height + 2, |x, y| {
        let [r, g, b] = a.get_pixel(x.clamp(1, case.width) - 1, y.clamp(1, case.height) - 1).0;
        image::Rgba([r, g, b, 255])
    });
    let found = adeval_eval::fidelity(&b, &product, -1, -1).unwrap();
    assert_eq!(found.pixels, (case.width * case.height) as usize);
    assert!((found.psnr_db - case.psnr).abs() < 1e-9, "{} against {}", found.psnr_db, case.psnr);
}

#[test]
fn delta_e_2000_agrees_with_sharma() {
    for [l1, a1, b1, l2, a2, b2, wanted] in goldens().sharma {
        let (one, two) = (Lab::<D65, f64>::new(l1, a1, b1), Lab::new(l2, a2, b2));
        for value in [one.difference(two), two.difference(one)] {
            assert!((value - wanted).abs() < 1e-4, "{one:?} {two:?}: {value} against {wanted}");
        }
    }
}

#[test]
fn bradley_terry_agrees_with_a_general_optimiser() {
    let case = goldens().bradley_terry;
    let fitted = bradley_terry::fit(&case.wins.concat(), case.strength.len());
    for (value, wanted) in fitted.iter().zip(&case.strength) {
        assert!((value - wanted).abs() < 1e-6, "{fitted:?} against {:?}", case.strength);
    }
}
