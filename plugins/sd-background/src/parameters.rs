//! What a user can set. The defaults are the paper's.

use std::path::PathBuf;

use adeval_candle::Precision;
use adeval_models::schedulers::NAMES;
use adeval_sdk::{PluginError, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A LoRA and how strongly it acts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LoraFile {
    /// A path.
    pub file: String,
    /// Factor of its change; 1 as it was trained.
    #[serde(default = "whole")]
    #[schemars(range(min = -4.0, max = 4.0))]
    pub strength: f64,
}

const fn whole() -> f64 {
    1.0
}

/// Parameters of `sd-background`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Parameters {
    /// Stable Diffusion 1.5 in any layout: a diffusers folder, a .safetensors or .ckpt file, or a hub id in the cache.
    pub checkpoint: Option<String>,
    /// ControlNets for Canny edges, as paths or hub ids in the cache; none leaves the outline to the mask alone.
    #[schemars(length(max = 4))]
    pub control_nets: Vec<String>,
    /// A diffusers folder, weights or not, with configurations, tokenizer and scheduler for a single file; without it the file is
    /// read as Stable Diffusion 1.5 as published.
    pub config: Option<String>,
    /// A folder with CLIP's vocabulary and merges, for single files, which have none.
    pub tokenizer: Option<String>,
    /// Another VAE than the checkpoint's.
    pub vae: Option<String>,
    /// LoRA files, fused into the weights.
    #[schemars(length(max = 16))]
    pub loras: Vec<LoraFile>,
    /// An IP-Adapter, with which backgrounds follow `style`.
    pub ip_adapter: Option<String>,
    /// CLIP's image encoder for the IP-Adapter.
    pub image_encoder: Option<String>,
    /// A sample picture that all backgrounds follow.
    pub style: Option<PathBuf>,
    /// How strongly they do.
    #[schemars(range(min = 0.0, max = 2.0))]
    pub style_scale: f64,
    /// The sampler: euler-ancestral, euler, ddim, pndm, dpmpp-2m, dpmpp-2m-karras, dpmpp-2m-sde, dpmpp-2m-sde-karras,
    /// dpmpp-sde, dpmpp-sde-karras, unipc or lcm.
    pub sampler: String,
    /// Steps, where a request names none.
    #[schemars(range(min = 1, max = 1000))]
    pub steps: u32,
    /// Classifier-free guidance, where a request names none; up to 1 there is none.
    #[schemars(range(min = 0.0, max = 50.0))]
    pub guidance: f64,
    /// Factor of the ControlNets' residuals, where a request names none.
    #[schemars(range(min = 0.0, max = 4.0))]
    pub control_strength: f64,
    /// What that factor is multiplied with at the last step, linear in between: below 1 the control fades.
    #[schemars(range(min = 0.0, max = 4.0))]
    pub control_fade: f64,
    /// Share of the steps after which the control acts.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub control_start: f64,
    /// Share of the steps up to which it acts.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub control_end: f64,
    /// ControlNets act on the guided half alone, more gently at fine scales.
    pub guess_mode: bool,
    /// How much of the steps is gone through: below 1 the picture starts from the product over black.
    #[schemars(range(min = 0.01, max = 1.0))]
    pub strength: f64,
    /// Layers of the text encoder that are left out at its end.
    #[schemars(range(min = 0, max = 11))]
    pub clip_skip: u32,
    /// Share of the canvas that the product's longer side takes.
    #[schemars(range(min = 0.05, max = 1.0))]
    pub product_share: f64,
    /// Side in pixels of the square with which the painted area is dilated over the product's edge; 0 or 1 for none.
    #[schemars(range(min = 0, max = 256))]
    pub mask_dilation: u32,
    /// Pixels by which the kept area is grown after that (negative: shrunk), against products that outgrow their outline.
    #[schemars(range(min = -128, max = 128))]
    pub mask_rim: i32,
    /// Softness in pixels of the paste, inside the product's outline.
    #[schemars(range(min = 0, max = 64))]
    pub paste_feather: u32,
    /// Pictures that are at most drawn of a creative. With more than one, each is segmented again (U2-Net-p), and the one in which
    /// the product keeps best to its outline is taken; each attempt costs as much as the first.
    #[schemars(range(min = 1, max = 16))]
    pub attempts: u32,
    /// Penalty (outgrowth + erosion, in areas of the product) up to which an attempt is good enough to be the last.
    #[schemars(range(min = 0.0, max = 10.0))]
    pub penalty_limit: f64,
    /// Creatives that go through the network together, where their sizes and settings are the same: for GPUs, which have room for
    /// several. On processors it saves nothing.
    #[schemars(range(min = 1, max = 64))]
    pub batch: u32,
    /// The type of the weights while they are used.
    pub precision: Precision,
    /// `fp16` to load a folder's files of that variant.
    pub variant: Option<String>,
    /// Free the VAE while the UNet runs: less memory, a slower start of each picture.
    pub free_vae: bool,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            checkpoint: None,
            control_nets: Vec::new(),
            config: None,
            tokenizer: None,
            vae: None,
            loras: Vec::new(),
            ip_adapter: None,
            image_encoder: None,
            style: None,
            style_scale: 0.6,
            sampler: "euler-ancestral".to_owned(),
            steps: 30,
            guidance: 7.5,
            control_strength: 1.0,
            control_fade: 1.0,
            control_start: 0.0,
            control_end: 1.0,
            guess_mode: false,
            strength: 1.0,
            clip_skip: 0,
            product_share: 0.78,
            mask_dilation: 20,
            mask_rim: 0,
            paste_feather: 0,
            attempts: 1,
            penalty_limit: 0.0,
            batch: 1,
            precision: Precision::Auto,
            variant: None,
            free_vae: false,
        }
    }
}

