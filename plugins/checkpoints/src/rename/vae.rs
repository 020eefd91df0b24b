//! The VAE: `encoder.down.1.block.0` in place of `encoder.down_blocks.1.resnets.0`, and a decoder counted from below.

use super::unet::number;
use super::{Renamed, Reshape};
use crate::layout::Role;

/// `rest` of `first_stage_model.rest`.
pub(super) fn rename(rest: &str, levels: usize) -> Option<Renamed> {
    if rest.starts_with("quant_conv.") || rest.starts_with("post_quant_conv.") {
        return Some(renamed(rest.to_owned(), Reshape::Keep));
    }
    let (half, rest) = rest.split_once('.')?;
    if half != "encoder" && half != "decoder" {
        return None;
    }
    let keep = |name: String| Some(renamed(format!("{half}.{name}"), Reshape::Keep));
    if rest.starts_with("conv_in.") || rest.starts_with("conv_out.") {
        return keep(rest.to_owned());
    }
    if let Some(parameter) = rest.strip_prefix("norm_out.") {
        return keep(format!("conv_norm_out.{parameter}"));
    }
    if let Some(rest) = rest.strip_prefix("mid.attn_1.") {
        let (module, parameter) = rest.split_once('.')?;
        let (module, reshape) = attention(module)?;
        return Some(renamed(format!("{half}.mid_block.attentions.0.{module}.{parameter}"), reshape));
    }
    if let Some(rest) = rest.strip_prefix("mid.block_") {
        let (block, rest) = number(rest)?;
        return keep(format!("mid_block.resnets.{}.{}", block.checked_sub(1)?, resnet(rest)));
    }
    level_block(half, rest, levels).and_then(keep)
}

fn level_block(half: &str, rest: &str, levels: usize) -> Option<String> {
    let (side, rest) = rest.split_once('.')?;
    let (level, rest) = number(rest)?;
    let (level, sampler) = match (half, side) {
        ("encoder", "down") => (level, "downsample"),
        // The decoder's blocks are counted from the finest; diffusers counts in the order in which they run.
        ("decoder", "up") => ((levels - 1).checked_sub(level)?, "upsample"),
        _ => return None,
    };
    let blocks = format!("{side}_blocks.{level}");
    if let Some(rest) = rest.strip_prefix("block.") {
        let (block, rest) = number(rest)?;
        return Some(format!("{blocks}.resnets.{block}.{}", resnet(rest)));
    }
    let parameter = rest.strip_prefix(sampler)?.strip_prefix(".conv.")?;
    Some(format!("{blocks}.{sampler}rs.0.conv.{parameter}"))
}

/// The level in a name of the VAE's halves, for how many there are.
pub(super) fn level(name: &str) -> Option<usize> {
    let start = ["encoder.down.", "decoder.up."]
        .iter()
        .find_map(|marker| name.find(marker).map(|at| at + marker.len()))?;
    number(&name[start..]).map(|(level, _)| level)
}

fn resnet(rest: &str) -> String {
    rest.replace("nin_shortcut", "conv_shortcut")
}

fn attention(module: &str) -> Option<(&'static str, Reshape)> {
    Some(match module {
        "norm" => ("group_norm", Reshape::Keep),
        "q" => ("to_q", Reshape::Linear),
        "k" => ("to_k", Reshape::Linear),
        "v" => ("to_v", Reshape::Linear),
        "proj_out" => ("to_out.0", Reshape::Linear),
        _ => return None,
    })
}

/// Today's name of an attention of before diffusers 0.18.
pub(super) fn current(name: &str) -> Renamed {
    let old = [("query", "to_q"), ("key", "to_k"), ("value", "to_v"), ("proj_attn", "to_out.0")];
    let parts = name.rsplit_once('.').and_then(|(path, parameter)| {
        let (path, module) = path.rsplit_once('.')?;
        let (_, new) = old.iter().find(|(old, _)| *old == module)?;
        Some(format!("{path}.{new}.{parameter}"))
    });
    match parts {
        Some(name) => renamed(name, Reshape::Linear),
        None => renamed(name.to_owned(), Reshape::Keep),
    }
}

fn renamed(name: String, reshape: Reshape) -> Renamed {
    Renamed { role: Role::Vae, name, reshape }
}
