//! Finds, downloads, lists and checks the files of published model checkpoints, without loading a tensor.
//!
//! - [`mod@format`]: one file: its tensors' names, types, shapes and bytes, whatever it is written in;
//! - [`rename`]: the names of original Stable Diffusion checkpoints in the names that diffusers gives them;
//! - [`layout`]: what a path is: a diffusers directory, a single file, a ControlNet, a LoRA ..., and of which base;
//! - [`card`]: its licence;
//! - [`hub`]: ids of the Hugging Face hub, in the cache that Python's library uses;
//! - [`plan`]: what loading will read and hold;
//! - [`verify`]: whether files are whole and their values finite.
//!
//! Nothing here knows a tensor library, so that the command line can look at a checkpoint without linking one.
#![deny(unsafe_code)]

pub mod card;
mod error;
pub mod format;
pub mod hub;
pub mod layout;
pub mod plan;
pub mod rename;
pub mod verify;

pub use error::{CheckpointError, ErrorKind, Result};
pub use format::{DType, TensorFile, TensorInfo};
pub use hub::Hub;
pub use layout::{Base, Component, Layout, Names, Role};
