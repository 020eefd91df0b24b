//! Model architectures on [candle](candle_core), with no knowledge of the plugin contract.
//!
//! * [`efficientnet`]: EfficientNet-Lite0, an image encoder with published ImageNet weights.
//!
//! Every loader checks a checkpoint completely (names, shapes, element type) before it computes anything, and says in
//! a [`ModelError`] which tensor is at fault.

pub mod efficientnet;
mod error;
mod weights;

pub use efficientnet::EfficientNetLite0;
pub use error::{ModelError, Result};
