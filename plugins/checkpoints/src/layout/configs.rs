//! Configurations: read from files, or built in for single files of Stable Diffusion 1.x, which carry none.

use super::{Component, Role, Tensors};
use crate::{CheckpointError, Result};
use serde_json::{Value, json};
use std::path::Path;

/// A JSON file.
pub(super) fn read(path: &Path) -> Result<Value> {
    let text = std::fs::read(path).map_err(|error| CheckpointError::io(path, &error))?;
    serde_json::from_slice(&text)
        .map_err(|error| CheckpointError::malformed(path, format!("not JSON: {error}")))
}

/// The published configuration of a Stable Diffusion 1.x component, for single files. None for roles without one.
pub fn stable_diffusion_1(role: Role) -> Option<Value> {
    let text = match role {
        Role::UNet => include_str!("configs/unet.json"),
        Role::ControlNet => include_str!("configs/controlnet.json"),
        Role::Vae => include_str!("configs/vae.json"),
        Role::TextEncoder => include_str!("configs/text_encoder.json"),
        Role::Scheduler => include_str!("configs/scheduler.json"),
        _ => return None,
    };
    serde_json::from_str(text).ok()
}

/// What SD 1.x has, corrected by what the weights say.
pub(super) fn built_in(component: &Component) -> Result<Value> {
    let tensors = component.open()?;
    let config = stable_diffusion_1(component.role).filter(|_| is_full_size(component.role, &tensors));
    let Some(mut config) = config else {
        let message = format!(
            "{} carries no configuration of its {}, and it is not of Stable Diffusion 1.x's size",
            tensors.path().display(),
            component.role
        );
        return Err(CheckpointError::missing(
            message,
            "use a diffusers directory, or put its config.json beside it",
        ));
    };
    if matches!(component.role, Role::UNet | Role::ControlNet) {
        correct(&mut config, &tensors);
    }
    Ok(config)
}

/// The widths of SD 1.x, by a tensor that each of its shapes has.
fn is_full_size(role: Role, tensors: &Tensors) -> bool {
    let (name, width) = match role {
        Role::UNet | Role::ControlNet => ("conv_in.weight", 320),
        Role::Vae => ("decoder.conv_in.weight", 512),
        Role::TextEncoder => ("text_model.final_layer_norm.weight", 768),
        _ => return false,
    };
    tensors.get(name).is_some_and(|info| info.shape.first() == Some(&width))
}

fn correct(config: &mut Value, tensors: &Tensors) {
    let size = |name: &str, at: usize| tensors.get(name).and_then(|info| info.shape.get(at).copied());
    if let Some(channels) = size("conv_in.weight", 1) {
        config["in_channels"] = json!(channels);
    }
    let attention = "down_blocks.0.attentions.0";
    if let Some(width) = size(&format!("{attention}.transformer_blocks.0.attn2.to_k.weight"), 1) {
        config["cross_attention_dim"] = json!(width);
        if width == 1024 {
            // SD 2.x: heads of 64 numbers each, where 1.x has 8 heads everywhere.
            config["attention_head_dim"] = json!([5, 10, 20, 20]);
        }
    }
    let projection = tensors.get(&format!("{attention}.proj_in.weight"));
    config["use_linear_projection"] = json!(projection.is_some_and(|info| info.shape.len() == 2));
}
