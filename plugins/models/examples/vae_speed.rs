//! Seconds and memory of the Stable Diffusion VAE at full size, with random weights.
//!
//! `cargo run --release -p adeval-models --example vae_speed -- [SIDE] [BATCH] [RUNS] [--tiled] [--f16] [--cuda]`

#![allow(clippy::print_stdout, missing_docs)]

use std::cell::Cell;
use std::error::Error;
use std::time::Instant;

use adeval_models::stable_diffusion::vae::{Tiling, Vae, VaeConfig};
use adeval_models::tensors::Source;
use candle_core::{DType, Device, Tensor};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let flag = |name: &str| arguments.iter().any(|a| a == name);
    let numbers: Vec<usize> = arguments.iter().filter_map(|a| a.parse().ok()).collect();
    let number = |i: usize, default| numbers.get(i).copied().unwrap_or(default);
    let (side, batch, runs) = (number(0, 512), number(1, 1), number(2, 2));
    let device = if flag("--cuda") { Device::new_cuda(0)? } else { Device::Cpu };
    let dtype = if flag("--f16") { DType::F16 } else { DType::F32 };

    let mut vae = Vae::load(&random(&device, dtype), &VaeConfig::stable_diffusion())?;
    if flag("--tiled") {
        vae.set_tiling(Some(Tiling::new(vae.config())));
    }
    println!("built, {}", memory());
    let input = |shape: &[usize]| noise(shape)?.to_dtype(dtype)?.to_device(&device);
    let (latents, pictures) = (input(&[batch, 4, side / 8, side / 8])?, input(&[batch, 3, side, side])?);
    for run in 0..runs {
        timed(&format!("decode {run}, {side}x{side}, batch {batch}"), || vae.decode(&latents))?;
        timed(&format!("encode {run}, {side}x{side}, batch {batch}"), || Ok(vae.encode(&pictures)?.mean))?;
    }
    Ok(())
}

fn timed(what: &str, run: impl Fn() -> adeval_models::Result<Tensor>) -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    // Reading a value waits for the device.
    let mean = run()?.to_dtype(DType::F32)?.mean_all()?.to_scalar::<f32>()?;
    println!("{what}: {:.2} s (mean {mean:.4}), {}", start.elapsed().as_secs_f64(), memory());
    Ok(())
}

/// Weights of the size that trained ones have, from a generator of its own.
fn random(device: &Device, dtype: DType) -> Source {
    let seed = Cell::new(1u64);
    let make = move |name: &str, shape: &[usize]| {
        let fan_in = shape.iter().skip(1).product::<usize>().max(1);
        let scale = if shape.len() > 1 { 1.0 / (fan_in as f32).sqrt() } else { 0.1 };
        let shift = if shape.len() == 1 && name.ends_with("weight") { 1.0 } else { 0.0 };
        let mut state = seed.get();
        let values: Vec<f32> =
            (0..shape.iter().product()).map(|_| uniform(&mut state) * scale + shift).collect();
        seed.set(state);
        Ok(Tensor::from_vec(values, shape, &Device::Cpu)?)
    };
    Source::from_fn("random weights", make, device, dtype)
}

fn noise(shape: &[usize]) -> candle_core::Result<Tensor> {
    let mut state = 7;
    let values: Vec<f32> = (0..shape.iter().product()).map(|_| uniform(&mut state)).collect();
    Tensor::from_vec(values, shape, &Device::Cpu)
}

/// The next number in -1..1 (xorshift).
fn uniform(state: &mut u64) -> f32 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    (*state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
}

/// The most memory that the process has held, where the system tells.
fn memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.map_or_else(|| "peak memory unknown".to_owned(), |peak| format!("peak memory {}", peak.trim()))
}
