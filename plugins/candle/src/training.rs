//! What users set of a training, whatever is trained.

use adeval_models::decoder::Decoder;
use adeval_models::lora::LoraConfig;
use adeval_models::training::Memory;
use adeval_sdk::{PluginError, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What training changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Train {
    /// A LoRA of the language model, as in the paper.
    #[default]
    Adapter,
    /// Tower, projector, language model and head: only for small models, at most 50 million values.
    All,
}

/// The parameters of a new adapter.
#[derive(Debug, Clone, Copy)]
pub struct Lora<'a> {
    /// `lora_rank`.
    pub rank: u32,
    /// `lora_alpha`.
    pub alpha: f64,
    /// `lora_dropout`.
    pub dropout: f64,
    /// `lora_targets`; all linear layers when empty.
    pub targets: &'a [String],
}

impl Lora<'_> {
    /// How the adapter is made.
    pub fn config(&self) -> LoraConfig {
        let usual = LoraConfig::default();
        LoraConfig {
            rank: self.rank as usize,
            alpha: self.alpha,
            dropout: self.dropout,
            targets: if self.targets.is_empty() { usual.targets } else { self.targets.to_vec() },
            rank_stabilized: false,
        }
    }

    /// The parameters with their values and the ranges that they must be in.
    pub fn ranges(&self) -> [(&'static str, f64, f64, f64); 3] {
        [
            ("lora_rank", f64::from(self.rank), 1.0, 1024.0),
            ("lora_alpha", self.alpha, 0.0, 4096.0),
            ("lora_dropout", self.dropout, 0.0, 0.9),
        ]
    }
}

/// Bytes of a decoder below which everything on the way there is kept for the way back: it is little, and no layer is computed twice.
const SMALL: usize = 64 << 20;

/// What is kept of a pass for the way back; it changes no digit.
pub fn memory(decoder: &Decoder) -> Memory {
    if decoder.bytes() < SMALL { Memory::Everything } else { Memory::Inputs }
}

/// Checks numbers against the ranges that a schema states, for callers that come without it.
///
/// # Errors
/// `InvalidParameters`, naming the first that is out of its range.
pub fn check_ranges(ranges: impl IntoIterator<Item = (&'static str, f64, f64, f64)>) -> Result<()> {
    match ranges.into_iter().find(|(_, value, low, high)| !(low..=high).contains(&value)) {
        Some((name, value, low, high)) => Err(PluginError::invalid_parameters(format!(
            "{name} is {value}: it must be between {low} and {high}"
        ))),
        None => Ok(()),
    }
}
