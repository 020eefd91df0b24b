//! From a prompt to a picture: the Stable Diffusion pipelines of diffusers over one denoising loop.
//!
//! | what a [`Job`] starts from | diffusers' pipeline |
//! | --- | --- |
//! | [`Start::Noise`] | `StableDiffusionPipeline`, `StableDiffusionControlNetPipeline` |
//! | [`Start::Picture`] | `StableDiffusionImg2ImgPipeline`, `StableDiffusionControlNetImg2ImgPipeline` |
//! | [`Start::Inpaint`] | `StableDiffusionInpaintPipeline`, `StableDiffusionControlNetInpaintPipeline`, UNets of 4 or 9 channels |
//!
//! Every job draws from a generator of its own, in the order of the reference: the posterior of the picture, the noise, the
//! posterior of the masked picture, then what the sampler draws at each step. So a job gives the same picture alone and in
//! a batch, up to the rounding of larger matrix products.

mod decode;
mod denoise;
mod job;
mod latents;
mod pictures;

use candle_core::{DType, Device, Tensor};
use image::RgbImage;

pub use job::{ControlSettings, Job, Settings, Start, Style};

use super::controlnet::MultiControlNet;
use super::ip_adapter::IpAdapter;
use super::unet::UNet2DConditionModel;
use super::vae::Vae;
use crate::clip::prompt::{self, PromptEmbeddings, PromptOptions};
use crate::clip::text::TextEncoder;
use crate::clip::tokenizer::ClipTokenizer;
use crate::schedulers::SchedulerConfig;
use crate::tensors::stray;
use crate::torch_rng::Generator;
use crate::{ModelError, Result};

/// The networks of one base model, and its sampler.
pub struct Pipeline {
    /// Of the text encoder.
    pub tokenizer: ClipTokenizer,
    /// Turns prompts into states that the UNet attends to.
    pub text: TextEncoder,
    /// Predicts the noise.
    pub unet: UNet2DConditionModel,
    /// Between pixels and latents.
    pub vae: VaeStage,
    /// Networks that control the layout; every job has a picture for each.
    pub controls: Option<MultiControlNet>,
    /// Lets a picture guide as a prompt does ([`Job::style`]).
    pub adapter: Option<IpAdapter>,
    /// The sampler.
    pub scheduler: SchedulerConfig,
    /// Where the networks' weights are.
    pub device: Device,
    /// The type of the UNet's weights, in which all work is done.
    pub dtype: DType,
}

/// The VAE: kept in memory, or loaded when it is needed and freed while the UNet runs.
pub enum VaeStage {
    /// Always there.
    Kept(Box<Vae>),
    /// Loaded anew for every use.
    OnDemand(Box<dyn Fn() -> Result<Vae> + Send + Sync>),
}

impl VaeStage {
    fn with<R>(&self, work: impl FnOnce(&Vae) -> Result<R>) -> Result<R> {
        match self {
            Self::Kept(vae) => work(vae),
            Self::OnDemand(load) => work(&load()?),
        }
    }
}

/// What the caller sees after every step.
pub struct Progress<'a> {
    /// Steps done, from 1.
    pub done: usize,
    /// Steps in all.
    pub total: usize,
    /// `(jobs, 4, height / 8, width / 8)` after the step.
    pub latents: &'a Tensor,
}

/// What a run gives.
pub struct Rendered {
    /// One for each job, of the size of [`Settings`].
    pub pictures: Vec<RgbImage>,
    /// What the caller should be told: prompts that were cut into chunks.
    pub notes: Vec<String>,
}

impl Pipeline {
    /// Renders a batch. `watch` is called after every step; an error from it ends the run.
    ///
    /// # Errors
    /// [`ModelError::Input`] for jobs and settings that do not fit each other or the networks,
    /// what `watch` returns, and failures of the device.
    pub fn render(
        &self,
        jobs: &[Job],
        settings: &Settings,
        watch: &mut dyn FnMut(&Progress) -> Result<()>,
    ) -> Result<Rendered> {
        let (latents, notes) = self.latents(jobs, settings, watch)?;
        let pictures = self.vae.with(|vae| decode::pictures(vae, &latents))?;
        Ok(Rendered { pictures, notes })
    }

    /// As [`Pipeline::render`], up to the latents that the VAE would decode, and the notes.
    ///
    /// # Errors
    /// As [`Pipeline::render`].
    pub fn latents(
        &self,
        jobs: &[Job],
        settings: &Settings,
        watch: &mut dyn FnMut(&Progress) -> Result<()>,
    ) -> Result<(Tensor, Vec<String>)> {
        job::check(self, jobs, settings)?;
        let text = self.embed(jobs, settings)?;
        let mut noise: Vec<Generator> =
            jobs.iter().map(|j| Generator::new(settings.generator, j.seed)).collect();
        let mut scheduler = self.scheduler.build()?;
        scheduler.set_timesteps(settings.steps)?;
        let first = settings.first_step()?;
        let start = self
            .vae
            .with(|vae| latents::prepare(self, vae, jobs, settings, &*scheduler, first, &mut noise))?;
        let run = denoise::Run { pipeline: self, settings, jobs, text: &text, start: &start, first };
        let latents = run.denoise(&mut *scheduler, &mut noise, watch)?;
        check_finite("the latents after the last step", &latents)?;
        Ok((latents, text.notes))
    }

    /// Whether the UNet is asked twice a step. One that was distilled with guidance is told its scale instead.
    fn guided(&self, settings: &Settings) -> bool {
        settings.guidance > 1.0 && self.unet.config().encoder.time_cond_dim.is_none()
    }

    fn embed(&self, jobs: &[Job], settings: &Settings) -> Result<PromptEmbeddings> {
        let prompts: Vec<&str> = jobs.iter().map(|job| job.prompt.as_str()).collect();
        let negatives: Vec<&str> = match self.guided(settings) {
            true => jobs.iter().map(|job| job.negative.as_str()).collect(),
            false => Vec::new(),
        };
        let options = PromptOptions { long: settings.long_prompts, clip_skip: settings.clip_skip };
        prompt::encode(&self.tokenizer, &self.text, &prompts, &negatives, options)
    }
}

/// A picture of NaN would be black, and look as if it had been meant.
fn check_finite(what: &'static str, tensor: &Tensor) -> Result<()> {
    if stray(tensor)?.is_none() {
        return Ok(());
    }
    // Weights are checked when they are loaded, so it is the arithmetic.
    let mend = "use float32 (float16 ends at 65504), less guidance, or another sampler";
    Err(ModelError::Numerical { what, mend })
}
