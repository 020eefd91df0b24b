//! Finds, downloads, lists and checks the files of published model checkpoints, without loading a tensor.
//!
//! - [`format`]: one file: its tensors' names, types, shapes and bytes, whatever it is written in;
//! - [`rename`]: the names of original Stable Diffusion checkpoints in the names that diffusers gives them;
//! - [`layout`]: what a path is: a diffusers directory, a single file, a ControlNet, a LoRA ..., and of which base;
//!
//! Nothing here knows a tensor library, so that the command line can look at a checkpoint without linking one.
#![deny(unsafe_code)]

mod error;
pub mod format;
pub mod layout;
pub mod rename;

pub use error::{CheckpointError, ErrorKind, Result};
pub use format::{DType, TensorFile, TensorInfo};
pub use layout::{Base, Component, Layout, Role};
