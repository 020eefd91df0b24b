//! The weights of a network by the names that LoRA files give their layers.

use std::collections::BTreeMap;

use super::keys::Component;

/// Names of weights by layer, as [`super::keys::parse`] writes it, under every name that the layer goes by.
pub(super) fn by_module(component: Component, names: &[&str]) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for name in names {
        let Some(module) = name.strip_suffix(".weight") else { continue };
        for alias in aliases(component, module) {
            found.insert(alias.replace('.', "_"), (*name).to_owned());
        }
    }
    found
}

fn aliases(component: Component, module: &str) -> Vec<String> {
    let mut all = match component {
        Component::Unet => {
            let mut all = vec![module.to_owned()];
            all.extend(original(module));
            all
        }
        Component::TextEncoder => {
            let module = module.strip_prefix("text_model.").unwrap_or(module);
            // Before diffusers 0.15 a text encoder's projections were named as a UNet's.
            let old = [("q_proj", "to_q"), ("k_proj", "to_k"), ("v_proj", "to_v"), ("out_proj", "to_out")];
            let old =
                old.iter().find_map(|(now, before)| Some(format!("{}{before}", module.strip_suffix(now)?)));
            let mut all = vec![module.to_owned()];
            all.extend(old);
            all
        }
    };
    let short: Vec<String> =
        all.iter().filter_map(|m| m.strip_suffix(".to_out.0")).map(|m| format!("{m}.to_out")).collect();
    all.extend(short);
    all
}

/// The names of a UNet's layer in original checkpoints, with two residual blocks at each resolution as Stable Diffusion has
/// them; an upsampler may have two, because its place depends on whether attention precedes it.
fn original(module: &str) -> Vec<String> {
    let fixed = [
        ("conv_in", "input_blocks.0.0"),
        ("conv_out", "out.2"),
        ("time_embedding.linear_1", "time_embed.0"),
        ("time_embedding.linear_2", "time_embed.2"),
    ];
    if let Some((_, name)) = fixed.iter().find(|(now, _)| *now == module) {
        return vec![(*name).to_owned()];
    }
    let parts: Vec<&str> = module.split('.').collect();
    let number = |i: usize| parts.get(i).and_then(|p| p.parse::<usize>().ok());
    let rest = |from: usize| parts.get(from..).unwrap_or_default().join(".");
    match (parts.first().copied(), parts.get(1).copied(), parts.get(2).copied()) {
        (Some("mid_block"), Some("attentions"), Some(_)) => vec![format!("middle_block.1.{}", rest(3))],
        (Some("mid_block"), Some("resnets"), Some(_)) => {
            number(2).map(|i| format!("middle_block.{}.{}", 2 * i, residual(&rest(3)))).into_iter().collect()
        }
        (Some(side @ ("down_blocks" | "up_blocks")), Some(_), Some(kind)) => {
            let (Some(block), Some(layer)) = (number(1), number(3)) else { return Vec::new() };
            let tail = rest(4);
            let down = format!("input_blocks.{}", 3 * block + layer + 1);
            let up = format!("output_blocks.{}", 3 * block + layer);
            let place = if side == "down_blocks" { down } else { up };
            match kind {
                "resnets" => vec![format!("{place}.0.{}", residual(&tail))],
                "attentions" => vec![format!("{place}.1.{tail}")],
                "downsamplers" => vec![format!("input_blocks.{}.0.op", 3 * block + 3)],
                "upsamplers" => [1, 2].map(|i| format!("output_blocks.{}.{i}.conv", 3 * block + 2)).to_vec(),
                _ => Vec::new(),
            }
        }
        _ => Vec::new(),
    }
}

fn residual(layer: &str) -> &str {
    match layer {
        "norm1" => "in_layers.0",
        "conv1" => "in_layers.2",
        "time_emb_proj" => "emb_layers.1",
        "norm2" => "out_layers.0",
        "conv2" => "out_layers.3",
        "conv_shortcut" => "skip_connection",
        other => other,
    }
}
