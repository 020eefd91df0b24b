//! The tiny models of the goldens as files, in the layout that diffusers publishes.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::Tensor;
use serde_json::{Value, json};

use crate::pipelines::Facts;
use crate::support;

pub fn write(path: &Path, bytes: impl AsRef<[u8]>) {
    std::fs::create_dir_all(path.parent().expect("a folder above")).expect("a folder");
    std::fs::write(path, bytes).expect("a file");
}

pub fn save(path: &Path, tensors: Vec<(String, Tensor)>) {
    std::fs::create_dir_all(path.parent().expect("a folder above")).expect("a folder");
    let tensors: HashMap<String, Tensor> = tensors.into_iter().collect();
    candle_core::safetensors::save(&tensors, path).expect("a file");
}

/// The folder of one model, as diffusers writes it.
fn model(facts: &Facts, name: &str, folder: &Path, class: &str, file: &str) {
    let mut config: Value = facts.models[name].config.clone();
    config["_class_name"] = class.into();
    config["architectures"] = json!([class]);
    write(&folder.join("config.json"), config.to_string());
    save(&folder.join(file), facts.tensors(name));
}

/// A checkpoint and a ControlNet in diffusers' layout, below `folder`.
pub fn published(facts: &Facts, folder: &Path) -> (PathBuf, PathBuf) {
    let base = folder.join("base");
    let index = json!({
        "_class_name": "StableDiffusionPipeline",
        "scheduler": ["diffusers", "EulerAncestralDiscreteScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    });
    write(&base.join("model_index.json"), index.to_string());
    let weights = "diffusion_pytorch_model.safetensors";
    model(facts, "unet", &base.join("unet"), "UNet2DConditionModel", weights);
    model(facts, "vae", &base.join("vae"), "AutoencoderKL", weights);
    model(facts, "text", &base.join("text_encoder"), "CLIPTextModel", "model.safetensors");
    let mut scheduler = facts.scheduler.clone();
    scheduler["_class_name"] = "EulerAncestralDiscreteScheduler".into();
    write(&base.join("scheduler/scheduler_config.json"), scheduler.to_string());
    let tokenizer = support::goldens().join("sd/clip_tokenizer/sd15");
    for entry in std::fs::read_dir(tokenizer).expect("a tokenizer") {
        let path = entry.expect("an entry").path();
        write(
            &base.join("tokenizer").join(path.file_name().expect("a name")),
            std::fs::read(&path).expect("a file"),
        );
    }
    let control = folder.join("control");
    model(facts, "control", &control, "ControlNetModel", weights);
    (base, control)
}
