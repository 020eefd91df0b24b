//! One line of `records.jsonl`.

use crate::bench::BenchError;
use adeval_sdk::{Placement, PluginError, PromptSample};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::Path;

/// One result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Hash of everything that the result depends on.
    pub key: String,
    /// What it is of, for people.
    pub item: String,
    /// Wall time in the plugin, in seconds (its share of a batch).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// The result.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What a step gave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "step", content = "result", rename_all = "kebab-case")]
pub enum Outcome {
    /// Prompts, one a sample.
    Prompts(Vec<String>),
    /// Prompts with their tokens and log-probabilities, to be trained on.
    Samples(Vec<PromptSample>),
    /// Log-probabilities of an answer's tokens.
    LogProbs(Vec<f64>),
    /// A creative.
    Creative {
        /// Hash of the PNG.
        image: String,
        /// Where the product is.
        placement: Placement,
    },
    /// Product fidelity, in [0, 1]; absent when no pixel of the product can be compared.
    Fidelity(Option<f64>),
    /// Product consistency; absent as above.
    Consistency(Option<Box<adeval_eval::consistency::Consistency>>),
    /// P(left is preferred).
    Compare(f64),
    /// Predicted CTR.
    Score(f64),
    /// A feature vector of this length; the file has the record's key.
    Features(usize),
    /// Name of an encoder.
    Encoder(String),
    /// What became of a policy under an optimizer.
    Learned(adeval_eval::bandit::Learning),
    /// Largest resident memory of an entry's plugins in bytes.
    Memory(u64),
    /// The step failed.
    Failed {
        /// `prompt`, `background`, `judge`, `embed`, `optimizer`.
        stage: String,
        /// Why.
        error: PluginError,
    },
}

impl Record {
    /// What failed and why, for people.
    pub fn failure(&self) -> Option<String> {
        match &self.outcome {
            Outcome::Failed { stage, error } => Some(format!("{stage} of {}: {error}", self.item)),
            _ => None,
        }
    }
}

/// The records of a file by key (a later one takes the place of an earlier one), and the length of its whole lines.
/// Lines that cannot be read (a disk lost power in the middle) are left out: their results are computed again.
pub fn read(path: &Path) -> Result<(HashMap<String, Record>, u64), BenchError> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(e) => return Err(BenchError::read(path)(e)),
    };
    let whole = bytes.iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1);
    let mut records = HashMap::new();
    for line in bytes[..whole].split(|&b| b == b'\n') {
        if let Ok(record) = serde_json::from_slice::<Record>(line) {
            records.insert(record.key.clone(), record);
        }
    }
    Ok((records, whole as u64))
}
