//! The network against true alphas of the shipped products.

use image::{Rgb, RgbImage, RgbaImage};

use super::*;

fn product(id: &str) -> RgbaImage {
    let path = format!("{}/../../fixtures/products/images/{id}.png", env!("CARGO_MANIFEST_DIR"));
    image::open(path).unwrap().to_rgba8()
}

/// The product on one colour, with no alpha left.
fn opaque(product: &RgbaImage, ground: [u8; 3]) -> RgbImage {
    RgbImage::from_fn(product.width(), product.height(), |x, y| {
        let pixel = product.get_pixel(x, y).0;
        let alpha = f32::from(pixel[3]) / 255.0;
        let blend =
            |c: usize| (f32::from(pixel[c]) * alpha + f32::from(ground[c]) * (1.0 - alpha)).round() as u8;
        Rgb([blend(0), blend(1), blend(2)])
    })
}

fn intersection_over_union(found: &GrayImage, truth: &RgbaImage) -> f64 {
    let pairs = found.pixels().zip(truth.pixels()).map(|(f, t)| (f.0[0] >= 128, t.0[3] >= 128));
    let (both, either) =
        pairs.fold((0u32, 0u32), |(b, e), (f, t)| (b + u32::from(f && t), e + u32::from(f || t)));
    f64::from(both) / f64::from(either)
}

#[test]
fn finds_the_products_that_were_laid_on_a_colour() {
    let network = CutOut::load().unwrap();
    for (id, ground) in [("handbag-01", [70, 110, 90]), ("handbag-02", [235, 235, 230])] {
        let truth = product(id);
        let picture = opaque(&truth, ground);
        let alpha = network.alpha(&picture).unwrap();
        assert_eq!(alpha.dimensions(), truth.dimensions());
        let overlap = intersection_over_union(&alpha, &truth);
        println!("{id}: IoU {overlap:.3}");
        assert!(overlap > 0.85, "{id}: IoU {overlap}");
    }
    let wide = RgbImage::from_fn(90, 41, |x, _| Rgb([if x < 40 { 230 } else { 20 }; 3]));
    let first = network.alpha(&wide).unwrap();
    assert_eq!(first.dimensions(), (90, 41));
    assert_eq!(network.alpha(&wide).unwrap(), first, "the same bytes each time");
    let empty = network.alpha(&RgbImage::new(0, 7)).unwrap_err().to_string();
    assert!(empty.contains("0x7"), "{empty}");
}

#[test]
fn a_flat_map_is_no_object() {
    let mut map = vec![0.5; SIDE * SIDE];
    assert!(stretched(&map).iter().all(|v| *v == 0));
    (map[0], map[1]) = (0.25, 0.75);
    assert_eq!(stretched(&map).as_raw()[..3], [0, 255, 127]);
}

#[test]
fn a_black_picture_is_normalised_without_a_division_by_zero() {
    assert!(normalised(&[0; 3 * SIDE * SIDE]).iter().all(|v| v.is_finite()));
}
