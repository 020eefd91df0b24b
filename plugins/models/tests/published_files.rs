//! From files to pixels: every layout, element type and LoRA format that people publish, against diffusers.
//! Goldens: `python fixtures/scripts/goldens_sd_pipelines.py`.

#[path = "support/original.rs"]
mod original;
#[path = "support/pipelines.rs"]
mod pipelines;
#[path = "support/published.rs"]
mod published;
mod support;
#[path = "support/torch_file.rs"]
mod torch_file;

use std::path::Path;

use adeval_models::stable_diffusion::assemble::{Assembled, Parts, assemble};
use adeval_models::stable_diffusion::pipeline::Progress;
use candle_core::{DType, Tensor};
use pipelines::Facts;
use published::{published, save};
use support::{Parity, device, golden};
use tempfile::TempDir;

const PARITY: Parity = Parity::new("published_files", "diffusers 0.42.1");
const CONTROLNET: &str = "the paper's pipeline with euler-ancestral";

/// Files of a case in a folder of its own.
struct Files {
    facts: Facts,
    folder: TempDir,
    parts: Parts,
}

impl Files {
    /// A diffusers directory and a ControlNet, float32.
    fn new() -> Self {
        let (facts, folder) = (Facts::read(), tempfile::tempdir().expect("a folder"));
        let (checkpoint, control) = published(&facts, folder.path());
        let parts = Parts { checkpoint, controls: vec![control], ..Parts::default() };
        Self { facts, folder, parts }
    }

    fn base(&self) -> &Path {
        &self.parts.checkpoint
    }

    /// Every weight file in another element type.
    fn converted(self, dtype: DType) -> Self {
        let control = self.parts.controls[0].join("diffusion_pytorch_model.safetensors");
        let files = ["unet/diffusion_pytorch_model", "vae/diffusion_pytorch_model", "text_encoder/model"]
            .map(|name| self.base().join(format!("{name}.safetensors")));
        for path in files.iter().chain([&control]) {
            let held = candle_core::safetensors::load(path, &candle_core::Device::Cpu).expect("tensors");
            save(path, held.into_iter().map(|(name, tensor)| (name, cast(&tensor, dtype))).collect());
        }
        self
    }

    /// All models in original names.
    fn original(&self) -> Vec<(String, Tensor)> {
        let facts = &self.facts;
        let unet = facts.tensors("unet").into_iter().map(|(name, tensor)| (original::unet(&name, 2), tensor));
        let text = facts.tensors("text").into_iter().map(|(name, tensor)| (original::text(&name), tensor));
        let vae = facts.tensors("vae").into_iter().map(|(name, tensor)| {
            let (name, is_convolution) = original::vae(&name, 4);
            let shape = [tensor.dims(), &[1, 1]].concat();
            let tensor = if is_convolution { tensor.reshape(shape).expect("a reshape") } else { tensor };
            (name, tensor)
        });
        unet.chain(text).chain(vae).collect()
    }

    /// The directory keeps what a single file has not: configurations, tokenizer and scheduler.
    fn in_one_file(mut self, name: &str, write: impl FnOnce(&Path, Vec<(String, Tensor)>)) -> Self {
        let path = self.folder.path().join(name);
        write(&path, self.original());
        for component in ["unet", "vae"] {
            let weights = self.base().join(component).join("diffusion_pytorch_model.safetensors");
            std::fs::remove_file(weights).expect("weights");
        }
        self.parts.config = Some(std::mem::replace(&mut self.parts.checkpoint, path));
        self
    }

    fn with_loras(mut self, loras: &[(String, f64)]) -> Self {
        for (name, strength) in loras {
            let path = self.folder.path().join(format!("{name}.safetensors"));
            save(&path, self.facts.lora(name));
            self.parts.loras.push((path, *strength));
        }
        self
    }

    fn assembled(&self) -> Assembled {
        assemble(&self.parts, &device(), DType::F32).unwrap_or_else(|e| panic!("{e}"))
    }

    /// Compares with the golden `case`; `layout` is what the table calls the files.
    fn compare(&self, layout: &str, case: &str) {
        let (facts, options) = (&self.facts, &self.facts.cases[case]);
        let mut seen = Vec::new();
        let mut watch = |progress: &Progress| {
            seen.push(progress.latents.clone());
            Ok(())
        };
        let rendered =
            self.assembled().pipeline.render(&[facts.job(options, 0)], &facts.settings(options), &mut watch);
        let rendered = rendered.unwrap_or_else(|e| panic!("{layout}: {e}"));
        let expected = golden("sd/pipelines.safetensors");
        let label = format!("{layout}; {case}");
        PARITY.relative(&format!("{label}: first step"), &seen[0], &expected[&format!("{case}/first")], 1e-5);
        let last = seen.last().expect("a step");
        PARITY.relative(&format!("{label}: last step"), last, &expected[&format!("{case}/last")], 1e-4);
        PARITY.pixels(&label, &rendered.pictures, &expected[&format!("{case}/pixels")]);
    }
}

fn cast(tensor: &Tensor, dtype: DType) -> Tensor {
    tensor.to_dtype(dtype).expect("a number of another type")
}

fn paper(what: &str) -> String {
    format!("the paper's pipeline {what}")
}

#[test]
fn a_directory_of_each_element_type() {
    Files::new().compare("directory, float32", CONTROLNET);
    for (dtype, name) in [(DType::F16, "float16"), (DType::BF16, "bfloat16")] {
        let case = paper(&format!("from files of {name}"));
        Files::new().converted(dtype).compare(&format!("directory, {name}"), &case);
    }
}

#[test]
fn a_single_file_in_original_names() {
    let whole = Files::new().in_one_file("model.safetensors", save);
    whole.compare("single .safetensors, float32", CONTROLNET);
    let halves = |path: &Path, tensors: Vec<(String, Tensor)>| {
        save(path, tensors.into_iter().map(|(name, tensor)| (name, cast(&tensor, DType::F16))).collect());
    };
    let case = paper("from files of float16");
    let half = Files::new().converted(DType::F16);
    half.in_one_file("half.safetensors", halves).compare("single .safetensors, float16", &case);
}

#[test]
fn a_ckpt_that_torch_would_save() {
    let half = Files::new().converted(DType::F16);
    let file = half.in_one_file("model.ckpt", |path, tensors| torch_file::save_half(path, &tensors));
    file.compare(".ckpt, float16", &paper("from files of float16"));
}

#[test]
fn loras_of_each_layout() {
    for case in ["with a LoRA of kohya's", "with a LoRA of PEFT's", "with two LoRAs"].map(paper) {
        let files = Files::new();
        let loras = files.facts.cases[&case].loras.clone();
        files.with_loras(&loras).compare("directory and LoRA", &case);
    }
}

#[test]
fn a_single_file_of_another_size_asks_for_its_configuration() {
    let mut files = Files::new().in_one_file("model.safetensors", save);
    let folder = files.parts.config.take().expect("the directory");
    let load =
        |parts: &Parts| assemble(parts, &device(), DType::F32).err().expect("it cannot be read").to_string();
    let message = load(&files.parts);
    assert!(message.contains("model.safetensors") && message.contains("configuration"), "{message}");
    std::fs::remove_file(folder.join("vae/config.json")).expect("a configuration");
    files.parts.config = Some(folder);
    let message = load(&files.parts);
    assert!(message.contains("vae/config.json") && message.contains("VAE"), "{message}");
}
