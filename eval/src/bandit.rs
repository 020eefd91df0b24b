//! A synthetic world in which RL optimizers are tried: a contextual bandit whose truth is known.
//!
//! An optimizer turns rewards and log-probabilities into a gradient and never sees a model, so a small exact policy tries
//! it as well as a large one, in a second and without a picture. A [`Run`] hands out batches and takes gradients; whoever
//! owns the optimizer calls it in between. `docs/metrics.md` defines the world and what is scored.

mod adam;
mod policy;
mod run;
mod world;

pub use policy::{Condition, Policy};
pub use run::{Learning, Run};
pub use world::World;
pub(crate) use world::{normal, uniform};

/// Contexts: the products of this world.
pub const CONTEXTS: usize = 8;
/// First tokens of an answer.
pub const FIRST_TOKENS: usize = 4;
/// Second tokens of an answer.
pub const SECOND_TOKENS: usize = 3;
/// Answers: one for each pair of tokens.
pub const ANSWERS: usize = FIRST_TOKENS * SECOND_TOKENS;
/// The share of the gap that an optimizer is timed to.
pub const TARGET: f64 = 0.8;
/// Version of the world and of what is scored: it grows when the same optimizer gets another number.
pub const VERSION: &str = "1";
/// The fewest steps that a budget must allow.
const FEWEST_STEPS: u32 = 10;

/// How long and how boldly a policy learns.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Sampled answers, each of which would be a creative; all steps together.
    pub creatives: u32,
    /// Learning rate of the policy's Adam, above 0.
    pub learning_rate: f64,
}
