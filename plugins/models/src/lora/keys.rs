//! What a key of a LoRA file means: the model's component, the layer, and which of its tensors.

use std::collections::BTreeMap;

use candle_core::Tensor;

/// The network that a layer belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Component {
    Unet,
    TextEncoder,
}

impl Component {
    /// What messages call it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Unet => "the UNet",
            Self::TextEncoder => "the text encoder",
        }
    }

    /// Its prefix in the keys of diffusers.
    pub(super) const fn prefix(self) -> &'static str {
        match self {
            Self::Unet => "unet.",
            Self::TextEncoder => "text_encoder.",
        }
    }
}

/// A layer's tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Down,
    Up,
    Alpha,
}

const SUFFIXES: &[(&str, Part)] = &[
    (".lora_down.weight", Part::Down),
    (".lora_up.weight", Part::Up),
    (".lora_A.weight", Part::Down),
    (".lora_B.weight", Part::Up),
    (".lora_A.default.weight", Part::Down),
    (".lora_B.default.weight", Part::Up),
    (".lora_linear_layer.down.weight", Part::Down),
    (".lora_linear_layer.up.weight", Part::Up),
    (".lora.down.weight", Part::Down),
    (".lora.up.weight", Part::Up),
    ("_lora.down.weight", Part::Down),
    ("_lora.up.weight", Part::Up),
    (".alpha", Part::Alpha),
];

/// Parts of keys of other methods, and what they are.
const OTHER_METHODS: &[(&str, &str)] = &[
    ("dora_scale", "DoRA"),
    ("lora_magnitude_vector", "DoRA"),
    (".hada_", "LoHa"),
    (".lokr_", "LoKr"),
    (".lora_mid.", "LoCon with a Tucker core"),
    (".oft_", "OFT"),
    (".diff", "full differences"),
];

const XL: &str = "it is for Stable Diffusion XL; take one for Stable Diffusion 1.5";

/// Component, layer and part. The layer's name has `_` for every `.`, as kohya's keys have.
pub(super) fn parse(key: &str) -> Result<(Component, String, Part), String> {
    if key.starts_with("lora_te2_") || key.starts_with("text_encoder_2.") {
        return Err(format!("{key} belongs to a second text encoder: {XL}"));
    }
    if let Some((_, method)) = OTHER_METHODS.iter().find(|(part, _)| key.contains(part)) {
        return Err(format!("{key} is of another method than LoRA ({method}); convert the file to LoRA"));
    }
    let split =
        SUFFIXES.iter().find_map(|(suffix, part)| key.strip_suffix(suffix).map(|module| (module, *part)));
    let Some((module, part)) = split else {
        return Err(format!("{key} is no key of a LoRA in kohya's, PEFT's or diffusers' layout"));
    };
    let (component, module) = component(module);
    Ok((component, module.replace(".processor.", ".").replace('.', "_"), part))
}

fn component(module: &str) -> (Component, &str) {
    use Component::{TextEncoder, Unet};
    if let Some(rest) = module.strip_prefix("lora_unet_") {
        return (Unet, rest);
    }
    if let Some(rest) = module.strip_prefix("lora_te_").or_else(|| module.strip_prefix("lora_te1_")) {
        return (TextEncoder, rest.strip_prefix("text_model_").unwrap_or(rest));
    }
    let module = module.strip_prefix("base_model.model.").unwrap_or(module);
    if let Some(rest) = module.strip_prefix("unet.") {
        return (Unet, rest);
    }
    let text = module.strip_prefix("text_encoder.");
    let rest = text.unwrap_or(module);
    let rest = rest.strip_prefix("text_model.").unwrap_or(rest);
    let is_text = text.is_some() || rest.starts_with("encoder.layers.");
    (if is_text { TextEncoder } else { Unet }, rest)
}

/// Why a file is not for Stable Diffusion 1.5, if its header says so.
pub(super) fn refused_metadata(metadata: &BTreeMap<String, String>) -> Option<String> {
    let says = |key: &str, part: &str| metadata.get(key).is_some_and(|v| v.to_lowercase().contains(part));
    let is_xl =
        says("ss_base_model_version", "sdxl") || says("modelspec.architecture", "stable-diffusion-xl");
    is_xl.then(|| format!("its header says that {XL}"))
}

/// What a layer that does not fit tells about the model that the file was made for.
pub(super) fn base_hint(module: &str, down: &Tensor) -> String {
    let reads_text = module.ends_with("attn2_to_k") || module.ends_with("attn2_to_v");
    match down.dims().get(1) {
        Some(2048) if reads_text => format!(" (it reads text of width 2048: {XL})"),
        Some(1024) if reads_text => {
            " (it reads text of width 1024: it is for Stable Diffusion 2; take one for Stable Diffusion 1.5)"
                .to_owned()
        }
        _ => String::new(),
    }
}
