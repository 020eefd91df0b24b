//! What a user can set.

use std::path::PathBuf;

use adeval_candle::Precision;
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

/// Parameters of `llava-reward`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Parameters {
    /// A LLaVA with both heads (score.weight, sku_ctr_linear_fc.0.weight) in any layout: a folder, or a hub id in the cache.
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
        }
    }
}

impl Parameters {
    /// Checks the ranges that the schema states, for callers that come without it.
    ///
    /// # Errors
    /// `InvalidParameters`, naming the parameter.
    pub fn validate(&self) -> Result<()> {
        if !(1..=256).contains(&self.batch) {
            let message = format!("batch is {}: it must be between 1 and 256", self.batch);
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
