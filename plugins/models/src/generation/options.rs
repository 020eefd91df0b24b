//! How samples are drawn.

use crate::{ModelError, Result};

/// Names and meanings of transformers' `GenerationConfig`.
#[derive(Clone, Debug, PartialEq)]
pub struct SamplingOptions {
    /// Scores are divided by it; 0 takes the likeliest token, whatever the seed.
    pub temperature: f64,
    /// Only the `top_k` likeliest tokens; 0 for all.
    pub top_k: usize,
    /// Only the likeliest tokens that together have this share of the probability, (0, 1].
    pub top_p: f64,
    /// Only tokens with at least this share of the likeliest one's probability, [0, 1).
    pub min_p: f64,
    /// Scores of tokens that were there are divided by it, or multiplied if below 0; 1 for none.
    pub repetition_penalty: f64,
    /// The most tokens of an answer, an end token included.
    pub max_new_tokens: usize,
    /// Tokens that end an answer.
    pub eos: Vec<u32>,
    /// Texts that end an answer.
    pub stop: Vec<String>,
}

impl Default for SamplingOptions {
    /// The model's own distribution, and at most 512 tokens, as the paper samples.
    fn default() -> Self {
        Self {
            temperature: 1.0,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            repetition_penalty: 1.0,
            max_new_tokens: 512,
            eos: Vec::new(),
            stop: Vec::new(),
        }
    }
}

impl SamplingOptions {
    /// The likeliest token each time.
    pub fn greedy(max_new_tokens: usize, eos: Vec<u32>) -> Self {
        Self { temperature: 0.0, max_new_tokens, eos, ..Self::default() }
    }

    /// Checks the numbers.
    ///
    /// # Errors
    /// [`ModelError::Input`], naming the first that makes no sense.
    pub fn check(&self) -> Result<()> {
        let fault = |found: String, expected| Err(ModelError::Input { found, expected });
        let within = |v: f64, least: f64, most: f64| (least..=most).contains(&v) && v.is_finite();
        if !within(self.temperature, 0.0, f64::MAX) {
            return fault(format!("a temperature of {}", self.temperature), "at least 0");
        }
        if !within(self.top_p, f64::MIN_POSITIVE, 1.0) {
            return fault(format!("a top_p of {}", self.top_p), "above 0 and at most 1");
        }
        if !within(self.min_p, 0.0, 1.0) {
            return fault(format!("a min_p of {}", self.min_p), "between 0 and 1");
        }
        if !within(self.repetition_penalty, f64::MIN_POSITIVE, f64::MAX) {
            return fault(format!("a repetition penalty of {}", self.repetition_penalty), "above 0");
        }
        if self.max_new_tokens == 0 {
            return fault("0 new tokens".to_owned(), "at least 1");
        }
        if self.stop.iter().any(String::is_empty) {
            return fault("an empty stop string".to_owned(), "texts of at least one character");
        }
        Ok(())
    }
}
