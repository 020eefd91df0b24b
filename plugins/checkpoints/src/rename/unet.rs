//! UNet and ControlNet: flat lists of blocks (`input_blocks.7.1`) in place of levels (`down_blocks.2.attentions.0`).

/// `rest` of `model.diffusion_model.rest`.
pub(super) fn rename(rest: &str, layers_per_block: usize) -> Option<String> {
    trunk(rest, layers_per_block).or_else(|| up(rest, layers_per_block)).or_else(|| {
        let (module, parameter) = rest.rsplit_once('.')?;
        let module = match module {
            "out.0" => "conv_norm_out",
            "out.2" => "conv_out",
            _ => return None,
        };
        Some(format!("{module}.{parameter}"))
    })
}

/// `rest` of `control_model.rest`.
pub(super) fn rename_control(rest: &str, layers_per_block: usize) -> Option<String> {
    if let Some(rest) = rest.strip_prefix("zero_convs.") {
        let (block, rest) = number(rest)?;
        return Some(format!("controlnet_down_blocks.{block}.{}", rest.strip_prefix("0.")?));
    }
    if let Some(rest) = rest.strip_prefix("middle_block_out.0.") {
        return Some(format!("controlnet_mid_block.{rest}"));
    }
    if let Some(rest) = rest.strip_prefix("input_hint_block.") {
        // Convolutions at even places, activations between them.
        let (place, parameter) = number(rest)?;
        let module = match place {
            0 => "conv_in".to_owned(),
            14 => "conv_out".to_owned(),
            place if place < 14 && place % 2 == 0 => format!("blocks.{}", place / 2 - 1),
            _ => return None,
        };
        return Some(format!("controlnet_cond_embedding.{module}.{parameter}"));
    }
    trunk(rest, layers_per_block)
}

/// The block of a downsampling convolution, `input_blocks.3.0.op`.
pub(super) fn downsampler(name: &str) -> Option<usize> {
    let (_, rest) = name.split_once("input_blocks.")?;
    let (block, rest) = number(rest)?;
    rest.starts_with("0.op.").then_some(block)
}

/// What both share: time embedding, first convolution, way down, middle.
fn trunk(rest: &str, layers_per_block: usize) -> Option<String> {
    if let Some(rest) = rest.strip_prefix("time_embed.") {
        let (place, parameter) = number(rest)?;
        let layer = match place {
            0 => 1,
            2 => 2,
            _ => return None,
        };
        return Some(format!("time_embedding.linear_{layer}.{parameter}"));
    }
    if let Some(rest) = rest.strip_prefix("input_blocks.0.0.") {
        return Some(format!("conv_in.{rest}"));
    }
    if let Some(rest) = rest.strip_prefix("input_blocks.") {
        let (block, rest) = number(rest)?;
        let index = block.checked_sub(1)?;
        let (level, layer) = (index / (layers_per_block + 1), index % (layers_per_block + 1));
        let (part, rest) = number(rest)?;
        return match (part, rest.strip_prefix("op.")) {
            (0, Some(parameter)) => Some(format!("down_blocks.{level}.downsamplers.0.conv.{parameter}")),
            (0, None) => Some(format!("down_blocks.{level}.resnets.{layer}.{}", resnet(rest)?)),
            (1, _) => Some(format!("down_blocks.{level}.attentions.{layer}.{rest}")),
            _ => None,
        };
    }
    let (part, rest) = number(rest.strip_prefix("middle_block.")?)?;
    match part {
        0 => Some(format!("mid_block.resnets.0.{}", resnet(rest)?)),
        1 => Some(format!("mid_block.attentions.0.{rest}")),
        2 => Some(format!("mid_block.resnets.1.{}", resnet(rest)?)),
        _ => None,
    }
}

fn up(rest: &str, layers_per_block: usize) -> Option<String> {
    let (block, rest) = number(rest.strip_prefix("output_blocks.")?)?;
    let (level, layer) = (block / (layers_per_block + 1), block % (layers_per_block + 1));
    let (part, rest) = number(rest)?;
    // The upsampler comes after the attention, or in its place where a level has none.
    match (part, rest.strip_prefix("conv.")) {
        (0, _) => Some(format!("up_blocks.{level}.resnets.{layer}.{}", resnet(rest)?)),
        (1 | 2, Some(parameter)) => Some(format!("up_blocks.{level}.upsamplers.0.conv.{parameter}")),
        (1, None) => Some(format!("up_blocks.{level}.attentions.{layer}.{rest}")),
        _ => None,
    }
}

fn resnet(rest: &str) -> Option<String> {
    let (module, parameter) = rest.rsplit_once('.')?;
    let module = match module {
        "in_layers.0" => "norm1",
        "in_layers.2" => "conv1",
        "emb_layers.1" => "time_emb_proj",
        "out_layers.0" => "norm2",
        "out_layers.3" => "conv2",
        "skip_connection" => "conv_shortcut",
        _ => return None,
    };
    Some(format!("{module}.{parameter}"))
}

/// A number, and what follows its dot.
pub(super) fn number(rest: &str) -> Option<(usize, &str)> {
    let (number, rest) = rest.split_once('.')?;
    Some((number.parse().ok()?, rest))
}
