//! `learning-reference`: the smallest real models behind the trainable halves of the contract.
//!
//! - `categorical-prompt`, a policy over 24 background templates, linear in features of the condition;
//! - `logistic-reward`, a Bradley-Terry model with a CTR head on ten image features.
//!
//! They train in seconds on one core, so a training loop can be tested end to end without a large model, and each is
//! short enough to be read as the example of its kind. All arithmetic is in `f64` and repeats bit by bit. The losses that a
//! policy is trained with are in `preference-optimizers`.

mod adamw;
mod categorical;
mod checkpoint;
mod condition;
mod creative;
mod logistic;
mod templates;

pub use categorical::{CategoricalParameters, CategoricalPrompt};
pub use logistic::{LogisticParameters, LogisticReward};
pub use templates::TEMPLATES;

adeval_sdk::export_plugin! {
    trainable_prompt_generator: [CategoricalPrompt],
    trainable_reward_model: [LogisticReward],
}

#[cfg(test)]
mod tests;
