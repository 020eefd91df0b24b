//! LLaVA-1.5 and 1.6 (LLaVA-NeXT): a CLIP vision tower and a language model, in the layouts of `transformers` and of the original
//! code.
//!
//! * [`image`] prepares pictures, [`grid`] says in how many tiles.
//!
//! Liu et al., "Visual Instruction Tuning" (2023) and "Improved Baselines with Visual Instruction Tuning" (2023).

pub mod features;
pub mod grid;
pub mod image;
pub mod pack;
pub mod projector;
