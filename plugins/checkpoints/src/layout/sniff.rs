//! What the names and shapes in one file tell.

use super::{Base, Component, Layout, Names, Prediction, Role, Shape};
use crate::{CheckpointError, ErrorKind, Result, TensorFile, TensorInfo};
use std::path::Path;

/// A file of weights on its own.
pub(super) fn file(path: &Path) -> Result<Layout> {
    let file = TensorFile::open(path)?;
    let seen = Seen { file: &file };
    let Some((shape, names, roles)) = seen.kind() else { return Err(unknown(&file)) };
    let component = |&role: &Role| Component {
        name: role.component_name(),
        role,
        class: seen.network(role).map(str::to_owned),
        config: None,
        files: vec![path.to_owned()],
        names,
    };
    let (base, evidence) = seen.base().unzip();
    Ok(Layout {
        path: path.to_owned(),
        shape,
        class: None,
        base,
        evidence,
        unet_channels: if roles.contains(&Role::UNet) { seen.channels() } else { None },
        prediction: if roles.contains(&Role::UNet) { seen.prediction(base) } else { None },
        components: roles.iter().map(component).collect(),
        notes: seen.notes(),
    })
}

/// What the tensors of a component's files say of its base, with the tensor that says so.
pub(super) fn base_of(file: &TensorFile) -> Option<(Base, String)> {
    Seen { file }.base()
}

/// The role of a model's file in the names of diffusers or transformers.
pub(super) fn role_of(file: &TensorFile) -> Option<Role> {
    Seen { file }.kind().and_then(|(_, _, roles)| roles.first().copied())
}

fn unknown(file: &TensorFile) -> CheckpointError {
    let names: Vec<&str> = file.tensors().iter().take(3).map(|info| info.name.as_str()).collect();
    let message = format!(
        "{} holds {} tensors of no known model ({}, ...)",
        file.path().display(),
        file.tensors().len(),
        names.join(", ")
    );
    let mend = "known are Stable Diffusion checkpoints, UNets, VAEs, CLIP models, ControlNets, LoRAs, IP-Adapters, LLaVA, language \
                models, and the image encoders OpenCLIP, DINOv2, SigLIP, Inception-v3 and LPIPS";
    CheckpointError::new(ErrorKind::Mismatch, message, mend)
}

struct Seen<'a> {
    file: &'a TensorFile,
}

type Kind = (Shape, Names, Vec<Role>);

