//! Training of a decoder's adapter: log-probabilities of given answers, gradients from derivatives by them, steps.
//!
//! A policy-gradient method never asks a model for more than this: [`log_probs`] of answers, under the policy and under the
//! reference; then, from whatever loss is made of them, one derivative a token, which [`accumulate`] carries back into the
//! [`LoraAdapter`](crate::lora::LoraAdapter) of the decoder. [`Tape`] is the part below, for losses on hidden states.

mod answers;
mod gradients;
mod optimizer;
mod schedule;
mod tape;

pub use answers::{Example, accumulate, log_probs};
pub use gradients::Gradients;
pub use optimizer::{AdamW, AdamWConfig};
pub use schedule::CosineSchedule;
pub use tape::{Memory, Tape};
