//! The type of weights while they are used.

use adeval_sdk::{PluginError, Result};
use candle_core::{DType, Device};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The type of the weights while they are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// F32 on the processor, F16 on other devices.
    #[default]
    Auto,
    /// Four bytes a number.
    F32,
    /// Two bytes a number.
    F16,
    /// Two bytes a number, with the range of F32; not on the processor.
    Bf16,
}

impl Precision {
    /// The type on a device.
    ///
    /// # Errors
    /// `InvalidParameters` for `bf16` on a processor.
    pub fn on(self, device: &Device) -> Result<DType> {
        match (self, device) {
            (Self::Bf16, Device::Cpu) => Err(PluginError::invalid_parameters(
                "precision is bf16, which processors do not multiply here: use f32, or f16 for half the memory",
            )),
            (Self::F32, _) | (Self::Auto, Device::Cpu) => Ok(DType::F32),
            (Self::F16 | Self::Auto, _) => Ok(DType::F16),
            (Self::Bf16, _) => Ok(DType::BF16),
        }
    }
}