impl Seen<'_> {
    fn names(&self) -> impl Iterator<Item = &str> {
        self.file.tensors().iter().map(|info| info.name.as_str())
    }

    fn starts(&self, prefix: &str) -> bool {
        self.names().any(|name| name.starts_with(prefix))
    }

    fn contains(&self, part: &str) -> bool {
        self.names().any(|name| name.contains(part))
    }

    fn find(&self, part: &str) -> Option<&TensorInfo> {
        self.file.tensors().iter().find(|info| info.name.contains(part))
    }

    fn kind(&self) -> Option<Kind> {
        self.addition().or_else(|| self.whole()).or_else(|| self.one_model())
    }

    /// LoRA and IP-Adapter.
    fn addition(&self) -> Option<Kind> {
        let lora = |names| Some((Shape::ModelFile, names, vec![Role::Lora]));
        if self.starts("lora_unet_") || self.starts("lora_te") {
            return lora(Names::Kohya);
        }
        if self.contains(".lora_A.") || self.contains(".lora.down.") || self.contains("_lora.down.") {
            return lora(Names::Peft);
        }
        let adapter = self.starts("ip_adapter.") && self.starts("image_proj.");
        adapter.then(|| (Shape::ModelFile, Names::IpAdapter, vec![Role::IpAdapter]))
    }

    /// A checkpoint in original names, of several models or of one.
    fn whole(&self) -> Option<Kind> {
        let mut roles = Vec::new();
        for (prefixes, role) in [
            (&["model.diffusion_model."][..], Role::UNet),
            (&["first_stage_model.", "vae."], Role::Vae),
            (&["cond_stage_model.", "conditioner.embedders.", "text_encoders."], Role::TextEncoder),
            (&["control_model."], Role::ControlNet),
        ] {
            if prefixes.iter().any(|prefix| self.starts(prefix)) {
                roles.push(role);
            }
        }
        // An adapter published with its base: what people want of it is the ControlNet.
        roles.sort_by_key(|role| *role != Role::ControlNet);
        let shape = match roles.len() {
            0 => return None,
            1 => Shape::ModelFile,
            _ => Shape::SingleFile,
        };
        Some((shape, Names::Original, roles))
    }

    fn one_model(&self) -> Option<Kind> {
        use Names::{Diffusers, Original};
        let (names, role) = if self.starts("input_hint_block.") {
            (Original, Role::ControlNet)
        } else if self.starts("controlnet_cond_embedding.") {
            (Diffusers, Role::ControlNet)
        } else if self.starts("output_blocks.")
            || self.starts("double_blocks.")
            || self.starts("joint_blocks.")
        {
            (Original, Role::UNet)
        } else if self.starts("up_blocks.") && self.starts("time_embedding.") {
            (Diffusers, Role::UNet)
        } else if self.starts("decoder.up.") || self.starts("encoder.down.") {
            (Original, Role::Vae)
        } else if self.starts("decoder.up_blocks.") || self.starts("encoder.down_blocks.") {
            (Diffusers, Role::Vae)
        } else if self.contains("mm_projector.") || self.contains("multi_modal_projector.") {
            (Diffusers, Role::Llava)
        } else if self.starts("model.layers.") && self.starts("model.embed_tokens.") {
            (Diffusers, Role::LanguageModel)
        } else if self.contains("visual.transformer.resblocks.") {
            (Names::OpenClip, Role::ImageEncoder)
        } else if self.contains("embeddings.patch_embedding.weight")
            || self.is_dinov2()
            || self.is_inception()
        {
            (Diffusers, Role::ImageEncoder)
        } else if self.starts("lin0.model.1.") {
            (Diffusers, Role::PerceptualDistance)
        } else if self.contains("embeddings.token_embedding.weight") {
            (Diffusers, Role::TextEncoder)
        } else {
            return None;
        };
        Some((Shape::ModelFile, names, vec![role]))
    }

    fn is_dinov2(&self) -> bool {
        self.contains("embeddings.patch_embeddings.projection.weight") && self.contains(".layer_scale1.")
    }

    fn is_inception(&self) -> bool {
        self.starts("Conv2d_1a_3x3.") && self.starts("Mixed_7c.")
    }

    /// Which of the networks of a role it is, for those whose names tell.
    fn network(&self, role: Role) -> Option<&'static str> {
        match role {
            Role::ImageEncoder if self.contains("visual.transformer.resblocks.") => Some("OpenCLIP"),
            Role::ImageEncoder if self.is_dinov2() => Some("DINOv2"),
            Role::ImageEncoder if self.is_inception() => Some("Inception-v3"),
            // Both call their towers alike; only CLIP has a class token.
            Role::ImageEncoder if self.contains("embeddings.class_embedding") => Some("CLIP"),
            Role::ImageEncoder => Some("SigLIP"),
            Role::PerceptualDistance if self.starts("net.slice1.") => Some("ST-LPIPS"),
            Role::PerceptualDistance => Some("LPIPS, its heads alone"),
            _ => None,
        }
    }

    /// The family, and the tensor that tells it.
    fn base(&self) -> Option<(Base, String)> {
        let told = |info: &TensorInfo| format!("{} {:?}", info.name, info.shape);
        for (part, base) in [
            ("double_blocks.0.img_attn.", Base::Flux),
            ("joint_blocks.0.context_block.", Base::Sd3),
            ("conditioner.embedders.1.", Base::Sdxl),
            ("conditioner.embedders.0.model.", Base::SdxlRefiner),
            ("add_embedding.linear_1.weight", Base::Sdxl),
            ("lora_te2_", Base::Sdxl),
        ] {
            if let Some(info) = self.find(part) {
                return Some((base, told(info)));
            }
        }
        let info = self.file.tensors().iter().find(|info| is_cross_attention(&info.name))?;
        let size = *info.shape.last().filter(|_| info.shape.len() == 2)?;
        Some((Base::of_cross_attention(size as u64), told(info)))
    }

    fn channels(&self) -> Option<u64> {
        let names =
            ["model.diffusion_model.input_blocks.0.0.weight", "input_blocks.0.0.weight", "conv_in.weight"];
        let info = names.iter().find_map(|name| self.file.get(name))?;
        info.shape.get(1).map(|&channels| channels as u64)
    }

    /// Single files seldom tell. Those that were trained for velocity may bear a tensor of that name (a custom of trainers
    /// of anime models); every published SD 1.x says noise.
    fn prediction(&self, base: Option<Base>) -> Option<Prediction> {
        let stated = self.file.metadata().get("modelspec.prediction_type").map(String::as_str);
        match (stated, base) {
            (Some("v"), _) => Some(Prediction::V),
            (Some("epsilon"), _) => Some(Prediction::Epsilon),
            _ if self.file.get("v_pred").is_some() => Some(Prediction::V),
            (_, Some(Base::Sd1)) => Some(Prediction::Epsilon),
            _ => None,
        }
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let averages = self.names().filter(|name| name.starts_with("model_ema.")).count();
        if averages > 0 {
            notes.push(format!(
                "{averages} tensors are a moving average of the UNet (model_ema.*), which is not used"
            ));
        }
        if self.contains(".hada_w1_a") || self.contains(".lokr_w1") {
            notes.push(
                "LoHa or LoKr layers (LyCORIS) are in it, which are no low-rank products of two matrices"
                    .into(),
            );
        }
        notes
    }
}

/// Keys of the attention to the prompt, in each spelling of theirs.
fn is_cross_attention(name: &str) -> bool {
    let key =
        ["attn2.to_k.weight", "attn2.to_k.lora_A.weight", "attn2_to_k.lora_down.weight", "to_k_ip.weight"];
    let old = ["attn2.to_k.lora.down.weight", "attn2.processor.to_k_lora.down.weight"];
    key.iter().chain(&old).any(|end| name.ends_with(end))
}
