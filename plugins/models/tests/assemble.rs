//! A pipeline from files on disk is the pipeline from the same tensors in memory; what does not go together is named.

#[path = "support/pipelines.rs"]
mod pipelines;
#[path = "support/published.rs"]
mod published;
mod support;

use std::path::PathBuf;

use adeval_models::Result;
use adeval_models::stable_diffusion::assemble::{Assembled, Parts, assemble};
use adeval_models::stable_diffusion::pipeline::Pipeline;
use candle_core::{DType, Device};
use pipelines::{Case, Facts};
use published::{published, save, write};
use serde_json::Value;

const CASE: &str = "the paper's pipeline with euler-ancestral";

fn temporary(facts: &Facts) -> (tempfile::TempDir, Parts) {
    let folder = tempfile::tempdir().expect("a folder");
    let (checkpoint, control) = published(facts, folder.path());
    (folder, Parts { checkpoint, controls: vec![control], ..Parts::default() })
}

fn load(parts: &Parts) -> Result<Assembled> {
    assemble(parts, &Device::Cpu, DType::F32)
}

fn render(facts: &Facts, case: &Case, pipeline: &Pipeline) -> Vec<u8> {
    let mut settings = facts.settings(case);
    settings.steps = 3;
    let rendered = pipeline.render(&[facts.job(case, 0)], &settings, &mut |_| Ok(())).expect("a run");
    rendered.pictures[0].as_raw().clone()
}

#[test]
fn a_diffusers_directory_gives_the_pixels_of_its_tensors() {
    let facts = Facts::read();
    let case = &facts.cases[CASE];
    let (_folder, mut parts) = temporary(&facts);
    let expected = render(&facts, case, &facts.pipeline(case));
    for free_vae in [false, true] {
        parts.free_vae = free_vae;
        let assembled = load(&parts).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(render(&facts, case, &assembled.pipeline), expected);
    }
}

#[test]
fn a_named_sampler_replaces_the_published_one() {
    let facts = Facts::read();
    let case = &facts.cases["the paper's pipeline with euler"];
    let (_folder, mut parts) = temporary(&facts);
    parts.sampler = Some("euler".into());
    let assembled = load(&parts).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(render(&facts, case, &assembled.pipeline), render(&facts, case, &facts.pipeline(case)));
    parts.sampler = Some("eular".into());
    let message = load(&parts).err().expect("there is none").to_string();
    assert!(message.contains("eular") && message.contains("euler-ancestral"), "{message}");
}

fn refusal(parts: &Parts) -> String {
    load(parts).err().expect("it does not go together").to_string()
}

fn edit(path: PathBuf, change: impl FnOnce(&mut Value)) {
    let mut value = serde_json::from_slice(&std::fs::read(&path).expect("a file")).expect("JSON");
    change(&mut value);
    write(&path, value.to_string());
}

#[test]
fn files_that_do_not_go_together_are_named_with_what_to_do() {
    let facts = Facts::read();
    let (folder, parts) = temporary(&facts);
    let swapped = Parts { controls: vec![parts.checkpoint.clone()], ..parts.clone() };
    let message = refusal(&swapped);
    assert!(message.contains("base") && message.contains("ControlNet"), "{message}");

    let weights = parts.checkpoint.join("unet/diffusion_pytorch_model.safetensors");
    let whole = std::fs::read(&weights).expect("weights");
    write(&weights, &whole[..whole.len() - 100]);
    let message = refusal(&parts);
    assert!(message.contains("unet/diffusion_pytorch_model.safetensors"), "{message}");
    assert!(message.contains("truncated") || message.contains("incomplete"), "{message}");
    write(&weights, &whole);

    let mut tensors = facts.tensors("unet");
    tensors[0].1 = (&tensors[0].1 * f64::NAN).expect("NaN");
    let name = tensors[0].0.clone();
    save(&weights, tensors);
    let message = refusal(&parts);
    assert!(message.contains(&name) && message.contains("NaN") && message.contains("unet/"), "{message}");
    write(&weights, &whole);

    edit(parts.checkpoint.join("unet/config.json"), |config| {
        config["addition_embed_type"] = "text_time".into()
    });
    let message = refusal(&parts);
    assert!(message.contains("SDXL") || message.contains("Stable Diffusion XL"), "{message}");

    let missing = Parts { checkpoint: folder.path().join("nothing"), ..parts };
    let message = refusal(&missing);
    assert!(message.contains("nothing does not exist"), "{message}");
}
