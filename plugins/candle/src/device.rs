//! Devices by the names that the host gives them.

use adeval_sdk::{ErrorKind, PluginError, Result};
use candle_core::Device;

/// Device families besides the processor that this build can use.
pub fn extra() -> impl Iterator<Item = String> {
    let families = [("cuda", cfg!(feature = "cuda")), ("metal", cfg!(feature = "metal"))];
    families.into_iter().filter(|(_, built)| *built).map(|(name, _)| name.to_owned())
}

/// `cpu`, `cuda`, `cuda:N` or `metal`.
pub fn open(name: &str) -> Result<Device> {
    let unavailable = |why: String| {
        PluginError::new(ErrorKind::DeviceUnavailable, format!("device {name}: {why}")).with_hint(
            "use cpu, or build this plugin with --features cuda or metal on a machine that has one",
        )
    };
    let (family, index) = name.split_once(':').unwrap_or((name, "0"));
    let index = index.parse().map_err(|_| unavailable(format!("{index} is no number of a device")))?;
    match family {
        "cpu" => Ok(Device::Cpu),
        "cuda" => Device::new_cuda(index).map_err(|e| unavailable(e.to_string())),
        "metal" => Device::new_metal(index).map_err(|e| unavailable(e.to_string())),
        _ => Err(unavailable("there is no such kind of device".to_owned())),
    }
}
