//! LLaVA-1.5 and 1.6 (LLaVA-NeXT): a CLIP vision tower and a language model, in the layouts of `transformers` and of the original
//! code.
//!
//! * [`image`] prepares pictures, [`grid`] says in how many tiles.
//! * [`config`] reads a checkpoint's settings, [`Llava`] the whole; [`prompt`] is a chat with pictures in their places.
//! * [`reward`] is the reward model of CAIG: two more heads, and the questions.
//! * [`features`] makes embeddings of them: the tower, a [`projector`], and the order that [`pack`] gives.
//!
//! Liu et al., "Visual Instruction Tuning" (2023) and "Improved Baselines with Visual Instruction Tuning" (2023).

pub mod config;
pub mod features;
pub mod grid;
pub mod image;
mod model;
pub mod pack;
pub mod projector;
pub mod prompt;
pub mod reward;

pub use config::LlavaConfig;
pub use model::{Llava, LoadOptions};
pub use prompt::LlavaPrompt;
