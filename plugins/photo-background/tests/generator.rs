//! The generator through its trait, as the host calls it.
#![allow(clippy::unwrap_used, reason = "a helper that fails is a failing test")]

use adeval_sdk::{
    BackgroundGenerator, BackgroundRequest, CallContext, Component, Creative, CutOut, Environment, ErrorKind,
    Product,
};
use image::{Rgba, RgbaImage};
use photo_background::{Parameters, PhotoBackground};

/// A bottle with a half transparent rim.
fn product() -> Product {
    let pixels = RgbaImage::from_fn(120, 220, |x, y| {
        let neck = y < 60;
        let half = if neck { 18 } else { 50 };
        let d = (x as i32 - 60).abs();
        let alpha = if !(10..=210).contains(&y) || d > half {
            0
        } else if d > half - 2 {
            128
        } else {
            255
        };
        Rgba([(x * 2) as u8, (y % 256) as u8, 90, alpha])
    });
    Product::new("bottle", "Glass Bottle", pixels.into())
}

fn generator() -> PhotoBackground {
    PhotoBackground::create(Parameters::default(), &Environment::default()).unwrap()
}

fn render(request: &BackgroundRequest) -> Creative {
    generator().generate(request, &CallContext::detached()).unwrap()
}

fn requests() -> Vec<BackgroundRequest> {
    let prompts =
        ["on marble in a boutique", "in a meadow", "a wooden table before a brick wall", "", "park lawn"];
    let request = |(i, prompt)| BackgroundRequest {
        width: 192,
        height: 160,
        ..BackgroundRequest::new(product(), prompt, 7 * i as u64)
    };
    prompts.into_iter().enumerate().map(request).collect()
}

#[test]
fn threads_and_batches_change_no_byte() {
    let requests = requests();
    let alone: Vec<Creative> = requests.iter().map(render).collect();
    for threads in [1, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let batch = pool.install(|| generator().generate_batch(&requests, &CallContext::detached()));
        for (one, other) in alone.iter().zip(batch) {
            assert_eq!(*one, other.unwrap());
        }
    }
}

#[test]
fn the_seed_changes_the_picture_and_repeats_it() {
    let request = |seed| BackgroundRequest::new(product(), "on a wooden table in a forest", seed);
    let (a, b, c) = (render(&request(1)), render(&request(1)), render(&request(2)));
    assert_eq!(a, b);
    assert_ne!(a.image, c.image);
}

#[test]
fn opaque_product_pixels_are_the_product_s_own() {
    for request in requests() {
        let creative = render(&request);
        let (image, at) = (creative.image.to_rgb(), creative.placement);
        let pixels = CutOut::of(&request.product).unwrap().resample(&at).unwrap();
        let mut seen = 0;
        for (x, y, pixel) in pixels.enumerate_pixels().filter(|(_, _, p)| p.0[3] == 255) {
            let under = image.get_pixel((at.left + x as i32) as u32, (at.top + y as i32) as u32);
            assert_eq!(under.0, pixel.0[..3], "at {x}, {y} of {:?}", request.prompt);
            seen += 1;
        }
        assert!(seen > 1000, "{seen} opaque pixels");
    }
}

#[test]
fn sizes_from_64_to_2048_work_and_others_are_refused() {
    for (width, height) in [(64, 64), (64, 2048), (2048, 64), (65, 191), (1200, 628)] {
        for prompt in ["on marble in a city", "alpine meadow", "brick wall and oak floor", "studio"] {
            let request = BackgroundRequest { width, height, ..BackgroundRequest::new(product(), prompt, 3) };
            let creative = render(&request);
            assert_eq!((creative.image.width(), creative.image.height()), (width, height));
        }
    }
    for (width, height) in [(63, 512), (512, 2049), (0, 0)] {
        let request = BackgroundRequest { width, height, ..BackgroundRequest::new(product(), "studio", 3) };
        let error = generator().generate(&request, &CallContext::detached()).unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidRequest);
        assert!(error.message.contains(&format!("{width}x{height}")), "{error}");
    }
}

#[test]
fn odd_products_work_and_invisible_ones_are_refused() {
    for (w, h) in [(1, 1), (400, 2), (3, 700)] {
        let pixels = RgbaImage::from_pixel(w, h, Rgba([200, 30, 30, 255]));
        render(&BackgroundRequest::new(Product::new("thin", "Thin", pixels.into()), "on sand by the sea", 1));
    }
    let empty = Product::new("ghost", "Ghost", RgbaImage::new(8, 8).into());
    let request = BackgroundRequest::new(empty, "studio", 0);
    let error = generator().generate(&request, &CallContext::detached()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidRequest);
    assert!(error.message.contains("ghost"), "{error}");
}

#[test]
fn the_product_s_foot_is_shaded() {
    let shaded = |shadow| {
        let generator =
            PhotoBackground::create(Parameters { shadow, ..Parameters::default() }, &Environment::default())
                .unwrap();
        let request = BackgroundRequest::new(product(), "on white paper in a bright studio", 5);
        let creative = generator.generate(&request, &CallContext::detached()).unwrap();
        let at = creative.placement;
        let below = (at.top + at.height as i32 + 2).min(511) as u32;
        let middle = (at.left + at.width as i32 / 2) as u32;
        creative.image.to_rgb().get_pixel(middle, below).0.map(f32::from).iter().sum::<f32>()
    };
    let (with, without) = (shaded(1.0), shaded(0.0));
    assert!(with < 0.8 * without, "{with} under the product, {without} without a shadow");
}

#[test]
fn parameters_outside_their_range_are_named() {
    for value in [0.1, f64::NAN] {
        let parameters = Parameters { product_share: value, ..Parameters::default() };
        let error = PhotoBackground::create(parameters, &Environment::default()).unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidParameters);
        assert!(error.message.contains("product_share"), "{error}");
    }
}
