//! `preference-optimizers`: the losses that a prompt generator can be trained with, each with its exact gradient.
//!
//! - `pcpo`, the product-centric preference optimisation of CAIG (arXiv 2502.06823), as printed and as released;
//! - `dpo`, a preference between two answers, with the losses that trl knows;
//! - `kto`, answers that are good or bad by themselves;
//! - `reinforce`, the policy gradient with a leave-one-out baseline;
//! - `grpo`, clipped importance ratios with advantages normalised within the group.
//!
//! Each is a pure function of rewards and log-probabilities, in `f64`, and repeats bit by bit. Losses, gradients and metrics
//! equal trl's on the same numbers (`tests/trl.rs`).

mod advantage;
mod answer;
mod dpo;
mod grpo;
mod kto;
mod pcpo;
mod preference;
mod reinforce;
mod sigmoid;

pub use dpo::{Dpo, DpoLoss, DpoParameters};
pub use grpo::{Grpo, GrpoParameters, Importance, Normalisation, Scale};
pub use kto::{Kto, KtoLoss, KtoParameters};
pub use pcpo::{Pcpo, PcpoParameters, Variant};
pub use reinforce::{Reinforce, ReinforceParameters};

adeval_sdk::export_plugin! {
    rl_optimizer: [Pcpo, Dpo, Kto, Reinforce, Grpo],
}

#[cfg(test)]
mod tests;
