//! What a user can set.

use std::path::PathBuf;

use adeval_candle::Precision;
use adeval_candle::training::{Lora, Train, check_ranges};
use adeval_models::language::Conversation;
use adeval_sdk::{PluginError, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Parameters of `llava-prompt`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Parameters {
    /// A LLaVA in any layout: a folder, or a hub id in the cache.
    pub checkpoint: Option<String>,
    /// The folder of the vision tower, for checkpoints that only name it, or a hub id in the cache.
    pub vision_tower: Option<String>,
    /// vicuna_v1, mistral_instruct or chatml_direct, in place of the checkpoint's own chat template.
    pub template: Option<String>,
    /// What is asked for: background-prompt, or another task of the pool that needs no draft.
    pub task: String,
    /// The language of the instruction: en, de, fr, es or zh. Prompts are asked for in English.
    pub language: String,
    /// A JSON file of instructions in place of those of the checkpoint (instructions.json in its folder) or the built-in ones: tasks,
    /// languages, lists of wordings.
    pub instructions: Option<PathBuf>,
    /// Which wording is used, counted from 0 and around; without it a product's id chooses.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub wording: Option<u32>,
    /// Only the likeliest tokens are drawn from; 0 for all.
    #[schemars(range(min = 0, max = 100_000))]
    pub top_k: u32,
    /// Only tokens with at least this share of the likeliest one's probability.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub min_p: f64,
    /// Scores of tokens that were there are divided by it; 1 for none.
    #[schemars(range(min = 0.1, max = 10.0))]
    pub repetition_penalty: f64,
    /// How often an empty or refused answer is asked for again, each time with another seed.
    #[schemars(range(min = 0, max = 16))]
    pub retries: u32,
    /// The type of the weights while they are used.
    pub precision: Precision,
    /// What training changes.
    pub train: Train,
    /// A folder with an adapter that training or PEFT wrote: the policy begins with it. In place of checkpoint, such a folder
    /// finds its model itself.
    pub adapter: Option<String>,
    /// Rank of the adapter that is trained; an adapter that is read has its own, as it has alpha and targets.
    #[schemars(range(min = 1, max = 1024))]
    pub lora_rank: u32,
    /// Alpha of the adapter: its change is scaled by alpha / rank.
    #[schemars(range(min = 0.0, max = 4096.0))]
    pub lora_alpha: f64,
    /// Share of an adapter's inputs that are left out while a gradient is computed.
    #[schemars(range(min = 0.0, max = 0.9))]
    pub lora_dropout: f64,
    /// Ends of names of the language model's layers that are adapted, as q_proj; all of its linear layers when empty.
    pub lora_targets: Vec<String>,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            checkpoint: None,
            vision_tower: None,
            template: None,
            task: "background-prompt".to_owned(),
            language: "en".to_owned(),
            instructions: None,
            wording: None,
            top_k: 0,
            min_p: 0.0,
            repetition_penalty: 1.0,
            retries: 2,
            precision: Precision::Auto,
            train: Train::Adapter,
            adapter: None,
            lora_rank: 128,
            lora_alpha: 256.0,
            lora_dropout: 0.0,
            lora_targets: Vec::new(),
        }
    }
}

impl Parameters {
    /// How a new adapter is made.
    pub fn lora(&self) -> Lora<'_> {
        Lora {
            rank: self.lora_rank,
            alpha: self.lora_alpha,
            dropout: self.lora_dropout,
            targets: &self.lora_targets,
        }
    }

    /// Checks the ranges that the schema states, for callers that come without it.
    ///
    /// # Errors
    /// `InvalidParameters`, naming the parameter.
    pub fn validate(&self) -> Result<()> {
        let ranges = [
            ("wording", f64::from(self.wording.unwrap_or_default()), 0.0, 1e6),
            ("top_k", f64::from(self.top_k), 0.0, 100_000.0),
            ("min_p", self.min_p, 0.0, 1.0),
            ("repetition_penalty", self.repetition_penalty, 0.1, 10.0),
            ("retries", f64::from(self.retries), 0.0, 16.0),
        ];
        check_ranges(ranges.into_iter().chain(self.lora().ranges()))?;
        if self.task.starts_with("rewrite") {
            let message = "task is one that rewrites a draft, and a request has none: take background-prompt";
            return Err(PluginError::invalid_parameters(message));
        }
        let known = |name: &&String| Conversation::named(name).is_none();
        match self.template.as_ref().filter(known) {
            Some(name) => Err(PluginError::invalid_parameters(format!(
                "template is \"{name}\": it must be one of {}",
                Conversation::NAMES.join(", ")
            ))),
            None => Ok(()),
        }
    }
}
