//! Planted defects: the part that is meant falls, more as the defect grows.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // Helpers of tests may fail and print.

use adeval_eval::{EvalError, Fidelity, delta_e_2000, fidelity};
use image::{Rgb, RgbImage, Rgba, RgbaImage, imageops};

const SIZE: u32 = 96;
const AT: i32 = 20;

/// A textured disc with a soft edge.
fn product() -> RgbaImage {
    RgbaImage::from_fn(SIZE, SIZE, |x, y| {
        let (dx, dy) = (f64::from(x) - 47.5, f64::from(y) - 47.5);
        let alpha = ((46.0 - dx.hypot(dy)) * 128.0 + 128.0).clamp(0.0, 255.0) as u8;
        let check = if (x / 6 + y / 6) % 2 == 0 { 40 } else { 0 };
        Rgba([150 + check, 60 + check + (x % 7) as u8 * 4, 50 + (y % 5) as u8 * 6, alpha])
    })
}

fn paste(product: &RgbaImage, left: i32, top: i32) -> RgbImage {
    let mut canvas = RgbImage::from_pixel(140, 140, Rgb([200, 205, 210]));
    for (x, y, pixel) in product.enumerate_pixels() {
        let (cx, cy) = (left + x as i32, top + y as i32);
        if (0..140).contains(&cx) && (0..140).contains(&cy) {
            let under = canvas.get_pixel_mut(cx as u32, cy as u32);
            let a = f64::from(pixel.0[3]) / 255.0;
            *under = Rgb([0, 1, 2]
                .map(|c| (f64::from(pixel.0[c]) * a + f64::from(under.0[c]) * (1.0 - a)).round() as u8));
        }
    }
    canvas
}

fn measure(changed: &RgbaImage, left: i32, top: i32) -> Fidelity {
    fidelity(&paste(changed, left, top), &product(), AT, AT).unwrap()
}

fn falls(name: &str, values: &[f64]) {
    assert!(values.windows(2).all(|w| w[1] < w[0]), "{name} must fall: {values:?}");
}

#[test]
fn an_untouched_product_scores_one() {
    let kept = measure(&product(), AT, AT);
    assert_eq!(
        (kept.product_fidelity, kept.ssim, kept.colour_kept, kept.visible_share),
        (1.0, 1.0, 1.0, 1.0)
    );
    assert_eq!((kept.psnr_db, kept.delta_e, kept.changed_share), (100.0, 0.0, 0.0));
    assert!(kept.pixels > 6000, "{}", kept.pixels);
}

#[test]
fn the_background_and_the_edge_do_not_count() {
    let mut canvas = paste(&product(), AT, AT);
    for (x, y, pixel) in canvas.enumerate_pixels_mut() {
        if (f64::from(x) - 67.5).hypot(f64::from(y) - 67.5) > 46.5 {
            *pixel = Rgb([(x * 3) as u8, (y * 5) as u8, 9]);
        }
    }
    assert_eq!(fidelity(&canvas, &product(), AT, AT).unwrap().product_fidelity, 1.0);
}

#[test]
fn blur_costs_structure() {
    let found: Vec<_> = [0.6, 1.2, 2.4].map(|s| measure(&imageops::blur(&product(), s), AT, AT)).into();
    falls("ssim", &found.iter().map(|f| f.ssim).collect::<Vec<_>>());
    falls("fidelity", &found.iter().map(|f| f.product_fidelity).collect::<Vec<_>>());
    falls("psnr", &found.iter().map(|f| f.psnr_db).collect::<Vec<_>>());
}

#[test]
fn a_shift_costs_structure() {
    let found: Vec<_> = [1, 2, 3].map(|d| measure(&product(), AT + d, AT)).into();
    falls("fidelity", &found.iter().map(|f| f.product_fidelity).collect::<Vec<_>>());
    assert!(found[0].ssim < 0.8, "{:?}", found[0]);
}

#[test]
fn a_recolour_of_equal_luma_costs_colour_only() {
    let turn = |by: i32| {
        let mut changed = product();
        for pixel in changed.pixels_mut() {
            // 0.299 dR + 0.114 dB is about 0.
            pixel.0[0] = (i32::from(pixel.0[0]) - by * 114 / 100) as u8;
            pixel.0[2] = (i32::from(pixel.0[2]) + by * 299 / 100) as u8;
        }
        measure(&changed, AT, AT)
    };
    let found: Vec<_> = [10, 20, 40].map(turn).into();
    falls("colour", &found.iter().map(|f| f.colour_kept).collect::<Vec<_>>());
    falls("fidelity", &found.iter().map(|f| f.product_fidelity).collect::<Vec<_>>());
    assert!(found.iter().all(|f| f.ssim > 0.995), "{found:?}");
    assert!(found.iter().all(|f| f.changed_share > 0.99), "{found:?}");
}

#[test]
fn a_change_that_nobody_sees_costs_no_colour() {
    let mut changed = product();
    changed.pixels_mut().for_each(|p| p.0[2] += 1);
    let found = measure(&changed, AT, AT);
    assert_eq!((found.colour_kept, found.changed_share), (1.0, 0.0));
    assert!(found.delta_e > 0.0 && found.delta_e < 2.3);
}

#[test]
fn a_cropped_product_is_scored_where_it_can_be_seen() {
    let found: Vec<_> = [-24, -48, -72]
        .map(|left| fidelity(&paste(&product(), left, AT), &product(), left, AT).unwrap())
        .into();
    falls("visible", &found.iter().map(|f| f.visible_share).collect::<Vec<_>>());
    assert!((found[1].visible_share - 0.5).abs() < 0.01, "{:?}", found[1]);
    assert!(found.iter().all(|f| f.ssim == 1.0 && f.product_fidelity == f.visible_share));
}

#[test]
fn nothing_to_compare_is_an_error() {
    let canvas = RgbImage::new(50, 50);
    for (left, top) in [(60, 0), (0, -200), (i32::MAX, 0), (i32::MIN, i32::MIN)] {
        let error = fidelity(&canvas, &product(), left, top).unwrap_err();
        assert!(
            matches!(&error, EvalError::EmptyMask { reason } if reason.contains("off the canvas")),
            "{error}"
        );
    }
    let glass = RgbaImage::from_pixel(20, 20, Rgba([9, 9, 9, 120]));
    let error = fidelity(&canvas, &glass, 0, 0).unwrap_err();
    assert!(error.to_string().contains("alpha of 250"), "{error}");
    assert!(fidelity(&canvas, &RgbaImage::from_pixel(1, 1, Rgba([9, 9, 9, 255])), 0, 0).is_err());
}

#[test]
fn delta_e_of_srgb_colours() {
    // scikit-image: deltaE_ciede2000(rgb2lab(...)).
    assert!((delta_e_2000([0, 0, 0], [255, 255, 255]) - 100.0).abs() < 0.01);
    assert!((delta_e_2000([255, 0, 0], [0, 255, 0]) - 86.6088).abs() < 0.02);
    assert!((delta_e_2000([120, 80, 200], [125, 80, 195]) - 1.3844).abs() < 0.005);
}
