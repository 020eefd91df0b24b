//! Checkpoints by name, and what loading them will take.

use std::path::{Path, PathBuf};

use adeval_checkpoints::layout::Options;
use adeval_checkpoints::plan::{Device, Plan, Precision, size};
use adeval_checkpoints::{CheckpointError, Hub, Layout};
use adeval_sdk::{CallContext, Environment, ErrorKind, PluginError, Result};
use candle_core::DType;

use crate::plugin_error;

/// A path as it is, a hub id in the cache.
///
/// # Errors
/// `MissingWeights` for an id that was never fetched.
pub fn find(name: &str) -> Result<PathBuf> {
    Hub::from_env().find(name).map_err(|error| plugin_error(error.into()))
}

/// What the parameter `checkpoint` names, or the weights of the host; `wanted` says what that should be.
///
/// # Errors
/// `MissingWeights` if neither is given, or the id was never fetched.
pub fn checkpoint(
    plugin: &str,
    wanted: &str,
    named: Option<&str>,
    environment: &Environment,
) -> Result<PathBuf> {
    match (named, &environment.weights) {
        (Some(name), _) => find(name),
        (None, Some(path)) => Ok(path.clone()),
        (None, None) => {
            let message = format!("{plugin} has no weights of its own, and no checkpoint is named");
            let hint = format!(
                "set the parameter checkpoint to {wanted}: a path, or a hub id that `adeval models pull` fetched"
            );
            Err(PluginError::new(ErrorKind::MissingWeights, message).with_hint(hint))
        }
    }
}

/// Tells files, bytes, type, device and memory of each checkpoint before it is loaded. Reads headers only.
///
/// # Errors
/// `OutOfMemory` for weights that are known not to fit, and what the files are refused for.
pub fn announce<'a>(
    paths: impl IntoIterator<Item = &'a Path>,
    variant: Option<&str>,
    device: &str,
    dtype: DType,
    cx: &CallContext<'_>,
) -> Result<()> {
    let failed = |error: CheckpointError| plugin_error(error.into());
    let device: Device = device.parse().map_err(failed)?;
    let options = Options { variant: variant.map(str::to_owned), ..Options::default() };
    let (mut needed, mut free) = (0, None);
    for path in paths {
        let layout = Layout::recognise_with(path, &options).map_err(failed)?;
        let plan = Plan::of(&layout, device, Some(precision(dtype))).map_err(failed)?;
        cx.progress(0.0, &plan.summary());
        needed += plan.memory;
        free = plan.free_memory;
    }
    match free {
        Some(free) if needed > free => Err(too_large(needed, free, precision(dtype), device)),
        _ => Ok(()),
    }
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
    PluginError::new(ErrorKind::OutOfMemory, message).with_hint(
        "end other programs, or use precision f16 or a smaller checkpoint; `adeval models info` tells what each takes",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_that_do_not_fit_are_refused_with_both_sizes() {
        let error = too_large(28 << 30, 20 << 30, Precision::F32, Device::Cpu);
        assert_eq!(error.kind, ErrorKind::OutOfMemory);
        assert!(
            error.message.contains("28.0 GiB as f32 on cpu") && error.message.contains("20.0 GiB"),
            "{error}"
        );
    }

    #[test]
    fn without_a_name_the_hosts_weights_are_taken_and_without_both_the_mend_is_told() {
        let given = Environment { weights: Some("there".into()), ..Environment::default() };
        assert_eq!(checkpoint("a", "b", None, &given).ok(), Some(PathBuf::from("there")));
        let error = checkpoint("a", "a LLaVA", None, &Environment::default()).expect_err("there is none");
        assert_eq!(error.kind, ErrorKind::MissingWeights);
        let hint = error.hint.unwrap_or_default();
        assert!(hint.contains("checkpoint to a LLaVA") && hint.contains("adeval models pull"), "{hint}");
    }
}
