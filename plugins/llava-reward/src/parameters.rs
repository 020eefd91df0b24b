//! What a user can set.

use std::path::PathBuf;

use adeval_candle::Precision;
use adeval_candle::training::{Lora, Train, check_ranges};
use adeval_models::language::Conversation;
use adeval_models::llava::reward;
use adeval_sdk::{PluginError, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// In which orders a pair is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Orders {
    /// As given, which is what the paper does.
    #[default]
    One,
    /// Also with the sides exchanged, and the mean of both: twice the time, no liking for a side.
    Both,
}

/// What the question says of the product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Question {
    /// Nothing.
    Bare,
    /// Its title.
    #[default]
    Caption,
    /// Its title, category, prices, counts and attributes, as far as they are known.
    Attributes,
}

impl From<Orders> for reward::Orders {
    fn from(orders: Orders) -> Self {
        match orders {
            Orders::One => Self::One,
            Orders::Both => Self::Both,
        }
    }
}

impl From<Question> for reward::Question {
    fn from(question: Question) -> Self {
        match question {
            Question::Bare => Self::Bare,
            Question::Caption => Self::Caption,
            Question::Attributes => Self::Attributes,
        }
    }
}

/// Where the two heads come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum HeadsFrom {
    /// The checkpoint; one without them is refused.
    #[default]
    Checkpoint,
    /// The checkpoint if it has them, else new ones, which mean nothing before they are trained.
    New,
}

/// Parameters of `llava-reward`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Parameters {
    /// A LLaVA with both heads (score.weight, sku_ctr_linear_fc.0.weight) in any layout, or what training wrote: a folder, or a hub id in
    /// the cache.
    pub checkpoint: Option<String>,
    /// The folder of the vision tower, for checkpoints that only name it, or a hub id in the cache.
    pub vision_tower: Option<String>,
    /// vicuna_v1, mistral_instruct or chatml_direct, in place of the checkpoint's own chat template.
    pub template: Option<String>,
    /// In which orders a pair is shown.
    pub orders: Orders,
    /// What the question says of the product.
    pub question: Question,
    /// A JSON file of wordings in place of the built-in ones: lists under bare, caption and attributes.
    pub questions: Option<PathBuf>,
    /// Which wording of a pool is asked, counted from 0 and around; the same for all pairs, so that scores compare.
    pub wording: u64,
    /// Pairs that are judged at a time.
    #[schemars(range(min = 1, max = 256))]
    pub batch: u32,
    /// The type of the weights while they are used.
    pub precision: Precision,
    /// Where the heads come from: a base LLaVA that is to be trained needs new ones.
    pub heads: HeadsFrom,
    /// Seed of new heads.
    pub seed: u64,
    /// What training changes, beside the heads.
    pub train: Train,
    /// Factor on the squared error of click-through rates beside the cross-entropy of preferences; 0.5 in the paper.
    #[schemars(range(min = 0.0, max = 1_000_000.0))]
    pub point_weight: f64,
    /// A folder with an adapter that training wrote, its heads included. In place of checkpoint, such a folder finds its model itself.
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
            orders: Orders::One,
            question: Question::Caption,
            questions: None,
            wording: 0,
            batch: 8,
            precision: Precision::Auto,
            heads: HeadsFrom::Checkpoint,
            seed: 0,
            train: Train::Adapter,
            point_weight: 0.5,
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

    /// Where the model's heads are taken from.
    pub fn head_source(&self) -> reward::HeadSource {
        match self.heads {
            HeadsFrom::Checkpoint => reward::HeadSource::Checkpoint,
            HeadsFrom::New => reward::HeadSource::New(self.seed),
        }
    }

    /// Checks the ranges that the schema states, for callers that come without it.
    ///
    /// # Errors
    /// `InvalidParameters`, naming the parameter.
    pub fn validate(&self) -> Result<()> {
        let ranges =
            [("batch", f64::from(self.batch), 1.0, 256.0), ("point_weight", self.point_weight, 0.0, 1e6)];
        check_ranges(ranges.into_iter().chain(self.lora().ranges()))?;
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
