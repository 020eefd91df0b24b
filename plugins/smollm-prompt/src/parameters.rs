//! What a user can set.

use adeval_candle::training::{Lora, check_ranges};
use adeval_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the weights are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// A GGUF file's own blocks; float32 for a folder.
    #[default]
    Stored,
    /// Four bytes a number.
    F32,
    /// Eight bits a number and a factor for every 32; GGUF files only.
    Q8_0,
}

/// Parameters of `smollm-prompt`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Parameters {
    /// A GGUF file, a folder in Hugging Face's layout, or a hub id in the cache.
    pub checkpoint: Option<String>,
    /// How its weights are held.
    pub form: Form,
    /// What the model is told before the instruction; without it there is no such turn.
    pub system: Option<String>,
    /// What it is asked, with {title}, {category}, {price} and {attributes} filled in from the product.
    #[schemars(length(min = 1, max = 4000))]
    pub instruction: String,
    /// Only this many of the likeliest tokens; 0 for all.
    #[schemars(range(min = 0, max = 100_000))]
    pub top_k: u32,
    /// Only tokens with this share of the likeliest one's probability.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub min_p: f64,
    /// Divides the scores of tokens that were there.
    #[schemars(range(min = 0.1, max = 10.0))]
    pub repetition_penalty: f64,
    /// How often a sample is drawn until its text is not empty.
    #[schemars(range(min = 1, max = 16))]
    pub attempts: u32,
    /// Rank of the adapter that is trained.
    #[schemars(range(min = 1, max = 1024))]
    pub lora_rank: u32,
    /// Alpha of the adapter: its change is scaled by alpha / rank.
    #[schemars(range(min = 0.0, max = 4096.0))]
    pub lora_alpha: f64,
    /// Share of an adapter's inputs that are left out while a gradient is computed.
    #[schemars(range(min = 0.0, max = 0.9))]
    pub lora_dropout: f64,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            checkpoint: None,
            form: Form::Stored,
            system: None,
            instruction: "Describe in one sentence a beautiful background scene for an advertising photograph of this product: \
                          {title}. It belongs to {category}. {attributes} Name the surface, the surroundings and the light. Do not \
                          repeat the product's name."
                .to_owned(),
            top_k: 0,
            min_p: 0.05,
            repetition_penalty: 1.0,
            attempts: 4,
            lora_rank: 128,
            lora_alpha: 256.0,
            lora_dropout: 0.0,
        }
    }
}

impl Parameters {
    /// How a new adapter is made.
    pub fn lora(&self) -> Lora<'_> {
        Lora { rank: self.lora_rank, alpha: self.lora_alpha, dropout: self.lora_dropout, targets: &[] }
    }

    /// Checks the ranges that the schema states, for callers that come without it.
    ///
    /// # Errors
    /// `InvalidParameters`, naming the parameter.
    pub fn validate(&self) -> Result<()> {
        let ranges = [
            ("top_k", f64::from(self.top_k), 0.0, 100_000.0),
            ("min_p", self.min_p, 0.0, 1.0),
            ("repetition_penalty", self.repetition_penalty, 0.1, 10.0),
            ("attempts", f64::from(self.attempts), 1.0, 16.0),
        ];
        check_ranges(ranges.into_iter().chain(self.lora().ranges()))?;
        if self.instruction.is_empty() || self.instruction.len() > 4000 {
            let length = self.instruction.len();
            let message = format!("instruction has {length} bytes: it must have between 1 and 4000");
            return Err(PluginError::invalid_parameters(message));
        }
        Ok(())
    }
}
