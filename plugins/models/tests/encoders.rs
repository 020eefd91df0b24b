//! DINOv2 and the image encoders of SigLIP and CLIP, from pictures to features, against transformers on Pillow. Goldens:
//! `python fixtures/scripts/goldens_vision_transformers.py`.

#[path = "support/encoders.rs"]
mod encoders;
mod support;

use adeval_models::encoders::{ImageEncoder, Kind};
use candle_core::{DType, Device};
use image::RgbImage;
use serde_json::Value;

use encoders::{Case, Facts};
use support::{Parity, device, golden, recipe};

const PARITY: Parity = Parity::new("encoders", "transformers 5.24.0, Pillow 13.0.0");

fn pictures(facts: &Facts) -> Vec<RgbImage> {
    let one = |&(h, w): &(u32, u32)| recipe::picture(&format!("vision.{h}x{w}"), h, w);
    facts.pictures.iter().map(one).collect()
}

fn opened(case: &Case, device: &Device, dtype: DType, rename: impl Fn(&str) -> String) -> ImageEncoder {
    let folder = tempfile::tempdir().expect("a folder");
    case.write(folder.path(), rename);
    ImageEncoder::open(folder.path(), case.kind(), device, dtype).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn features_equal_those_of_transformers() {
    let (facts, expected, device) = (Facts::read(), golden("vision/transformers.safetensors"), device());
    let pictures = pictures(&facts);
    for (name, case) in &facts.cases {
        let encoder = opened(case, &device, DType::F32, str::to_owned);
        let found = encoder.features(&pictures.iter().collect::<Vec<_>>()).expect("features");
        assert_eq!(found.dims(), [pictures.len(), encoder.dimension()], "{name}");
        PARITY.relative(name, &found, &expected[name], 1e-5);
    }
}

#[test]
fn names_with_the_towers_prefix_are_taken() {
    let (facts, expected) = (Facts::read(), golden("vision/transformers.safetensors"));
    let pictures = pictures(&facts);
    for (name, prefix) in [
        ("siglip", "vision_model."),
        ("dinov2", "dinov2."),
        ("dinov2 with registers", "dinov2_with_registers."),
    ] {
        let encoder =
            opened(&facts.cases[name], &Device::Cpu, DType::F32, |tensor| format!("{prefix}{tensor}"));
        let found = encoder.features(&pictures.iter().collect::<Vec<_>>()).expect("features");
        PARITY.relative(&format!("{name}, names below {prefix}"), &found, &expected[name], 1e-5);
    }
}

#[test]
fn half_precision_stays_near() {
    let (facts, expected) = (Facts::read(), golden("vision/transformers.safetensors"));
    let pictures = pictures(&facts);
    for name in ["dinov2, other size", "siglip", "clip"] {
        let encoder = opened(&facts.cases[name], &Device::Cpu, DType::F16, str::to_owned);
        let found = encoder.features(&pictures.iter().collect::<Vec<_>>()).expect("features");
        assert_eq!(found.dtype(), DType::F32);
        PARITY.relative(&format!("{name}, f16 against float32"), &found, &expected[name], 1e-2);
    }
}

fn refused(case: &Case, kind: Kind, change: impl Fn(&std::path::Path)) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    case.write(folder.path(), str::to_owned);
    change(folder.path());
    ImageEncoder::open(folder.path(), kind, &Device::Cpu, DType::F32).err().expect("refused").to_string()
}

fn edited(folder: &std::path::Path, edit: impl Fn(&mut Value)) {
    let path = folder.join("config.json");
    let mut config: Value = serde_json::from_slice(&std::fs::read(&path).expect("a file")).expect("JSON");
    edit(&mut config);
    std::fs::write(path, config.to_string()).expect("a file");
}

#[test]
fn what_cannot_be_loaded_is_named() {
    let facts = Facts::read();
    let dinov2 = &facts.cases["dinov2"];
    let error = refused(dinov2, Kind::Siglip, |_| {});
    assert!(
        error.contains("a SigLIP image encoder") && error.contains("embeddings.patch_embedding.bias"),
        "{error}"
    );
    let error = refused(&facts.cases["siglip"], Kind::Dinov2, |_| {});
    assert!(error.contains("model_type is siglip_vision_model, not dinov2"), "{error}");
    let error = refused(dinov2, Kind::Dinov2, |folder| {
        std::fs::remove_file(folder.join("preprocessor_config.json")).expect("the file");
    });
    assert!(error.contains("preprocessor_config.json: it is not there"), "{error}");
    let error = refused(dinov2, Kind::Dinov2, |folder| edited(folder, |c| c["hidden_act"] = "mish".into()));
    assert!(error.contains("config.json") && error.contains("mish"), "{error}");
    let error =
        refused(dinov2, Kind::Dinov2, |folder| edited(folder, |c| c["num_attention_heads"] = 5.into()));
    assert!(error.contains("hidden_size 32 cannot be shared among num_attention_heads 5"), "{error}");
    let headless = |folder: &std::path::Path| edited(folder, |c| c["vision_use_head"] = false.into());
    let error = refused(&facts.cases["siglip"], Kind::Siglip, headless);
    assert!(error.contains("without a head there are no pooled features"), "{error}");
}
