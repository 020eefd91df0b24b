//! The Inception-v3 of FID against torch-fidelity, and its two ways to resize against torch-fidelity and Clean-FID. Goldens:
//! `python fixtures/scripts/goldens_vision_inception.py`.

mod support;

use std::collections::HashMap;
use std::fs;

use adeval_models::inception::{InceptionV3, Resize, SIDE, preprocess};
use adeval_models::tensors::Source;
use candle_core::{DType, Device, Tensor};
use image::RgbImage;
use serde::Deserialize;

use support::{Parity, device, golden, goldens, recipe};

const PARITY: Parity = Parity::new("inception", "torch-fidelity 0.4.0, clean-fid 0.1.35");

#[derive(Deserialize)]
struct Facts {
    pictures: Vec<(u32, u32)>,
}

fn pictures() -> Vec<(String, RgbImage)> {
    let text = fs::read(goldens().join("vision/inception.json")).expect("the golden's facts");
    let facts: Facts = serde_json::from_slice(&text).expect("facts of the known form");
    let named = |(height, width)| {
        let name = format!("{height}x{width}");
        let picture = recipe::picture(&format!("inception.{name}"), height, width);
        (name, picture)
    };
    facts.pictures.into_iter().map(named).collect()
}

fn network(device: &Device) -> InceptionV3 {
    let make = |name: &str, shape: &[usize]| Ok(recipe::weight(name, shape));
    InceptionV3::load(&Source::from_fn("weights by formula", make, device, DType::F32))
        .expect("whatever is asked for is there")
}

/// The rows and columns that the golden keeps.
fn sampled(input: &Tensor) -> Tensor {
    let every = |step: usize| {
        let places: Vec<u32> = (0..SIDE as u32).step_by(step).collect();
        Tensor::from_vec(places.clone(), places.len(), &Device::Cpu).expect("places")
    };
    input
        .squeeze(0)
        .and_then(|t| t.index_select(&every(23), 1))
        .and_then(|t| t.index_select(&every(13), 2))
        .expect("a picture of 299 x 299 pixels")
}

#[test]
fn pictures_are_resized_as_torch_fidelity_and_clean_fid_do() {
    let expected = golden("vision/inception.safetensors");
    for (name, picture) in pictures() {
        for (resize, way) in [(Resize::Legacy, "legacy"), (Resize::Clean, "clean")] {
            let found = preprocess(&[&picture], resize, &Device::Cpu).expect("a picture");
            let case = format!("{name} resized, {way}");
            PARITY.relative(&case, &sampled(&found), &expected[&format!("{name}.{way}")], 1e-6);
        }
    }
}

fn row(tensor: &Tensor, at: usize) -> Tensor {
    tensor.get(at).expect("a row")
}

#[test]
fn features_and_scores_equal_those_of_torch_fidelity() {
    let (device, expected) = (device(), golden("vision/inception.safetensors"));
    let network = network(&device);
    let seen: HashMap<_, _> = pictures().into_iter().take(2).collect();
    let input = preprocess(&seen.values().collect::<Vec<_>>(), Resize::Legacy, &device).expect("pictures");
    // Both in one batch, which torch-fidelity cannot do: their sizes differ.
    let found = network.forward(&input).expect("a forward pass");
    for (at, name) in seen.keys().enumerate() {
        let [low, middle, high] = &found.shallow;
        for (feature, value) in [
            ("64", low),
            ("192", middle),
            ("768", high),
            ("2048", &found.features),
            ("logits_unbiased", &found.logits_unbiased),
            ("logits", &found.logits),
        ] {
            let case = format!("{name}, {feature}");
            PARITY.relative(&case, &row(value, at), &expected[&format!("{name}.{feature}")], 1e-5);
        }
    }
}

#[test]
fn what_does_not_fit_is_named() {
    let network = network(&Device::Cpu);
    let small = Tensor::zeros((1, 3, 75, 75), DType::F32, &Device::Cpu).expect("zeros");
    let error = network.forward(&small).err().expect("another size").to_string();
    assert!(error.contains("[1, 3, 75, 75] F32, expected (N, 3, 299, 299) F32"), "{error}");
    let error = preprocess(&[&RgbImage::new(3, 0)], Resize::Clean, &Device::Cpu).expect_err("no pixels");
    assert!(error.to_string().contains("it is empty"), "{error}");

    let room = tempfile::tempdir().expect("a room");
    let path = room.path().join("torchvision.safetensors");
    let foreign = [
        ("Conv2d_1a_3x3.conv.weight".to_owned(), recipe::weight("a", &[32, 3, 3, 3])),
        ("AuxLogits.fc.weight".to_owned(), recipe::weight("b", &[1000, 768])),
    ];
    candle_core::safetensors::save(&HashMap::from(foreign), &path).expect("a file");
    let error = InceptionV3::load_file(&path, &Device::Cpu).err().expect("another network").to_string();
    for part in ["the Inception-v3 of FID", "Conv2d_1a_3x3.bn.bias", "AuxLogits.fc.weight"] {
        assert!(error.contains(part), "{part}: {error}");
    }
    assert!(!error.contains("Conv2d_1a_3x3.conv.weight"), "{error}");
}
