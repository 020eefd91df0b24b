//! What loading will read and hold: told before it begins, and refused where it is known not to fit.

use std::path::PathBuf;

use adeval_checkpoints::layout::Options;
use adeval_checkpoints::plan::{Device, Plan, Precision, size};
use adeval_checkpoints::{CheckpointError, Layout};
use adeval_models::stable_diffusion::assemble::Parts;
use adeval_sdk::{CallContext, ErrorKind, PluginError, Result};
use candle_core::DType;

use crate::error::plugin_error;

/// Tells files, bytes, type, device and memory of each checkpoint. Reads headers only.
pub fn announce(parts: &Parts, device: &str, dtype: DType, cx: &CallContext<'_>) -> Result<()> {
    let failed = |error: CheckpointError| plugin_error(error.into());
    let device: Device = device.parse().map_err(failed)?;
    let options = Options { variant: parts.variant.clone(), ..Options::default() };
    let plan = |path: &PathBuf| {
        let layout = Layout::recognise_with(path, &options)?;
        Plan::of(&layout, device, Some(precision(dtype)))
    };
    let plans = paths(parts).map(plan).collect::<std::result::Result<Vec<_>, _>>().map_err(failed)?;
    for plan in &plans {
        cx.progress(0.0, &plan.summary());
    }
    let needed = plans.iter().map(|plan| plan.memory).sum();
    match plans.first().and_then(|plan| plan.free_memory) {
        Some(free) if needed > free => Err(too_large(needed, free, precision(dtype), device)),
        _ => Ok(()),
    }
}

/// The base first.
fn paths(parts: &Parts) -> impl Iterator<Item = &PathBuf> {
    let additions = [&parts.vae, &parts.adapter, &parts.image_encoder].into_iter().flatten();
    let loras = parts.loras.iter().map(|(path, _)| path);
    std::iter::once(&parts.checkpoint).chain(&parts.controls).chain(additions).chain(loras)
}

fn precision(dtype: DType) -> Precision {
    match dtype {
        DType::F16 => Precision::F16,
        DType::BF16 => Precision::Bf16,
        _ => Precision::F32,
    }
}

fn too_large(needed: u64, free: u64, precision: Precision, device: Device) -> PluginError {
    let (needed, free) = (size(needed), size(free));
    let message =
        format!("the weights need {needed} as {precision} on {device}, and only {free} of memory are free");
    PluginError::new(ErrorKind::OutOfMemory, message)
        .with_hint("end other programs, use precision f16, or fewer ControlNets; `adeval models info` tells what each takes")
}
