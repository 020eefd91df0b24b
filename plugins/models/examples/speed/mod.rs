//! What the programs share that time networks of full size: random weights, arguments, and what the system tells.
#![allow(dead_code, reason = "each program uses its own part")]

use std::cell::Cell;
use std::error::Error;

use adeval_models::tensors::Source;
use candle_core::{DType, Device, Tensor};

/// Numbers by position, options by name: `512 2 --precision f16 --steps 30 --tiled`.
pub struct Arguments(Vec<String>);

impl Arguments {
    pub fn of_the_program() -> Self {
        Self(std::env::args().skip(1).collect())
    }

    pub fn flag(&self, name: &str) -> bool {
        self.0.iter().any(|a| a == name)
    }

    pub fn value(&self, name: &str) -> Option<&str> {
        let at = self.0.iter().position(|a| a == name)?;
        self.0.get(at + 1).map(String::as_str)
    }

    /// The number behind an option.
    pub fn count(&self, name: &str, default: usize) -> Result<usize, Box<dyn Error>> {
        self.value(name).map_or(Ok(default), |text| {
            text.parse().map_err(|_| format!("{name} {text}: not a number").into())
        })
    }

    /// The number at a position, of those before the first option.
    pub fn number(&self, position: usize, default: usize) -> usize {
        let mut numbers = self.0.iter().take_while(|a| !a.starts_with("--")).filter_map(|a| a.parse().ok());
        numbers.nth(position).unwrap_or(default)
    }

    /// `--device cpu`, `cuda:N` or `metal`.
    pub fn device(&self) -> Result<Device, Box<dyn Error>> {
        let name = self.value("--device").unwrap_or("cpu");
        let (family, number) = name.split_once(':').unwrap_or((name, "0"));
        match family {
            "cpu" => Ok(Device::Cpu),
            "cuda" => Ok(Device::new_cuda(number.parse()?)?),
            "metal" => Ok(Device::new_metal(number.parse()?)?),
            _ => Err(format!("--device {name}: it must be cpu, cuda:N or metal").into()),
        }
    }

    /// `--precision f32`, `f16` or `bf16`.
    pub fn precision(&self) -> Result<DType, Box<dyn Error>> {
        match self.value("--precision").unwrap_or("f32") {
            "f32" => Ok(DType::F32),
            "f16" => Ok(DType::F16),
            "bf16" => Ok(DType::BF16),
            other => Err(format!("--precision {other}: it must be f32, f16 or bf16").into()),
        }
    }
}

/// Weights of the size that trained ones have, from a generator of its own.
pub fn random_weights(device: &Device, dtype: DType) -> Source {
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

pub fn noise(shape: &[usize]) -> candle_core::Result<Tensor> {
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
pub fn processor_seconds() -> f64 {
    const TICKS: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    // User and system time are the fields 14 and 15; the state behind the name is field 3.
    after_name.split_whitespace().skip(11).take(2).filter_map(|f| f.parse::<f64>().ok()).sum::<f64>() / TICKS
}

/// The process's memory now and at most, and that of the GPU in use, where the system tells.
pub fn memory(device: &Device) -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let gib = |key: &str| {
        let line = status.lines().find(|l| l.starts_with(key))?;
        let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
        Some(format!("{:.2} GiB", kib / 1024.0 / 1024.0))
    };
    let unknown = || "unknown".to_owned();
    let (now, most) = (gib("VmRSS").unwrap_or_else(unknown), gib("VmHWM").unwrap_or_else(unknown));
    match device.is_cuda().then(card_memory).flatten() {
        Some(card) => format!("memory {now}, at most {most}, the card's in use {card}"),
        None => format!("memory {now}, at most {most}"),
    }
}

/// Of all processes on the first card.
fn card_memory() -> Option<String> {
    let mut query = std::process::Command::new("nvidia-smi");
    query.args(["--query-gpu=memory.used", "--format=csv,noheader"]);
    let said = String::from_utf8(query.output().ok()?.stdout).ok()?;
    said.lines().next().map(str::to_owned)
}
