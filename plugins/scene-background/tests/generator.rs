//! What the component promises: repeatable bytes, words that matter, untouched products, any size, named errors.

// Helpers of tests may panic as tests do.
#![allow(clippy::unwrap_used)]

use adeval_sdk::CallHost;
use adeval_sdk::prelude::*;
use image::{Rgba, RgbaImage};
use scene_background::{Parameters, SceneBackground};

/// A synthetic bottle with a soft edge.
fn bottle() -> RgbaImage {
    RgbaImage::from_fn(120, 300, |x, y| {
        let half = if y < 70 { 18.0 } else { 50.0f32 };
        let inside = (half - (x as f32 - 60.0).abs()).clamp(0.0, 1.0);
        let shade = 90 + (80.0 * (x as f32 / 120.0)) as u8;
        Rgba([shade, 40, 60, (inside * 255.0) as u8])
    })
}

fn request(prompt: &str, seed: u64, size: (u32, u32)) -> BackgroundRequest {
    let mut request =
        BackgroundRequest::new(Product::new("bottle-1", "Red Bottle", bottle().into()), prompt, seed);
    (request.width, request.height) = size;
    request
}

fn generator() -> SceneBackground {
    SceneBackground::create(Parameters::default(), &Environment::default()).unwrap()
}

fn draw(prompt: &str, seed: u64, size: (u32, u32)) -> Creative {
    generator().generate(&request(prompt, seed, size), &CallContext::detached()).unwrap()
}

fn threads(count: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(count).build().unwrap()
}

#[test]
fn bytes_do_not_depend_on_batch_or_threads() {
    let prompts = [
        "marble, bokeh evening, candles",
        "beach, golden hour",
        "pink sweep, podium, spheres",
        "snowy forest",
    ];
    let requests: Vec<_> = prompts.iter().zip(1..).map(|(p, seed)| request(p, seed, (160, 160))).collect();
    let batch =
        |count| threads(count).install(|| generator().generate_batch(&requests, &CallContext::detached()));
    let (one, three) = (batch(1), batch(3));
    for ((a, b), r) in one.into_iter().zip(three).zip(&requests) {
        let alone = generator().generate(r, &CallContext::detached()).unwrap();
        let (a, b) = (a.unwrap(), b.unwrap());
        assert!(a == b && a == alone, "\"{}\" differs", r.prompt);
    }
}

/// Mean absolute difference of two creatives, in 8-bit steps.
fn difference(a: &Creative, b: &Creative) -> f64 {
    let sum: f64 = a.image.bytes().iter().zip(b.image.bytes()).map(|(&x, &y)| f64::from(x.abs_diff(y))).sum();
    sum / a.image.bytes().len() as f64
}

#[test]
fn words_change_the_scene() {
    let pairs = [
        ("on white marble, bright studio", "dark walnut, moody spotlight"),
        ("sandy beach at golden hour", "neon city at night"),
        ("teal wall", "peach wall"),
        ("snowy mountains in winter", "autumn forest"),
        ("quiet elegance of Paris", "joyful abundance of Rome"),
    ];
    for (a, b) in pairs {
        let d = difference(&draw(a, 5, (128, 128)), &draw(b, 5, (128, 128)));
        assert!(d > 14.0, "\"{a}\" and \"{b}\" differ by {d:.1} only");
    }
}

#[test]
fn a_named_colour_is_seen() {
    for (word, channel) in [("red", 0), ("green", 1), ("blue", 2)] {
        let image =
            draw(&format!("{word} seamless background, soft light, no props"), 3, (96, 96)).image.to_rgb();
        let corner = image.get_pixel(6, 10).0;
        let others = (0..3).filter(|&c| c != channel).map(|c| corner[c]).max().unwrap();
        assert!(corner[channel] > others, "a {word} background came out as {corner:?}");
    }
}

#[test]
fn seeds_vary_what_is_left_open() {
    let mut mean = 0.0;
    for seed in 0..6 {
        mean += difference(&draw("", seed, (96, 96)), &draw("", seed + 6, (96, 96))) / 6.0;
    }
    assert!(mean > 15.0, "seeds differ by {mean:.1} only");
}

#[test]
fn negative_words_remove() {
    let mut with = request("white sweep, soft light, spheres", 9, (128, 128));
    let plain = generator().generate(&with, &CallContext::detached()).unwrap();
    with.negative_prompt = "spheres".into();
    let without = generator().generate(&with, &CallContext::detached()).unwrap();
    assert!(difference(&plain, &without) > 0.5);
}

