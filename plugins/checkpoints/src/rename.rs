//! Names of original checkpoints in the names that diffusers and transformers give the same tensors.
//!
//! Stable Diffusion 1.x was published by CompVis and Runway as one file in the names of their own code ("LDM" names:
//! `model.diffusion_model.*`, `first_stage_model.*`, `cond_stage_model.transformer.*`), ControlNet as `control_model.*`.
//! The networks are those of diffusers, block for block, so that a table of names is all that parts the two; only the 1x1
//! convolutions of the VAE's attention become linear layers, which leaves their bytes as they are. The mapping is held
//! against every name of the full SD 1.5 shape, as diffusers converts it (`fixtures/goldens/sd/names.json`).

mod clip;
mod llava;
mod unet;
mod vae;

use crate::layout::Role;

/// What becomes of a tensor's shape. Elements and their order stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reshape {
    /// Nothing.
    Keep,
    /// Trailing sizes of 1 go until two are left: a 1x1 convolution `[out, in, 1, 1]` is the linear layer `[out, in]`.
    Linear,
}

impl Reshape {
    /// The new shape.
    pub fn apply(self, shape: &[usize]) -> Vec<usize> {
        let mut shape = shape.to_vec();
        while self == Self::Linear && shape.len() > 2 && shape.last() == Some(&1) {
            shape.pop();
        }
        shape
    }
}

/// A tensor in the names of diffusers (or transformers, for text encoders).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renamed {
    /// The model that it belongs to.
    pub role: Role,
    /// Its name there, `down_blocks.0.resnets.0.norm1.weight`.
    pub name: String,
    /// What becomes of its shape.
    pub reshape: Reshape,
}

/// What the names of a file leave open: how many layers a block has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Renamer {
    /// ResNets of each of the UNet's down blocks; 2 in every Stable Diffusion.
    layers_per_block: usize,
    /// Resolutions of the VAE; 4 in every Stable Diffusion.
    vae_levels: usize,
    /// The prefix of a VAE's names, empty for a file with nothing but a VAE.
    vae_prefix: &'static str,
    /// Whether names without a prefix are those of a ControlNet.
    bare_control: bool,
    /// Whether names without a prefix are those of a UNet.
    bare_unet: bool,
}

impl Default for Renamer {
    /// The shape of Stable Diffusion 1.5, as a whole checkpoint.
    fn default() -> Self {
        Self {
            layers_per_block: 2,
            vae_levels: 4,
            vae_prefix: "first_stage_model.",
            bare_control: false,
            bare_unet: false,
        }
    }
}

impl Renamer {
    /// Reads the shape out of all names of a file.
    pub fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut renamer = Self { vae_prefix: "", ..Self::default() };
        let (mut first_down, mut top_level) = (None::<usize>, None::<usize>);
        for name in names {
            for prefix in ["first_stage_model.", "vae."] {
                if name.starts_with(prefix) {
                    renamer.vae_prefix = prefix;
                }
            }
            renamer.bare_control |= name.starts_with("input_hint_block.");
            renamer.bare_unet |= name.starts_with("output_blocks.");
            if let Some(block) = unet::downsampler(name) {
                first_down = Some(first_down.map_or(block, |first| first.min(block)));
            }
            top_level = top_level.max(vae::level(name));
        }
        renamer.layers_per_block = first_down.map_or(2, |block| block.saturating_sub(1).max(1));
        renamer.vae_levels = top_level.map_or(4, |level| level + 1);
        renamer.bare_unet &= !renamer.bare_control;
        renamer
    }

    /// The tensor's model and name, or None for what no model here uses: schedules, EMA copies, position ids.
    pub fn rename(&self, name: &str) -> Option<Renamed> {
        let keep = |role, name| Renamed { role, name, reshape: Reshape::Keep };
        if let Some(rest) = name.strip_prefix("model.diffusion_model.") {
            return unet::rename(rest, self.layers_per_block).map(|name| keep(Role::UNet, name));
        }
        if let Some(rest) = name.strip_prefix("control_model.") {
            return unet::rename_control(rest, self.layers_per_block)
                .map(|name| keep(Role::ControlNet, name));
        }
        if let Some(rest) = name.strip_prefix("cond_stage_model.transformer.") {
            return clip::rename(rest).map(|name| keep(Role::TextEncoder, name));
        }
        if let Some(renamed) =
            name.strip_prefix(self.vae_prefix).and_then(|rest| vae::rename(rest, self.vae_levels))
        {
            return Some(renamed);
        }
        if self.bare_control {
            return unet::rename_control(name, self.layers_per_block)
                .map(|name| keep(Role::ControlNet, name));
        }
        if self.bare_unet {
            return unet::rename(name, self.layers_per_block).map(|name| keep(Role::UNet, name));
        }
        None
    }
}

/// The tensor `name` of a whole SD 1.x checkpoint in the names of diffusers. For other shapes, and for files of one model,
/// see [`Renamer::of`].
pub fn original(name: &str) -> Option<Renamed> {
    Renamer::default().rename(name)
}

/// Names of diffusers and transformers as the models here know them: VAE attentions in the names of before diffusers 0.18
/// (`query`, `proj_attn`) in today's, and CLIP towers with the `text_model.` or `vision_model.` that transformers 5 leaves
/// out; LLaVA in any spelling as transformers 5 writes it, its projector's layers as `linear_1`, `linear_2`, ... None for position
/// ids and the frequencies of rotary embeddings, which are no weights.
pub fn current(role: Role, name: &str) -> Option<Renamed> {
    let keep = |name: String| Renamed { role, name, reshape: Reshape::Keep };
    match role {
        Role::Vae => Some(vae::current(name)),
        Role::TextEncoder => clip::current(name, "text_model").map(keep),
        Role::ImageEncoder => clip::current(name, "vision_model").map(keep),
        Role::Llava => llava::current(name).map(keep),
        Role::LanguageModel => (!name.ends_with("rotary_emb.inv_freq")).then(|| keep(name.to_owned())),
        _ => Some(keep(name.to_owned())),
    }
}

#[cfg(test)]
mod tests;
