//! Whether a checkpoint is the one that is wanted, with messages that name file and key.

use super::{Base, Component, Layout, Role, Shape};
use crate::{CheckpointError, ErrorKind, Result};

fn mismatch(message: String, mend: impl Into<String>) -> CheckpointError {
    CheckpointError::new(ErrorKind::Mismatch, message, mend)
}

impl Layout {
    /// The component of this role.
    ///
    /// # Errors
    /// [`ErrorKind::Mismatch`] where it has none, saying what the path is instead.
    pub fn component(&self, role: Role) -> Result<&Component> {
        self.get(role).ok_or_else(|| {
            let message = format!("{} is {}, without a {role}", self.path.display(), self.describe());
            let mend = match self.shape {
                Shape::ModelFile | Shape::ModelFolder => format!("name a {role} here"),
                Shape::Pipeline | Shape::SingleFile => {
                    format!("name a checkpoint with a {role}, or a {role} alone")
                }
            };
            mismatch(message, mend)
        })
    }

    /// In a few words: `a checkpoint of Stable Diffusion 1.x`, `a ControlNet for Stable Diffusion 1.x`.
    pub fn describe(&self) -> String {
        let role = self.components.first().map_or(Role::Other, |component| component.role);
        let base = |word: &str| self.base.map(|base| format!(" {word} {base}")).unwrap_or_default();
        match self.shape {
            Shape::Pipeline => format!("a diffusers directory{}", base("of")),
            Shape::SingleFile => format!("a checkpoint{}", base("of")),
            _ if matches!(role, Role::ControlNet | Role::Lora | Role::IpAdapter) => {
                let article = if role == Role::IpAdapter { "an" } else { "a" };
                format!("{article} {role}{}", base("for"))
            }
            _ if matches!(role, Role::ImageEncoder | Role::PerceptualDistance) => {
                let class = self.components.first().and_then(|component| component.class.as_deref());
                let named = class.map(|class| format!(" ({class})")).unwrap_or_default();
                format!("{} {role}{named}", if role == Role::ImageEncoder { "an" } else { "a" })
            }
            _ => format!("a {role}{}", base("of")),
        }
    }

    /// Holds the family against those that a pipeline can run. Families that cannot be told, and UNets of unpublished
    /// sizes, pass: their weights will fit or be named.
    ///
    /// # Errors
    /// [`ErrorKind::Mismatch`], with the tensor or the setting that tells the family.
    pub fn expect_base(&self, wanted: &[Base]) -> Result<()> {
        let Some(base) = self.base.filter(|base| !matches!(base, Base::Other(_)) && !wanted.contains(base))
        else {
            return Ok(());
        };
        let wanted: Vec<String> = wanted.iter().map(Base::to_string).collect();
        let message = format!(
            "{} is {}, told by {}",
            self.path.display(),
            self.describe(),
            self.evidence.as_deref().unwrap_or("its class")
        );
        Err(mismatch(
            message,
            format!("this pipeline runs {}: name such a checkpoint, not {base}", wanted.join(" and ")),
        ))
    }

    /// Holds an addition (ControlNet, LoRA, IP-Adapter) against the checkpoint that it is to be used with.
    ///
    /// # Errors
    /// [`ErrorKind::Mismatch`], with both files and the keys that tell.
    pub fn expect_for(&self, checkpoint: &Self) -> Result<()> {
        let (Some(own), Some(other)) = (self.base, checkpoint.base) else { return Ok(()) };
        if own == other {
            return Ok(());
        }
        let told = |layout: &Self| layout.evidence.clone().unwrap_or_else(|| "its class".into());
        let message = format!(
            "{} is {} ({}), but {} is {} ({})",
            self.path.display(),
            self.describe(),
            told(self),
            checkpoint.path.display(),
            checkpoint.describe(),
            told(checkpoint)
        );
        Err(mismatch(message, format!("take the one that was trained for {other}")))
    }

    /// Holds the UNet's channels against what a pipeline feeds it: 4 (latents), or 9 (latents, mask, masked latents).
    ///
    /// # Errors
    /// [`ErrorKind::Mismatch`], with the key, and with the pipeline that the checkpoint is for.
    pub fn expect_unet_channels(&self, wanted: u64) -> Result<()> {
        let Some(found) = self.unet_channels.filter(|&found| found != wanted) else { return Ok(()) };
        let key = match self.shape {
            Shape::Pipeline => "unet/config.json: in_channels",
            Shape::ModelFolder => "config.json: in_channels",
            Shape::SingleFile | Shape::ModelFile => "input_blocks.0.0.weight (conv_in.weight), size 1",
        };
        let message = format!(
            "the UNet of {} takes {found} channels ({key}), and {wanted} are fed to it",
            self.path.display()
        );
        let mend = match (found, wanted) {
            (9, 4) => {
                "it was trained to inpaint: choose the inpaint pipeline, or a checkpoint without \"inpainting\" in its name"
            }
            (4, 9) => {
                "it was not trained to inpaint: choose the plain or the ControlNet-inpaint pipeline, or an inpainting checkpoint"
            }
            (8, _) => "it is an InstructPix2Pix model, which no pipeline here runs",
            _ => "choose another checkpoint",
        };
        Err(mismatch(message, mend))
    }
}
