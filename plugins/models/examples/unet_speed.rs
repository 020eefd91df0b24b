//! Seconds a step and memory of the Stable Diffusion 1.5 UNet and ControlNet at full size, with random weights.
//!
//! `cargo run --release -p adeval-models --example unet_speed -- [SIDE] [BATCH] [STEPS] [--controlnet] [--f16] [--cuda]`

#![allow(clippy::print_stdout, missing_docs)]

use std::cell::Cell;
use std::error::Error;
use std::time::Instant;

use adeval_models::stable_diffusion::config::{ControlNetConfig, UNetConfig};
use adeval_models::stable_diffusion::controlnet::{Control, ControlNetModel};
use adeval_models::stable_diffusion::unet::{Conditions, UNet2DConditionModel};
use adeval_models::tensors::Source;
use candle_core::{DType, Device, Tensor};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let flag = |name: &str| arguments.iter().any(|a| a == name);
    let numbers: Vec<usize> = arguments.iter().filter_map(|a| a.parse().ok()).collect();
    let number = |i: usize, default| numbers.get(i).copied().unwrap_or(default);
    let (side, batch, steps) = (number(0, 512), number(1, 2), number(2, 3));
    let device = if flag("--cuda") { Device::new_cuda(0)? } else { Device::Cpu };
    let dtype = if flag("--f16") { DType::F16 } else { DType::F32 };

    let start = Instant::now();
    let source = random(&device, dtype);
    let unet = UNet2DConditionModel::load(UNetConfig::sd15(4), &source)?;
    let control =
        flag("--controlnet").then(|| ControlNetModel::load(ControlNetConfig::sd15(), &source)).transpose()?;
    println!("built in {:.1} s, {}", start.elapsed().as_secs_f64(), memory());

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
            memory()
        );
    }
    Ok(())
}

/// Weights of the size that trained ones have, from a generator of its own.
fn random(device: &Device, dtype: DType) -> Source {
    let seed = Cell::new(1u64);
    let make = move |name: &str, shape: &[usize]| {
        let count: usize = shape.iter().product();
        let fan_in = shape.iter().skip(1).product::<usize>().max(1);
        let scale = if shape.len() > 1 { 1.0 / (fan_in as f32).sqrt() } else { 0.1 };
        let shift = if shape.len() == 1 && name.ends_with("weight") { 1.0 } else { 0.0 };
        let mut state = seed.get();
        let values: Vec<f32> = (0..count).map(|_| uniform(&mut state) * scale + shift).collect();
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
    (*state >> 40) as f32 / 8_388_608.0 - 1.0
}

/// Processor time of all threads so far; on a busy machine it says more than the clock. Zero where the system does not tell.
fn processor_seconds() -> f64 {
    const TICKS: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    // User and system time are the fields 14 and 15; the state behind the name is field 3.
    after_name.split_whitespace().skip(11).take(2).filter_map(|f| f.parse::<f64>().ok()).sum::<f64>() / TICKS
}

/// The process's memory now and at most, where the system tells.
fn memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let gib = |key: &str| {
        let line = status.lines().find(|l| l.starts_with(key))?;
        let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
        Some(format!("{:.2} GiB", kib / 1024.0 / 1024.0))
    };
    let unknown = || "unknown".to_owned();
    format!(
        "memory {}, at most {}",
        gib("VmRSS").unwrap_or_else(unknown),
        gib("VmHWM").unwrap_or_else(unknown)
    )
}
