//! Training of a decoder's adapter, or of its own weights: log-probabilities of given answers, gradients from derivatives by them, steps.
//!
//! A policy-gradient method never asks a model for more than this: [`log_probs`] of answers, under the policy and under the
//! reference; then, from whatever loss is made of them, one derivative a token, which [`accumulate`] carries back into the
//! [`LoraAdapter`](crate::lora::LoraAdapter) of the decoder, and into its own weights where those are
//! [variables](crate::tensors::Source::trainable). [`Tape`] is the part below, for losses on hidden states, of which [`Preference`] is
//! one.

mod answers;
mod gradients;
mod optimizer;
mod pairwise;
mod schedule;
mod tape;

pub use answers::{Example, Passed, accumulate, accumulate_through, log_probs};
pub use gradients::Gradients;
pub use optimizer::{AdamW, AdamWConfig};
pub use pairwise::{Preference, sigmoid};
pub use schedule::CosineSchedule;
pub use tape::{Memory, Tape};
