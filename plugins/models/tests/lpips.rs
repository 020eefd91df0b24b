//! LPIPS and ST-LPIPS against PyPI lpips and stlpips-pytorch. Goldens: `python fixtures/scripts/goldens_vision_lpips.py`.

mod support;

use adeval_models::ModelError;
use adeval_models::lpips::{Backbone, Lpips};
use adeval_models::tensors::Source;
use candle_core::{DType, Device, Tensor};
use image::RgbImage;

use support::{Parity, device, golden, recipe};

const PARITY: Parity = Parity::new("lpips", "lpips 0.1.4, stlpips-pytorch 0.0.2");
const NETS: [(&str, Backbone); 3] =
    [("alex", Backbone::Alex), ("vgg", Backbone::Vgg), ("squeeze", Backbone::Squeeze)];

/// As the golden script: kernels times the root of 6, heads without their signs.
fn value(name: &str, shape: &[usize]) -> adeval_models::Result<Tensor> {
    let tensor = recipe::weight(name, shape);
    Ok(match shape.len() {
        _ if name.starts_with("lin") => tensor.abs()?,
        0 | 1 => tensor,
        _ => (tensor * f64::from(6f64.sqrt() as f32))?,
    })
}

fn source(device: &Device) -> Source {
    Source::from_fn("weights by formula", value, device, DType::F32)
}

fn published(backbone: Backbone, device: &Device) -> Lpips {
    Lpips::load(backbone, &source(device), &source(device)).expect("whatever is asked for is there")
}

fn shift_tolerant(backbone: Backbone, device: &Device) -> Lpips {
    Lpips::load_shift_tolerant(backbone, &source(device)).expect("whatever is asked for is there")
}

/// The pair of the golden: a picture, and the same with another upper and a darker right half.
fn pair(height: u32, width: u32) -> [RgbImage; 2] {
    let a = recipe::picture(&format!("lpips.{height}x{width}"), height, width);
    let other = recipe::picture("lpips.other", height / 2, width);
    let b = RgbImage::from_fn(width, height, |x, y| {
        if y < height / 2 {
            return *other.get_pixel(x, y);
        }
        let image::Rgb(levels) = *a.get_pixel(x, y);
        image::Rgb(if x < width / 2 { levels } else { levels.map(|level| level / 2) })
    });
    [a, b]
}

fn compared(case: &str, distance: &Lpips, expected: &std::collections::HashMap<String, Tensor>) {
    for (height, width) in [(64, 48), (75, 91)] {
        let [a, b] = pair(height, width).map(|picture| distance.prepared(&picture).expect("a picture"));
        let mut found = vec![distance.distance(&a, &b).expect("a distance")];
        found.extend(distance.by_layer(&a, &b).expect("shares of layers"));
        let found = Tensor::cat(&found, 0).expect("numbers");
        PARITY.relative(
            &format!("{case}, {height}x{width}"),
            &found,
            &expected[&format!("{case}.{height}x{width}")],
            1e-5,
        );
    }
}

#[test]
fn distances_equal_those_of_the_authors() {
    let (device, expected) = (device(), golden("vision/lpips.safetensors"));
    for (name, backbone) in NETS {
        compared(name, &published(backbone, &device), &expected);
    }
    for (name, backbone) in &NETS[..2] {
        compared(&format!("{name}, shift-tolerant"), &shift_tolerant(*backbone, &device), &expected);
    }
}

fn number(tensor: &Tensor) -> f64 {
    f64::from(tensor.to_vec1::<f32>().expect("a number")[0])
}

#[test]
fn weighted_features_carry_the_distance() {
    let distance = shift_tolerant(Backbone::Alex, &Device::Cpu);
    let [a, b] = pair(64, 48).map(|picture| distance.prepared(&picture).expect("a picture"));
    let whole = number(&distance.distance(&a, &b).expect("a distance"));
    let (a, b) = (
        distance.weighted(&a, &|| false).expect("features"),
        distance.weighted(&b, &|| false).expect("features"),
    );
    let share = |(a, b): (&Tensor, &Tensor)| {
        let pixels = (a.dims()[2] * a.dims()[3]) as f64;
        let squares = (a - b).and_then(|d| d.sqr()?.sum_all()?.to_scalar::<f32>()).expect("a number");
        f64::from(squares) / pixels
    };
    let sum: f64 = a.iter().zip(&b).map(share).sum();
    PARITY.number("weighted features against the distance", "relative", (sum - whole).abs() / whole, 1e-5);
}

#[test]
fn one_picture_is_at_no_distance_and_order_does_not_matter() {
    let distance = published(Backbone::Squeeze, &Device::Cpu);
    let [a, b] = pair(64, 48).map(|picture| distance.prepared(&picture).expect("a picture"));
    let between = |a: &Tensor, b: &Tensor| number(&distance.distance(a, b).expect("a distance"));
    assert_eq!(between(&a, &a), 0.0);
    assert!(between(&a, &b) > 0.0);
    assert_eq!(between(&a, &b), between(&b, &a));
}

#[test]
fn a_run_that_is_stopped_ends_between_layers() {
    let distance = published(Backbone::Alex, &Device::Cpu);
    let a = distance.prepared(&pair(64, 48)[0]).expect("a picture");
    let left = std::cell::Cell::new(3);
    let stopped = || left.replace(left.get() - 1) == 0;
    assert!(matches!(distance.weighted(&a, &stopped), Err(ModelError::Stopped)));
    assert_eq!(left.get(), -1);
}

#[test]
fn what_does_not_fit_is_named() {
    let distance = published(Backbone::Alex, &Device::Cpu);
    let error = distance.prepared(&RgbImage::new(31, 200)).expect_err("too small").to_string();
    assert!(error.contains("31x200") && error.contains("at least 32 pixels"), "{error}");
    let [a, b] = [(64, 48), (48, 64)].map(|(h, w)| distance.prepared(&pair(h, w)[0]).expect("a picture"));
    let error = distance.distance(&a, &b).expect_err("two sizes").to_string();
    assert!(error.contains("pictures of one size"), "{error}");
    let error = Lpips::load_shift_tolerant(Backbone::Squeeze, &source(&Device::Cpu)).err().expect("none");
    assert!(error.to_string().contains("take alex or vgg"), "{error}");
    let make = |name: &str, shape: &[usize]| Ok(recipe::weight(name, shape));
    let signed = Source::from_fn("signed", make, &Device::Cpu, DType::F32);
    let signed = Lpips::load(Backbone::Alex, &signed, &signed).expect("loads");
    assert!(matches!(signed.weighted(&a, &|| false), Err(ModelError::Value { value, .. }) if value < 0.0));
}
