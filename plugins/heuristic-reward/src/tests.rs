use super::*;
use image::{Rgb, RgbImage, Rgba, RgbaImage};

fn product() -> Product {
    // A blob with structure, so that it can be told from a plain colour.
    let pixels = RgbaImage::from_fn(300, 400, |x, y| {
        let inside = ((x as f32 - 150.0) / 120.0).powi(2) + ((y as f32 - 200.0) / 180.0).powi(2) < 1.0;
        let stripe = (y / 40) % 2 == 0;
        let colour = if stripe { [200, 40, 50] } else { [120, 20, 90] };
        Rgba([colour[0], colour[1], colour[2], if inside { 255 } else { 0 }])
    });
    Product::new("p", "t", pixels.into())
}

fn creative(product: &Product, at: (f32, f32, f32), background: impl Fn(u32, u32) -> [u8; 3]) -> Image {
    let mut canvas = RgbImage::from_fn(512, 512, |x, y| Rgb(background(x, y)));
    let cut = CutOut::of(product).unwrap();
    let placement = cut.fit((512, 512), at.0, at.1, at.2);
    placement.paste(&cut.resample(&placement).unwrap(), &mut canvas);
    canvas.into()
}

fn noise(x: u32, y: u32) -> [u8; 3] {
    let v = (x / 4).wrapping_mul(2_654_435_761) ^ (y / 4).wrapping_mul(2_246_822_519);
    let v = v.wrapping_mul(3_266_489_917) >> 8;
    [v as u8, (v >> 8) as u8, (v >> 16) as u8]
}

fn judge() -> HeuristicReward {
    HeuristicReward::create(Parameters::default(), &Environment::default()).unwrap()
}

fn score(product: &Product, creative: Image) -> PointScore {
    let request = ScoreRequest { product: product.clone(), creative };
    judge().score(&request, &CallContext::detached()).unwrap()
}

#[test]
fn the_product_is_found_wherever_it_is() {
    let product = product();
    let template = subject::template(&product);
    for at in [(0.78, 0.5, 0.9), (0.45, 0.3, 0.85), (0.55, 0.7, 0.95)] {
        let image = creative(&product, at, |_, y| [210, 205 - (y / 8) as u8, 190]);
        let view = View::of(&image);
        let found = Subject::locate(&view, template.as_ref());
        assert!(found.found, "{at:?}");
        let cut = CutOut::of(&product).unwrap().fit((512, 512), at.0, at.1, at.2);
        let (mut sum, mut center) = (0.0f32, [0.0f32; 2]);
        for (i, &m) in found.mask.iter().enumerate() {
            sum += m;
            center[0] += m * (i % 128) as f32;
            center[1] += m * (i / 128) as f32;
        }
        let wanted = [cut.left as f32 + cut.width as f32 / 2.0, cut.top as f32 + cut.height as f32 / 2.0];
        for axis in 0..2 {
            let off = (center[axis] / sum * 4.0 + 2.0 - wanted[axis]).abs();
            assert!(off < 12.0, "{at:?}, axis {axis}: {off} pixels off");
        }
    }
}

#[test]
fn a_creative_without_the_product_falls_back_to_the_middle() {
    let score = score(&product(), RgbImage::from_pixel(64, 64, Rgb([90, 160, 90])).into());
    assert_eq!(score.parts["subject-found"], 0.0);
}

#[test]
fn each_part_prefers_the_better_creative() {
    let product = product();
    let at = (0.6, 0.5, 0.9);
    let clean = score(&product, creative(&product, at, |_, _| [226, 222, 214])).parts;
    let noisy = score(&product, creative(&product, at, noise)).parts;
    let alike = score(&product, creative(&product, at, |_, _| [165, 32, 68])).parts;
    let dark = score(&product, creative(&product, at, |_, _| [4, 4, 4])).parts;
    for (part, worse) in [("calm", &noisy), ("harmony", &noisy), ("saliency", &noisy), ("contrast", &alike)] {
        assert!(clean[part] > worse[part] + 0.05, "{part}: {} and {}", clean[part], worse[part]);
    }
    assert!(clean["exposure"] > dark["exposure"] + 0.3);
    assert!(clean.values().all(|v| (0.0..=1.0).contains(v)), "{clean:?}");
}

#[test]
fn swapping_the_sides_mirrors_the_answer_exactly() {
    let product = product();
    let (a, b) =
        (creative(&product, (0.6, 0.5, 0.9), noise), creative(&product, (0.6, 0.5, 0.9), |_, _| [200; 3]));
    let ask = |left: &Image, right: &Image| {
        let pair = PairRequest { product: product.clone(), left: left.clone(), right: right.clone() };
        judge().compare(&pair, &CallContext::detached()).unwrap().left
    };
    assert!(ask(&b, &a) > 0.5);
    assert_eq!(ask(&a, &b), 1.0 - ask(&b, &a));
    assert_eq!(ask(&a, &a), 0.5);
}

#[test]
fn a_batch_gives_the_answers_of_single_calls() {
    let product = product();
    let images: Vec<Image> = (0..4u8)
        .map(|i| creative(&product, (0.6, 0.5, 0.9), move |x, _| [60 * i, (x / 2) as u8, 120]))
        .collect();
    let pairs: Vec<PairRequest> = (0..4)
        .flat_map(|i| (0..4).map(move |j| (i, j)))
        .map(|(i, j)| PairRequest {
            product: product.clone(),
            left: images[i].clone(),
            right: images[j].clone(),
        })
        .collect();
    let cx = CallContext::detached();
    let batch = judge().compare_batch(&pairs, &cx);
    for (pair, answer) in pairs.iter().zip(batch) {
        assert_eq!(answer, judge().compare(pair, &cx));
    }
}

#[test]
fn odd_images_are_judged_too() {
    let mut product = product();
    for image in [
        Image::from(image::GrayImage::new(1, 1)),
        RgbImage::new(3, 900).into(),
        RgbaImage::new(900, 2).into(),
        RgbImage::from_pixel(7, 5, Rgb([255; 3])).into(),
    ] {
        let point = score(&product, image);
        assert!(point.ctr > 0.0 && point.ctr < 1.0 && point.parts.values().all(|v| v.is_finite()));
    }
    product.image = RgbImage::new(8, 8).into();
    assert_eq!(score(&product, RgbImage::new(64, 64).into()).parts["subject-found"], 0.0);
}

#[test]
fn parameters_out_of_range_are_named() {
    let create =
        |p| HeuristicReward::create(p, &Environment::default()).err().map(|e| e.message).unwrap_or_default();
    assert!(create(Parameters { temperature: 0.0, ..Default::default() }).contains("temperature"));
    assert!(create(Parameters { calm: f64::NAN, ..Default::default() }).contains("calm"));
    let none = Parameters {
        contrast: 0.0,
        saliency: 0.0,
        harmony: 0.0,
        calm: 0.0,
        exposure: 0.0,
        ..Default::default()
    };
    assert!(create(none).contains("all weights"));
}
