//! Stable Diffusion 1.5 with ControlNet and IP-Adapter, equal to diffusers.

pub mod assemble;
mod blocks;
pub mod config;
pub mod controlnet;
pub mod ip_adapter;
mod nn;
pub mod pipeline;
mod sdpa;
pub mod time_embedding;
pub mod unet;
pub mod vae;
