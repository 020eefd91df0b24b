//! Model architectures on [candle](candle_core), with no knowledge of the plugin contract.
//!
//! * [`efficientnet`]: EfficientNet-Lite0, an image encoder with published ImageNet weights.
//! * [`inception`]: the Inception-v3 of the Fréchet inception distance; [`dinov2`] and [`siglip`], encoders for the same end, as is the
//!   image encoder of [`clip`] ([`encoders`] opens their folders); [`lpips`], a perceptual distance of two pictures.
//! * [`stable_diffusion`]: Stable Diffusion 1.5, ControlNet and IP-Adapter; [`clip`] are its encoders, [`schedulers`] its
//!   samplers, [`torch_rng`] its noise, [`opencv`] what its pictures are prepared with.
//! * [`decoder`]: the language models LLaMA, Mistral and Qwen2; [`generation`] draws text from
//!   them, [`training`] trains their LoRA adapters.
//! * [`llava`]: LLaVA-1.5 and 1.6, on the vision tower of [`clip`].
//!
//! Every loader checks a checkpoint completely (names, shapes, element type) before it computes anything, and says in
//! a [`ModelError`] which tensor is at fault.

mod attention;
pub mod clip;
mod convolution;
mod cpu;
pub mod decoder;
pub mod dinov2;
pub mod efficientnet;
pub mod encoders;
mod error;
pub mod generation;
pub mod inception;
pub mod language;
pub mod layers;
pub mod llava;
pub mod lora;
pub mod lpips;
pub mod opencv;
mod patches;
mod positions;
pub mod product_canvas;
pub mod schedulers;
pub mod siglip;
pub mod stable_diffusion;
pub mod tensors;
pub mod torch_rng;
pub mod training;
mod weights;

pub use efficientnet::EfficientNetLite0;
pub use error::{ModelError, Result};
