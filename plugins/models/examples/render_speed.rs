//! Pictures a second of the paper's whole pipeline at full size: CLIP, VAE, UNet and ControlNet of Stable Diffusion 1.5,
//! inpainting around a product under classifier-free guidance. The weights are random, so the pictures are nothing to look at.
//!
//! `cargo run --release -p adeval-models --example render_speed -- [--device cuda:0] [--precision f16] [--steps 30] [--side 512]
//! [--batch 1] [--runs 1]`; on GPUs with `--features cuda` or `metal`.

#![allow(clippy::print_stdout, missing_docs)]

mod speed;

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use adeval_models::clip::text::{TextConfig, TextEncoder};
use adeval_models::clip::tokenizer::ClipTokenizer;
use adeval_models::product_canvas::{CanvasOptions, ProductCanvas};
use adeval_models::schedulers::SchedulerConfig;
use adeval_models::stable_diffusion::config::{ControlNetConfig, UNetConfig};
use adeval_models::stable_diffusion::controlnet::{ControlNetModel, MultiControlNet};
use adeval_models::stable_diffusion::pipeline::{
    ControlSettings, Job, Pipeline, Progress, Settings, Start, VaeStage,
};
use adeval_models::stable_diffusion::unet::UNet2DConditionModel;
use adeval_models::stable_diffusion::vae::{Vae, VaeConfig};
use candle_core::{DType, Device};
use image::{Rgba, RgbaImage};
use speed::{Arguments, memory, random_weights};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::of_the_program();
    let (device, dtype) = (arguments.device()?, arguments.precision()?);
    let (steps, batch) = (arguments.count("--steps", 30)?, arguments.count("--batch", 1)?);
    let (side, runs) = (arguments.count("--side", 512)?, arguments.count("--runs", 1)?);
    println!(
        "{side}x{side}, batch {batch}, {steps} steps, {dtype:?} on {}",
        arguments.value("--device").unwrap_or("cpu")
    );

    let start = Instant::now();
    let pipeline = pipeline(&device, dtype)?;
    println!("built in {:.1} s, {}", start.elapsed().as_secs_f64(), memory(&device));
    let side = u32::try_from(side)?;
    let settings = Settings {
        width: side,
        height: side,
        steps,
        controls: vec![ControlSettings::default()],
        ..Settings::default()
    };
    let jobs = (0..batch as u64).map(|seed| job(side, seed)).collect::<Result<Vec<_>, _>>()?;
    for run in 0..runs {
        render(&pipeline, &jobs, &settings, run)?;
    }
    Ok(())
}

/// Times one run; the first includes what a device does only once.
fn render(pipeline: &Pipeline, jobs: &[Job], settings: &Settings, run: usize) -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    let mut ends = Vec::new();
    let mut watch = |progress: &Progress<'_>| {
        // Reading a value waits for the device.
        progress.latents.to_dtype(DType::F32)?.mean_all()?.to_scalar::<f32>()?;
        ends.push(start.elapsed().as_secs_f64());
        Ok(())
    };
    let pictures = pipeline.render(jobs, settings, &mut watch)?.pictures.len();
    let all = start.elapsed().as_secs_f64();
    let (first, last) = (ends.first().copied().unwrap_or(0.0), ends.last().copied().unwrap_or(0.0));
    let step = (last - first) / (ends.len().max(2) - 1) as f64;
    println!(
        "run {run}: {all:.2} s, {:.3} pictures a second, {step:.3} s a step after the first, decoding {:.2} s; {}",
        pictures as f64 / all,
        all - last,
        memory(&pipeline.device)
    );
    Ok(())
}

fn pipeline(device: &Device, dtype: DType) -> Result<Pipeline, Box<dyn Error>> {
    let source = random_weights(device, dtype);
    let unet = UNet2DConditionModel::load(UNetConfig::sd15(4), &source)?;
    let net = ControlNetModel::load(ControlNetConfig::sd15(), &source)?;
    let text = TextConfig {
        hidden_size: 768,
        intermediate_size: 3072,
        num_attention_heads: 12,
        ..TextConfig::default()
    };
    // The goldens' vocabulary: a part of CLIP's, which no package ships. Every prompt is 77 tokens long in any case.
    let tokenizer =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/goldens/sd/clip_tokenizer/sd15");
    Ok(Pipeline {
        tokenizer: ClipTokenizer::from_dir(&tokenizer)?,
        text: TextEncoder::load(&source, &text)?,
        vae: VaeStage::Kept(Box::new(Vae::load(&source, &VaeConfig::stable_diffusion())?)),
        controls: Some(MultiControlNet::new(vec![net], unet.config())?),
        unet,
        adapter: None,
        scheduler: SchedulerConfig::named("euler-ancestral")?,
        device: device.clone(),
        dtype,
    })
}

/// A disc on the paper's canvas.
fn job(side: u32, seed: u64) -> Result<Job, Box<dyn Error>> {
    let disc = RgbaImage::from_fn(256, 256, |x, y| {
        let inside = (f64::from(x) - 127.5).hypot(f64::from(y) - 127.5) < 120.0;
        Rgba([200, (x / 2) as u8, (y / 2) as u8, if inside { 255 } else { 0 }])
    });
    let options = CanvasOptions { width: side, height: side, ..CanvasOptions::default() };
    let canvas = ProductCanvas::new(&disc, &options)?;
    Ok(Job {
        prompt: "a bottle of perfume on a wooden table next to flowers, soft light".to_owned(),
        negative: "text".to_owned(),
        seed,
        start: Start::Inpaint { picture: canvas.product, mask: canvas.mask },
        controls: vec![canvas.control],
        style: None,
    })
}
