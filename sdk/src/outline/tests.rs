//! The measure on planted defects.

use ::image::{GrayImage, Luma};

use super::{Outline, OutlineError, OutlineOptions, distance, outline};

const SIDE: u32 = 128;
const RADIUS: f64 = 30.0;

/// The pixels for which `is` holds, by their offset from the middle.
fn drawn(is: impl Fn(f64, f64) -> bool) -> GrayImage {
    GrayImage::from_fn(SIDE, SIDE, |x, y| {
        let inside = is(f64::from(x) - 64.0, f64::from(y) - 64.0);
        Luma([if inside { 255 } else { 0 }])
    })
}

fn disc(radius: f64) -> GrayImage {
    drawn(|x, y| x.hypot(y) <= radius)
}

fn against_the_disc(found: &GrayImage) -> Outline {
    outline(found, &disc(RADIUS), OutlineOptions::default()).expect("two masks of one size")
}

#[test]
fn the_same_outline_has_no_fault() {
    let perfect = Outline {
        outgrowth: 0.0,
        erosion: 0.0,
        reach: 0.0,
        boundary: 1.0,
        area_ratio: 1.0,
        hausdorff: Some(0.0),
    };
    assert_eq!(against_the_disc(&disc(RADIUS)), perfect);
    let near = against_the_disc(&disc(RADIUS + 2.0));
    assert_eq!((near.outgrowth, near.erosion, near.boundary), (0.0, 0.0, 1.0));
    // On the grid, a radius larger by 2 is up to half a pixel further away.
    assert!((1.5..=2.5).contains(&near.reach), "{near:?}");
}

#[test]
fn every_pixel_of_growth_costs_more() {
    let measured: Vec<Outline> = (2..=16).map(|by| against_the_disc(&disc(RADIUS + f64::from(by)))).collect();
    for (by, pair) in (2..16).zip(measured.windows(2)) {
        assert!(pair[1].reach > pair[0].reach, "reach at {by}: {pair:?}");
        assert!(pair[1].boundary <= pair[0].boundary, "boundary at {by}: {pair:?}");
        let grows = pair[1].outgrowth > pair[0].outgrowth;
        assert!(grows || by < 3, "outgrowth at {by}: {pair:?}");
        assert_eq!(pair[1].erosion, 0.0);
    }
    let last = measured.last().expect("fifteen");
    // The ring from radius 33 to 46 over the disc of radius 30.
    let ring = (46.0_f64.powi(2) - 33.0_f64.powi(2)) / RADIUS.powi(2);
    assert!(
        (last.outgrowth - ring).abs() < 0.02 && (last.reach - 16.0).abs() <= 1.0,
        "{last:?}, expected {ring}"
    );
    assert_eq!(last.boundary, 0.0);
    assert_eq!(last.penalty(), last.outgrowth);
}

#[test]
fn every_pixel_of_shrinking_costs_more() {
    let measured: Vec<Outline> = (4..=16).map(|by| against_the_disc(&disc(RADIUS - f64::from(by)))).collect();
    for pair in measured.windows(2) {
        assert!(pair[1].erosion > pair[0].erosion && pair[1].outgrowth == 0.0, "{pair:?}");
    }
    let last = measured.last().expect("thirteen");
    let ring = (27.0_f64.powi(2) - 14.0_f64.powi(2)) / RADIUS.powi(2);
    assert!((last.erosion - ring).abs() < 0.02, "{last:?}, expected {ring}");
}

#[test]
fn a_longer_handle_is_outgrowth_and_a_thing_apart_is_not() {
    let handle = |length: f64| {
        drawn(|x, y| x.hypot(y) <= RADIUS || (x > 0.0 && x <= RADIUS + length && y.abs() <= 2.0))
    };
    let grown: Vec<f64> = [4.0, 8.0, 16.0].map(|length| against_the_disc(&handle(length)).outgrowth).to_vec();
    assert!(grown[0] > 0.0 && grown[0] < grown[1] && grown[1] < grown[2], "{grown:?}");
    let apart = drawn(|x, y| x.hypot(y) <= RADIUS || (x > 45.0 && y > 45.0));
    assert_eq!(against_the_disc(&apart).outgrowth, 0.0);
    assert_eq!(against_the_disc(&apart).reach, 0.0);
}

#[test]
fn a_product_that_nobody_sees_is_all_eroded() {
    let lost = outline(&disc(-1.0), &disc(RADIUS), OutlineOptions { tolerance: 0.0, ..Default::default() });
    let expected =
        Outline { outgrowth: 0.0, erosion: 1.0, reach: 0.0, boundary: 0.0, area_ratio: 0.0, hausdorff: None };
    assert_eq!(lost, Ok(expected));
}

#[test]
fn a_product_that_fills_the_canvas_has_no_outline() {
    let full = drawn(|_, _| true);
    let measured = outline(&full, &full, OutlineOptions::default()).expect("one size");
    let expected =
        Outline { outgrowth: 0.0, erosion: 0.0, reach: 0.0, boundary: 1.0, area_ratio: 1.0, hausdorff: None };
    assert_eq!(measured, expected);
}

#[test]
fn faults_of_the_caller_are_named() {
    let small = GrayImage::new(4, 4);
    let error = outline(&small, &disc(RADIUS), OutlineOptions::default());
    assert_eq!(error, Err(OutlineError::Size { found: (4, 4), placed: (SIDE, SIDE) }));
    let error = outline(&small, &small, OutlineOptions::default());
    assert_eq!(error, Err(OutlineError::NoProduct { foreground: 128 }));
    for tolerance in [-1.0, f64::INFINITY] {
        let error = outline(&small, &small, OutlineOptions { tolerance, ..Default::default() });
        assert_eq!(error, Err(OutlineError::Tolerance { tolerance }));
    }
}

#[test]
fn distances_are_those_of_the_nearest_pixel() {
    let (width, height) = (13, 9);
    for step in [2, 5, 7, 31, 117] {
        let inside: Vec<bool> = (0..width * height).map(|at| (at * at + 3) % step == 1).collect();
        let nearest = |at: usize| {
            let hits = (0..inside.len()).filter(|other| inside[*other]);
            let squared = |other: usize| {
                let (dx, dy) = ((at % width).abs_diff(other % width), (at / width).abs_diff(other / width));
                (dx * dx + dy * dy) as f64
            };
            hits.map(squared).fold(f64::INFINITY, f64::min)
        };
        let expected: Vec<f64> = (0..inside.len()).map(nearest).collect();
        assert_eq!(distance::squared(&inside, width), expected, "step {step}");
    }
}
