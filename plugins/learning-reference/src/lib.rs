//! `learning-reference`: the smallest real models behind the trainable halves of the contract.
//!
//! - `categorical-prompt`, a policy over 24 background templates, linear in features of the condition;
//! - `logistic-reward`, a Bradley-Terry model with a CTR head on ten image features;
//! - `dpo` and `pcpo`, the preference losses of CAIG (arXiv 2502.06823) with their exact gradients.
//!
//! They train in seconds on one core, so a training loop can be tested end to end without a large model, and each is
//! short enough to be read as the example of its kind. All arithmetic is in `f64` and repeats bit by bit.

mod adamw;
mod categorical;
mod checkpoint;
mod condition;
mod creative;
mod dpo;
mod logistic;
mod pcpo;
mod preference;
mod templates;

pub use categorical::{CategoricalParameters, CategoricalPrompt};
pub use dpo::{Dpo, DpoParameters};
pub use logistic::{LogisticParameters, LogisticReward};
pub use pcpo::{Pcpo, PcpoParameters};
pub use templates::TEMPLATES;

adeval_sdk::export_plugin! {
    trainable_prompt_generator: [CategoricalPrompt],
    trainable_reward_model: [LogisticReward],
    rl_optimizer: [Dpo, Pcpo],
}

#[cfg(test)]
mod tests;
