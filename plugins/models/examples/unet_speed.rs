//! Seconds a step and memory of the Stable Diffusion 1.5 UNet and ControlNet at full size, with random weights.
//!
//! `cargo run --release -p adeval-models --example unet_speed -- [SIDE] [BATCH] [STEPS] [--controlnet] [--precision f16]
//! [--device cuda:0]`

#![allow(clippy::print_stdout, missing_docs)]

mod speed;

use std::error::Error;
use std::time::Instant;

use adeval_models::stable_diffusion::config::{ControlNetConfig, UNetConfig};
use adeval_models::stable_diffusion::controlnet::{Control, ControlNetModel};
use adeval_models::stable_diffusion::unet::{Conditions, UNet2DConditionModel};
use candle_core::DType;
use speed::{Arguments, memory, noise, processor_seconds, random_weights};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::of_the_program();
    let (side, batch, steps) = (arguments.number(0, 512), arguments.number(1, 2), arguments.number(2, 3));
    let (device, dtype) = (arguments.device()?, arguments.precision()?);

    let start = Instant::now();
    let source = random_weights(&device, dtype);
    let unet = UNet2DConditionModel::load(UNetConfig::sd15(4), &source)?;
    let control = arguments
        .flag("--controlnet")
        .then(|| ControlNetModel::load(ControlNetConfig::sd15(), &source))
        .transpose()?;
    println!("built in {:.1} s, {}", start.elapsed().as_secs_f64(), memory(&device));

    let latent = side / 8;
    let sample = noise(&[batch, 4, latent, latent])?.to_dtype(dtype)?.to_device(&device)?;
    let text = noise(&[batch, 77, 768])?.to_dtype(dtype)?.to_device(&device)?;
    let picture = match &control {
        Some(net) => Some(net.embed(&noise(&[1, 3, side, side])?.to_dtype(dtype)?.to_device(&device)?)?),
        None => None,
    };
    for step in 0..steps {
        let (start, before) = (Instant::now(), processor_seconds());
        let residuals = match (&control, &picture) {
            (Some(net), Some(picture)) => {
                Some(net.forward(&sample, &[500.0], &text, picture, Control::default())?)
            }
            _ => None,
        };
        let conditions = Conditions { residuals: residuals.as_ref(), ..Conditions::default() };
        let out = unet.forward(&sample, &[500.0], &text, conditions)?;
        // Reading a value waits for the device.
        let mean = out.to_dtype(DType::F32)?.mean_all()?.to_scalar::<f32>()?;
        let seconds = start.elapsed().as_secs_f64();
        let cpu = processor_seconds() - before;
        println!(
            "step {step}: {seconds:.2} s, {cpu:.2} s of processor time ({side}x{side}, batch {batch}, mean {mean:.4}), {}",
            memory(&device)
        );
    }
    Ok(())
}
