//! The CLIP image encoder and what prepares its pictures, against transformers on Pillow. Goldens:
//! `python fixtures/scripts/goldens_sd_encoders.py`.

mod support;

use std::collections::BTreeMap;
use std::fs;

use adeval_models::clip::preprocess::{Edges, ImageProcessor};
use adeval_models::clip::vision::{VisionConfig, VisionEncoder};
use adeval_models::tensors::Source;
use candle_core::{DType, Device, Tensor};
use image::RgbImage;
use serde::Deserialize;

use support::recipe::{self, noise};
use support::{Parity, golden, goldens};

const PARITY: Parity = Parity::new("clip", "transformers 5.24.0, Pillow 13.0.0");

#[derive(Deserialize)]
struct Facts {
    configs: BTreeMap<String, VisionConfig>,
    shapes: BTreeMap<String, Vec<usize>>,
}

fn facts() -> Facts {
    let text = fs::read(goldens().join("sd/clip_vision.json")).expect("the golden's facts");
    serde_json::from_slice(&text).expect("facts of the known form")
}

fn load(tensors: Vec<(String, Tensor)>, config: &VisionConfig) -> adeval_models::Result<VisionEncoder> {
    VisionEncoder::load(
        &Source::from_tensors("tiny image encoder", tensors, &Device::Cpu, DType::F32),
        config,
    )
}

#[test]
fn embeddings_equal_those_of_transformers() {
    let (facts, expected) = (facts(), golden("sd/clip_vision.safetensors"));
    let pictures = noise("clip.pictures", &[2, 3, 30, 30]);
    for (name, config) in &facts.configs {
        let encoder = load(recipe::weights(&facts.shapes), config).expect("the weights fit");
        let found = encoder.forward(&pictures).expect("a forward pass");
        let compare = |case: &str, found: &Tensor| {
            PARITY.relative(
                &format!("image encoder, {name}, {case}"),
                found,
                &expected[&format!("{name}.{case}")],
                1e-5,
            );
        };
        compare("embeds", &found.image_embeds);
        compare("penultimate", found.penultimate());
        compare("last", found.hidden_states.last().expect("a state"));
    }
}

#[test]
fn a_whole_clip_and_names_without_prefix_are_taken() {
    let (facts, expected) = (facts(), golden("sd/clip_vision.safetensors"));
    let extra = ["text_model.final_layer_norm.weight", "logit_scale", "vision_model.embeddings.position_ids"]
        .map(|name| (name.to_owned(), noise(name, &[1])));
    let whole: Vec<_> = recipe::weights(&facts.shapes).into_iter().chain(extra).collect();
    let bare = recipe::weights(&facts.shapes).into_iter();
    let bare = bare.map(|(n, t)| (n.trim_start_matches("vision_model.").to_owned(), t)).collect();
    for (layout, tensors) in [("a whole CLIP", whole), ("names without prefix", bare)] {
        let encoder = load(tensors, &facts.configs["gelu"]).expect("the weights fit");
        let found = encoder.forward(&noise("clip.pictures", &[2, 3, 30, 30])).expect("a forward pass");
        PARITY.relative(
            &format!("image encoder, {layout}"),
            &found.image_embeds,
            &expected["gelu.embeds"],
            1e-5,
        );
    }
}

#[test]
fn half_precision_stays_near() {
    let (facts, expected) = (facts(), golden("sd/clip_vision.safetensors"));
    for (dtype, limit) in [(DType::F16, 5e-3), (DType::BF16, 4e-2)] {
        let source = Source::from_tensors("half", recipe::weights(&facts.shapes), &Device::Cpu, dtype);
        let encoder = VisionEncoder::load(&source, &facts.configs["gelu"]).expect("the weights fit");
        let found =
            encoder.forward(&noise("clip.pictures", &[2, 3, 30, 30])).expect("a forward pass").image_embeds;
        assert_eq!(found.dtype(), dtype);
        let case = format!("image encoder, {} against float32", dtype.as_str());
        PARITY.relative(&case, &found, &expected["gelu.embeds"], limit);
    }
}

#[test]
fn what_does_not_fit_is_named() {
    let facts = facts();
    let config = &facts.configs["gelu"];
    let encoder = load(recipe::weights(&facts.shapes), config).expect("the weights fit");
    let error = encoder.forward(&noise("p", &[1, 3, 30, 40])).err().expect("not square").to_string();
    assert!(error.contains("pictures of shape [1, 3, 30, 40], for a side of 30"), "{error}");
    let finer = VisionConfig { patch_size: 5, ..config.clone() };
    let error = load(recipe::weights(&facts.shapes), &finer).err().expect("other patches").to_string();
    assert!(error.contains("vision_model.embeddings.patch_embedding.weight"), "{error}");
    let none = VisionConfig { patch_size: 31, ..config.clone() };
    let error = load(recipe::weights(&facts.shapes), &none).err().expect("no patch").to_string();
    assert!(error.contains("image_size 30 has no patch of patch_size 31"), "{error}");
}