impl Parameters {
    /// Checks the ranges that the schema states, for callers that come without it, and what depends on each other.
    ///
    /// # Errors
    /// `InvalidParameters`, naming the parameter.
    pub fn validate(&self) -> Result<()> {
        let ranges = [
            ("style_scale", self.style_scale, 0.0, 2.0),
            ("steps", f64::from(self.steps), 1.0, 1000.0),
            ("guidance", self.guidance, 0.0, 50.0),
            ("control_strength", self.control_strength, 0.0, 4.0),
            ("control_fade", self.control_fade, 0.0, 4.0),
            ("control_start", self.control_start, 0.0, 1.0),
            ("control_end", self.control_end, 0.0, 1.0),
            ("strength", self.strength, 0.01, 1.0),
            ("clip_skip", f64::from(self.clip_skip), 0.0, 11.0),
            ("product_share", self.product_share, 0.05, 1.0),
            ("mask_dilation", f64::from(self.mask_dilation), 0.0, 256.0),
            ("mask_rim", f64::from(self.mask_rim), -128.0, 128.0),
            ("paste_feather", f64::from(self.paste_feather), 0.0, 64.0),
            ("attempts", f64::from(self.attempts), 1.0, 16.0),
            ("penalty_limit", self.penalty_limit, 0.0, 10.0),
            ("batch", f64::from(self.batch), 1.0, 64.0),
        ];
        if let Some((name, value, low, high)) =
            ranges.into_iter().find(|(_, value, low, high)| !(low..=high).contains(&value))
        {
            let message = format!("{name} is {value}: it must be between {low} and {high}");
            return Err(PluginError::invalid_parameters(message));
        }
        if self.control_start >= self.control_end {
            let (start, end) = (self.control_start, self.control_end);
            let message =
                format!("control_start is {start} and control_end {end}: the start must be below the end");
            return Err(PluginError::invalid_parameters(message));
        }
        if !NAMES.contains(&self.sampler.as_str()) {
            let message = format!("sampler is \"{}\": it must be one of {}", self.sampler, NAMES.join(", "));
            return Err(PluginError::invalid_parameters(message));
        }
        if self.ip_adapter.is_some() != self.style.is_some() {
            let message = "ip_adapter and style go together: name both, or neither";
            return Err(PluginError::invalid_parameters(message));
        }
        match self.loras.iter().find(|lora| !(-4.0..=4.0).contains(&lora.strength)) {
            Some(lora) => Err(PluginError::invalid_parameters(format!(
                "the strength of {} is {}: it must be between -4 and 4",
                lora.file, lora.strength
            ))),
            None => Ok(()),
        }
    }
}