#[test]
fn the_product_s_pixels_are_kept() {
    for prompt in ["water, neon", "golden hour, palm shadow", "snow", "candles, podium"] {
        let creative = draw(prompt, 1, (256, 256));
        let product = CutOut::of(&request(prompt, 1, (256, 256)).product)
            .unwrap()
            .resample(&creative.placement)
            .unwrap();
        let image = creative.image.to_rgb();
        let mut opaque = 0;
        for (x, y, pixel) in product.enumerate_pixels().filter(|(_, _, p)| p.0[3] == 255) {
            let (cx, cy) = (creative.placement.left + x as i32, creative.placement.top + y as i32);
            assert_eq!(image.get_pixel(cx as u32, cy as u32).0, pixel.0[..3], "\"{prompt}\" at {cx},{cy}");
            opaque += 1;
        }
        assert!(opaque > 5000);
    }
}

#[test]
fn the_ground_is_darker_under_the_product() {
    let draw = |shadow_strength| {
        let parameters = Parameters { shadow_strength, ..Parameters::default() };
        let generator = SceneBackground::create(parameters, &Environment::default()).unwrap();
        let request = request("white seamless sweep, soft light, no props", 2, (256, 256));
        generator.generate(&request, &CallContext::detached()).unwrap()
    };
    let (with, without) = (draw(1.0), draw(0.0));
    let foot = (with.placement.top + with.placement.height as i32) as u32 + 1;
    let level = |c: &Creative| u32::from(c.image.to_rgb().get_pixel(128, foot).0[1]);
    assert!(level(&with) + 30 < level(&without), "{} against {}", level(&with), level(&without));
}

#[test]
fn every_canvas_size_works() {
    for size in [(64, 64), (2048, 256), (64, 640), (1, 1), (3, 500)] {
        let creative = draw("wood, garden, podium, foliage", 4, size);
        assert_eq!((creative.image.width(), creative.image.height()), size);
    }
}

#[test]
fn a_one_pixel_product_is_drawn_and_an_invisible_one_is_named() {
    let mut tiny = request("marble", 1, (96, 96));
    tiny.product.image = RgbaImage::from_pixel(1, 1, Rgba([9, 9, 9, 255])).into();
    generator().generate(&tiny, &CallContext::detached()).unwrap();
    tiny.product.image = RgbaImage::new(40, 40).into();
    let error = generator().generate(&tiny, &CallContext::detached()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidRequest);
    assert!(error.message.contains("bottle-1"), "{error}");
}

#[test]
fn a_canvas_beyond_memory_is_refused() {
    let error =
        generator().generate(&request("wood", 1, (8000, 8000)), &CallContext::detached()).unwrap_err();
    assert!(error.kind == ErrorKind::InvalidRequest && error.message.contains("8000x8000"), "{error}");
}

#[test]
fn parameters_outside_their_range_are_named() {
    let parameters = Parameters { product_share: 1.7, ..Parameters::default() };
    let error = SceneBackground::create(parameters, &Environment::default()).unwrap_err();
    assert!(error.kind == ErrorKind::InvalidParameters && error.message.contains("product_share"), "{error}");
}

#[test]
fn a_cancelled_batch_stops_between_images() {
    struct Cancelled;
    impl CallHost for Cancelled {
        fn cancelled(&self) -> bool {
            true
        }
        fn progress(&self, _: f32, _: &str) {}
    }
    let requests = vec![request("wood", 1, (64, 64)); 3];
    for result in generator().generate_batch(&requests, &CallContext::new(&Cancelled)) {
        assert_eq!(result.unwrap_err().kind, ErrorKind::Cancelled);
    }
}

#[test]
fn no_prompt_of_the_lexicon_breaks_a_scene() {
    let words: Vec<&str> = scene_background::lexicon::LEXICON.iter().map(|(w, _)| *w).collect();
    for (seed, pair) in words.chunks(3).enumerate() {
        let prompt = pair.join(", ");
        let image = draw(&prompt, seed as u64, (48, 48)).image;
        // A value that is not a number would come out black and spread with every blur.
        let black = image.bytes().chunks_exact(3).filter(|p| p.iter().all(|&v| v == 0)).count();
        assert!(black < 230, "\"{prompt}\": {black} of 2304 pixels are black");
    }
}
