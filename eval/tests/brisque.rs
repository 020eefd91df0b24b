//! BRISQUE against PyPI `brisque`; `fixtures/scripts/goldens_brisque.py` writes the values.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // Helpers of tests may fail and print.

use adeval_eval::{EvalError, brisque, natural_scene_statistics};
use image::{Rgb, RgbImage, imageops};
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
    grain: u32,
    features: Vec<f64>,
    score: f64,
}

/// The script's `picture`: noise of all scales, the coarse ones stronger.
fn picture(width: u32, height: u32, grain: u32) -> RgbImage {
    let hashed = |x: u32, y: u32, scale: u32| {
        let mixed = (x / scale).wrapping_mul(73_856_093)
            ^ (y / scale).wrapping_mul(19_349_663)
            ^ scale.wrapping_mul(83_492_791);
        mixed.wrapping_mul(2_654_435_761) >> 24
    };
    let weights = [(1, grain), (2, 6), (4, 12), (8, 24), (16, 40), (32, 60)];
    let total: u32 = weights.iter().map(|(_, weight)| weight).sum();
    RgbImage::from_fn(width, height, |x, y| {
        let grey = weights.iter().map(|(scale, weight)| weight * hashed(x, y, *scale)).sum::<u32>() / total;
        Rgb([grey, grey * 7 / 8, grey * 3 / 4 + 20].map(|value| value as u8))
    })
}

#[test]
fn features_and_scores_agree_with_the_package() {
    let goldens: Goldens =
        serde_json::from_str(include_str!("../../fixtures/goldens/eval/brisque.json")).unwrap();
    for case in goldens.cases {
        let image = picture(case.width, case.height, case.grain);
        let features = natural_scene_statistics(&image).unwrap();
        let scale = |wanted: f64| wanted.abs().max(1e-2);
        let off =
            features.iter().zip(&case.features).map(|(a, b)| (a - b).abs() / scale(*b)).fold(0.0, f64::max);
        let score = brisque(&image).unwrap();
        let error = (score - case.score).abs() / case.score.abs();
        println!("{}: features {off:.1e}, score {score} against {} ({error:.1e})", case.name, case.score);
        assert!(
            off < 1e-6 && error < 1e-6,
            "{}: features {off:e}, score {score} against {}",
            case.name,
            case.score
        );
    }
}

/// Scenes of a Gaussian blur, of blocks of 8 pixels, and of much grain.
#[test]
fn distortion_raises_the_score() {
    let sound = picture(160, 160, 8);
    let small = imageops::thumbnail(&sound, 20, 20);
    let blocks = imageops::resize(&small, 160, 160, imageops::FilterType::Nearest);
    let least = brisque(&sound).unwrap();
    for (what, picture) in
        [("blur", imageops::blur(&sound, 3.0)), ("blocks", blocks), ("grain", picture(160, 160, 24))]
    {
        let score = brisque(&picture).unwrap();
        assert!(score > least + 5.0, "{what}: {score}, without it {least}");
    }
}

#[test]
fn what_has_no_statistics_is_an_error() {
    assert_eq!(brisque(&RgbImage::new(64, 64)), Err(EvalError::NoStatistics));
    let error = brisque(&RgbImage::new(64, 31)).unwrap_err().to_string();
    assert!(error.contains("31") && error.contains("32"), "{error}");
}
