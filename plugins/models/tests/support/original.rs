//! Names and files of original checkpoints, the other way round than `adeval-checkpoints` reads them: written for the tests out of
//! CompVis' code, so that reading and writing are two witnesses.
#![allow(dead_code, reason = "each test binary uses its own part")]

/// The name in a single file of a UNet's tensor; every down block has `layers` ResNets.
pub fn unet(name: &str, layers: usize) -> String {
    let parts: Vec<&str> = name.split('.').collect();
    let number = |at: usize| parts[at].parse::<usize>().expect("a number");
    let rest = |from: usize| parts[from..].join(".");
    let stride = layers + 1;
    let inner = match (parts[0], parts.get(2).copied()) {
        ("time_embedding", _) => {
            format!("time_embed.{}.{}", if parts[1] == "linear_1" { 0 } else { 2 }, rest(2))
        }
        ("conv_in", _) => format!("input_blocks.0.0.{}", rest(1)),
        ("conv_norm_out", _) => format!("out.0.{}", rest(1)),
        ("conv_out", _) => format!("out.2.{}", rest(1)),
        ("down_blocks", Some("resnets")) => {
            format!("input_blocks.{}.0.{}", 1 + number(1) * stride + number(3), resnet(&rest(4)))
        }
        ("down_blocks", Some("attentions")) => {
            format!("input_blocks.{}.1.{}", 1 + number(1) * stride + number(3), rest(4))
        }
        ("down_blocks", _) => format!("input_blocks.{}.0.op.{}", (number(1) + 1) * stride, rest(5)),
        ("mid_block", _) if parts[1] == "attentions" => format!("middle_block.1.{}", rest(3)),
        ("mid_block", _) => format!("middle_block.{}.{}", 2 * number(2), resnet(&rest(3))),
        ("up_blocks", Some("resnets")) => {
            format!("output_blocks.{}.0.{}", number(1) * stride + number(3), resnet(&rest(4)))
        }
        ("up_blocks", Some("attentions")) => {
            format!("output_blocks.{}.1.{}", number(1) * stride + number(3), rest(4))
        }
        // Behind the attention where there is one; the goldens' first up block has none.
        ("up_blocks", _) => {
            let place = if number(1) == 0 { 1 } else { 2 };
            format!("output_blocks.{}.{place}.conv.{}", number(1) * stride + layers, rest(5))
        }
        _ => panic!("a UNet has no {name}"),
    };
    format!("model.diffusion_model.{inner}")
}

fn resnet(rest: &str) -> String {
    let (module, parameter) = rest.split_once('.').expect("a parameter");
    let module = match module {
        "norm1" => "in_layers.0",
        "conv1" => "in_layers.2",
        "time_emb_proj" => "emb_layers.1",
        "norm2" => "out_layers.0",
        "conv2" => "out_layers.3",
        "conv_shortcut" => "skip_connection",
        _ => panic!("a ResNet has no {rest}"),
    };
    format!("{module}.{parameter}")
}

/// The name in a single file of a VAE's tensor, of `levels` resolutions, and whether it is a 1x1 convolution there.
pub fn vae(name: &str, levels: usize) -> (String, bool) {
    let parts: Vec<&str> = name.split('.').collect();
    let rest = |from: usize| parts[from..].join(".").replace("conv_shortcut", "nin_shortcut");
    let number = |at: usize| parts[at].parse::<usize>().expect("a number");
    let (half, mut is_convolution) = (parts[0], false);
    let inner = match (parts[1], parts.get(3).copied()) {
        ("down_blocks", Some("resnets")) => {
            format!("{half}.down.{}.block.{}.{}", number(2), number(4), rest(5))
        }
        ("down_blocks", _) => format!("{half}.down.{}.downsample.conv.{}", number(2), rest(6)),
        // The decoder's levels are counted from the finest.
        ("up_blocks", Some("resnets")) => {
            format!("{half}.up.{}.block.{}.{}", levels - 1 - number(2), number(4), rest(5))
        }
        ("up_blocks", _) => format!("{half}.up.{}.upsample.conv.{}", levels - 1 - number(2), rest(6)),
        ("mid_block", _) if parts[2] == "resnets" => {
            format!("{half}.mid.block_{}.{}", number(3) + 1, rest(4))
        }
        ("mid_block", _) => {
            let (module, parameter) = (parts[4], parts[parts.len() - 1]);
            is_convolution = module != "group_norm" && parameter == "weight";
            let module = match module {
                "group_norm" => "norm",
                "to_q" => "q",
                "to_k" => "k",
                "to_v" => "v",
                _ => "proj_out",
            };
            format!("{half}.mid.attn_1.{module}.{parameter}")
        }
        ("conv_norm_out", _) => format!("{half}.norm_out.{}", rest(2)),
        _ => parts.join("."),
    };
    (format!("first_stage_model.{inner}"), is_convolution)
}

/// The name in a single file of a text encoder's tensor.
pub fn text(name: &str) -> String {
    let name = name.strip_prefix("text_model.").unwrap_or(name);
    format!("cond_stage_model.transformer.text_model.{name}")
}