fn picture(height: u32, width: u32) -> RgbImage {
    recipe::picture(&format!("clip.{height}x{width}"), height, width)
}

fn side(edge: u32) -> ImageProcessor {
    let (size, crop_size) =
        (Edges::Shortest { shortest_edge: edge }, Edges::Both { height: edge, width: edge });
    ImageProcessor { size, crop_size, ..ImageProcessor::default() }
}

fn bordered() -> ImageProcessor {
    ImageProcessor { crop_size: Edges::Both { height: 29, width: 18 }, ..side(20) }
}

/// Without rescaling and normalising the levels remain.
fn levels(processor: ImageProcessor, height: u32, width: u32) -> Tensor {
    let raw = ImageProcessor { do_rescale: false, do_normalize: false, ..processor };
    raw.forward(&[picture(height, width)], &Device::Cpu).and_then(|t| Ok(t.squeeze(0)?)).expect("a picture")
}

#[test]
fn pictures_equal_those_of_pillow() {
    #[derive(Deserialize)]
    struct Sizes {
        pictures: Vec<(u32, u32)>,
    }
    let text = fs::read(goldens().join("sd/clip_preprocess.json")).expect("the golden's facts");
    let sizes: Sizes = serde_json::from_slice(&text).expect("facts of the known form");
    let mut cases: Vec<_> =
        sizes.pictures.into_iter().map(|(h, w)| (format!("{h}x{w}"), levels(side(64), h, w))).collect();
    cases.push(("default".to_owned(), levels(ImageProcessor::default(), 300, 200)));
    cases.push(("bordered".to_owned(), levels(bordered(), 40, 30)));
    let expected = golden("sd/clip_preprocess.safetensors");
    for (name, found) in cases {
        let expected = expected[&name].to_dtype(DType::F32).expect("levels");
        assert_eq!(found.dims(), expected.dims(), "{name}");
        let off = (found - expected).and_then(|d| d.abs()?.max_all()?.to_scalar::<f32>()).expect("levels");
        PARITY.number(&format!("image preprocessing, {name}"), "max levels of 255", f64::from(off), 0.0);
    }
}

#[test]
fn values_equal_those_of_transformers_bit_for_bit() {
    let found = bordered().forward(&[picture(40, 30)], &Device::Cpu).expect("a picture");
    let bits = |t: &Tensor| -> Vec<u32> {
        let values = t.flatten_all().and_then(|t| t.to_vec1::<f32>()).expect("values");
        values.into_iter().map(f32::to_bits).collect()
    };
    let (found, expected) = (bits(&found), bits(&golden("sd/clip_preprocess.safetensors")["values"]));
    assert_eq!(found.len(), expected.len());
    let other = found.iter().zip(&expected).filter(|(a, b)| a != b).count();
    assert_eq!(other, 0, "of {} values", expected.len());
}

#[test]
fn configurations_of_all_ages_are_read() {
    let read = |text: &str| serde_json::from_str::<ImageProcessor>(text).expect("a configuration");
    assert_eq!(read(r#"{"size": 64, "crop_size": 64}"#).size, Edges::One(64));
    let new = read(r#"{"size": {"shortest_edge": 64}, "crop_size": {"height": 64, "width": 64}}"#);
    assert_eq!((new.size, new.crop_size), (side(64).size, side(64).crop_size));
    assert_eq!((new.do_normalize, new.rescale_factor), (true, 1.0 / 255.0));
}

#[test]
fn pictures_that_cannot_be_prepared_are_named() {
    let refused = |p: &ImageProcessor, pictures: &[RgbImage]| {
        p.forward(pictures, &Device::Cpu).expect_err("refused").to_string()
    };
    assert!(refused(&side(8), &[]).contains("no picture"));
    assert!(refused(&side(8), &[RgbImage::new(0, 5)]).contains("it has no pixels"));
    assert!(refused(&side(8), &[RgbImage::new(1, 60000)]).contains("8x480000 is no size for it"));
    let uncut = ImageProcessor { do_center_crop: false, ..side(8) };
    assert!(
        refused(&uncut, &[RgbImage::new(9, 9), RgbImage::new(9, 18)]).contains("(8, 8) and (8, 16) pixels")
    );
    let lanczos = ImageProcessor { resample: 1, ..side(8) };
    assert!(refused(&lanczos, &[RgbImage::new(9, 9)]).contains("the filter 1 is neither bilinear (2)"));
}
