//! PSNR, SSIM and MS-SSIM against torchmetrics and piq; `fixtures/scripts/goldens_similarity.py` writes the values.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // Helpers of tests may fail and print.

use adeval_eval::{ms_ssim, ssim};
use image::{Rgb, RgbImage};
use serde::Deserialize;

#[derive(Deserialize)]
struct Goldens {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    width: u32,
    height: u32,
    noise: u32,
    ssim_torchmetrics: f64,
    ssim_piq: f64,
    ms_ssim_torchmetrics: f64,
    ms_ssim_piq: Option<f64>,
}

/// The script's `pair`.
fn pair(case: &Case) -> (RgbImage, RgbImage) {
    let first = |x: u32, y: u32, c: u32| ((x / 9) * 23 + (y / 7) * 41 + c * 29 + (x * y) % 31) % 256;
    let second = |x: u32, y: u32, c: u32| {
        let noise = ((x * x * 3 + y * 5 + c * 11) % case.noise) as i32 - (case.noise / 2) as i32;
        (first(x, y, c) as i32 + noise).clamp(0, 255) as u8
    };
    let image = |of: &dyn Fn(u32, u32, u32) -> u8| {
        RgbImage::from_fn(case.width, case.height, |x, y| Rgb([0, 1, 2].map(|c| of(x, y, c))))
    };
    (image(&|x, y, c| first(x, y, c) as u8), image(&second))
}

#[test]
fn similarities_agree_with_torchmetrics_and_piq() {
    let goldens: Goldens =
        serde_json::from_str(include_str!("../../fixtures/goldens/eval/similarity.json")).unwrap();
    for case in goldens.cases {
        let (a, b) = pair(&case);
        let (single, multi) = (ssim(&a, &b).unwrap(), ms_ssim(&a, &b).unwrap());
        // The script says in what the libraries' MS-SSIM differ.
        for (library, value, wanted, most) in [
            ("SSIM, torchmetrics", single, Some(case.ssim_torchmetrics), 1e-9),
            ("SSIM, piq", single, Some(case.ssim_piq), 1e-9),
            ("MS-SSIM, torchmetrics", multi, Some(case.ms_ssim_torchmetrics), 1e-3),
            ("MS-SSIM, piq", multi, case.ms_ssim_piq, 1e-9),
        ] {
            let Some(wanted) = wanted else { continue };
            let error = (value - wanted).abs() / wanted;
            println!("{library}, {}: {value} against {wanted} ({error:.1e})", case.name);
            assert!(error <= most, "{library}, {}: {value} against {wanted} ({error:e})", case.name);
        }
    }
}

#[test]
fn equal_pictures_have_a_similarity_of_one_and_small_or_unequal_ones_an_error() {
    let grey = RgbImage::from_pixel(176, 180, Rgb([90, 90, 90]));
    assert!((ms_ssim(&grey, &grey).unwrap() - 1.0).abs() < 1e-12);
    let small = RgbImage::new(175, 400);
    let error = ms_ssim(&small, &small).unwrap_err().to_string();
    assert!(error.contains("175") && error.contains("176"), "{error}");
    let error = ms_ssim(&grey, &small).unwrap_err();
    assert!(error.to_string().contains("175x400"), "{error}");
}
