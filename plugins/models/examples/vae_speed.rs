//! Seconds and memory of the Stable Diffusion VAE at full size, with random weights.
//!
//! `cargo run --release -p adeval-models --example vae_speed -- [SIDE] [BATCH] [RUNS] [--tiled] [--precision f16]
//! [--device cuda:0]`

#![allow(clippy::print_stdout, missing_docs)]

mod speed;

use std::error::Error;
use std::time::Instant;

use adeval_models::stable_diffusion::vae::{Tiling, Vae, VaeConfig};
use candle_core::{DType, Device, Tensor};
use speed::{Arguments, memory, noise, random_weights};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::of_the_program();
    let (side, batch, runs) = (arguments.number(0, 512), arguments.number(1, 1), arguments.number(2, 2));
    let (device, dtype) = (arguments.device()?, arguments.precision()?);

    let mut vae = Vae::load(&random_weights(&device, dtype), &VaeConfig::stable_diffusion())?;
    if arguments.flag("--tiled") {
        vae.set_tiling(Some(Tiling::new(vae.config())));
    }
    println!("built, {}", memory(&device));
    let input = |shape: &[usize]| noise(shape)?.to_dtype(dtype)?.to_device(&device);
    let (latents, pictures) = (input(&[batch, 4, side / 8, side / 8])?, input(&[batch, 3, side, side])?);
    for run in 0..runs {
        timed(&device, &format!("decode {run}, {side}x{side}, batch {batch}"), || vae.decode(&latents))?;
        timed(&device, &format!("encode {run}, {side}x{side}, batch {batch}"), || {
            Ok(vae.encode(&pictures)?.mean)
        })?;
    }
    Ok(())
}

fn timed(
    device: &Device,
    what: &str,
    run: impl Fn() -> adeval_models::Result<Tensor>,
) -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    // Reading a value waits for the device.
    let mean = run()?.to_dtype(DType::F32)?.mean_all()?.to_scalar::<f32>()?;
    println!("{what}: {:.2} s (mean {mean:.4}), {}", start.elapsed().as_secs_f64(), memory(device));
    Ok(())
}
