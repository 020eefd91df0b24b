//! OpenCLIP's image encoders, from pictures to features, against PyPI `open_clip_torch`. Goldens:
//! `python fixtures/scripts/goldens_vision_open_clip.py`.

mod support;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use adeval_models::clip::open_clip;
use adeval_models::clip::vision::VisionEncoder;
use adeval_models::encoders::{ImageEncoder, Kind};
use adeval_models::tensors::Source;
use candle_core::{DType, Device, Tensor};
use image::RgbImage;
use serde::Deserialize;
use serde_json::Value;

use support::{Parity, device, golden, goldens, recipe};

const PARITY: Parity = Parity::new("open_clip", "open_clip_torch 3.3.0, Pillow 13.0.0");

/// What the golden script wrote down.
#[derive(Deserialize)]
struct Facts {
    pictures: Vec<(u32, u32)>,
    cases: BTreeMap<String, Case>,
    published: BTreeMap<String, Value>,
}

/// A small model.
#[derive(Deserialize)]
struct Case {
    config: Value,
    shapes: BTreeMap<String, Vec<usize>>,
}

impl Facts {
    fn read() -> Self {
        let text = std::fs::read(goldens().join("vision/open_clip.json")).expect("the golden's facts");
        serde_json::from_slice(&text).expect("facts of the known form")
    }

    fn pictures(&self) -> Vec<RgbImage> {
        let one = |&(h, w): &(u32, u32)| recipe::picture(&format!("vision.{h}x{w}"), h, w);
        self.pictures.iter().map(one).collect()
    }
}

impl Case {
    /// As OpenCLIP publishes it, the weights' names changed by `rename`.
    fn write(&self, folder: &Path, rename: impl Fn(&str) -> String) {
        std::fs::write(folder.join(open_clip::CONFIG_NAME), self.config.to_string()).expect("a file");
        let named = recipe::weights(&self.shapes).into_iter();
        let tensors: HashMap<String, Tensor> = named.map(|(name, tensor)| (rename(&name), tensor)).collect();
        candle_core::safetensors::save(&tensors, folder.join("open_clip_model.safetensors")).expect("a file");
    }
}

fn opened(folder: &Path, device: &Device, dtype: DType) -> ImageEncoder {
    ImageEncoder::open(folder, Kind::Clip, device, dtype).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn features_equal_those_of_open_clip() {
    let (facts, expected, device) = (Facts::read(), golden("vision/open_clip.safetensors"), device());
    let pictures = facts.pictures();
    for (name, case) in &facts.cases {
        let folder = tempfile::tempdir().expect("a folder");
        case.write(folder.path(), str::to_owned);
        let encoder = opened(folder.path(), &device, DType::F32);
        let found = encoder.features(&pictures.iter().collect::<Vec<_>>()).expect("features");
        assert_eq!(found.dims(), [pictures.len(), encoder.dimension()], "{name}");
        PARITY.relative(name, &found, &expected[name], 1e-5);
    }
}

#[test]
fn checkpoints_of_a_distributed_training_and_half_precision_are_taken() {
    let (facts, expected) = (Facts::read(), golden("vision/open_clip.safetensors"));
    let pictures = facts.pictures();
    let folder = tempfile::tempdir().expect("a folder");
    facts.cases["open_clip"].write(folder.path(), |name| format!("module.{name}"));
    for (dtype, limit) in [(DType::F32, 1e-5), (DType::F16, 1e-2)] {
        let encoder = opened(folder.path(), &Device::Cpu, dtype);
        let found = encoder.features(&pictures.iter().collect::<Vec<_>>()).expect("features");
        let case = format!("open_clip, names below module., {}", dtype.as_str());
        PARITY.relative(&case, &found, &expected["open_clip"], limit);
    }
}

/// The sizes that LAION published, with weights that are made when they are asked for.
#[test]
fn published_sizes_equal_those_of_open_clip() {
    let (facts, expected, device) = (Facts::read(), golden("vision/open_clip.safetensors"), device());
    let room = tempfile::tempdir().expect("a folder");
    for (name, config) in &facts.published {
        let path = room.path().join(open_clip::CONFIG_NAME);
        std::fs::write(&path, config.to_string()).expect("a file");
        let (config, processor) = open_clip::read(&path).expect("a published configuration");
        let source =
            Source::from_fn(name, |name, shape| Ok(recipe::weight(name, shape)), &device, DType::F32);
        let encoder = VisionEncoder::load_open_clip(&source, &config).expect("the encoder");
        let prepared = processor.forward(&facts.pictures()[..1], &device).expect("a picture");
        let found = encoder.forward(&prepared).expect("features").image_embeds;
        PARITY.relative(&format!("{name}, full size"), &found, &expected[name], 1e-5);
    }
}

#[test]
fn what_cannot_be_loaded_is_named_as_the_file_names_it() {
    let facts = Facts::read();
    let case = &facts.cases["open_clip"];
    let refused = |rename: fn(&str) -> String, config: bool| {
        let folder = tempfile::tempdir().expect("a folder");
        case.write(folder.path(), rename);
        if !config {
            std::fs::rename(folder.path().join(open_clip::CONFIG_NAME), folder.path().join("config.json"))
                .expect("the file");
        }
        ImageEncoder::open(folder.path(), Kind::Clip, &Device::Cpu, DType::F32)
            .err()
            .expect("refused")
            .to_string()
    };
    let error = refused(|name| name.replace("resblocks.2.attn.in_proj_weight", "resblocks.2.attn.qkv"), true);
    assert!(error.contains("an OpenCLIP image encoder"), "{error}");
    assert!(error.contains("missing [visual.transformer.resblocks.2.attn.in_proj_weight]"), "{error}");
    assert!(error.contains("unexpected [visual.transformer.resblocks.2.attn.qkv]"), "{error}");
    let error = refused(str::to_owned, false);
    assert!(error.contains("open_clip_config.json: it is not there"), "{error}");
}
