//! The loop: guidance, control, one step of the sampler after another.

use candle_core::Tensor;

use super::latents::{Inpainting, Masked, Prepared};
use super::{Job, Pipeline, Progress, Settings, pictures};
use crate::clip::prompt::PromptEmbeddings;
use crate::schedulers::Scheduler;
use crate::stable_diffusion::controlnet::{Control, ControlResiduals};
use crate::stable_diffusion::ip_adapter::ImagePrompt;
use crate::stable_diffusion::time_embedding::sinusoids;
use crate::stable_diffusion::unet::Conditions;
use crate::torch_rng::Generator;
use crate::{ModelError, Result};

/// One run of a batch.
pub struct Run<'a> {
    pub pipeline: &'a Pipeline,
    pub settings: &'a Settings,
    pub jobs: &'a [Job],
    pub text: &'a PromptEmbeddings,
    pub start: &'a Prepared,
    pub first: usize,
}

/// What is the same at every step.
struct Fixed {
    /// `(jobs, ...)`, or twice as many with the negative ones first.
    text: Tensor,
    controls: Vec<Tensor>,
    images: Vec<ImagePrompt>,
    /// Mask and masked latents of a UNet of 9 channels.
    channels: Option<Tensor>,
    /// The guidance scale, for a UNet that was distilled with it.
    guidance: Option<Tensor>,
}

impl Run<'_> {
    pub fn denoise(
        &self,
        scheduler: &mut dyn Scheduler,
        noise: &mut Vec<Generator>,
        watch: &mut dyn FnMut(&Progress) -> Result<()>,
    ) -> Result<Tensor> {
        let fixed = self.fixed()?;
        let timesteps = scheduler.timesteps().to_vec();
        let total = timesteps.len() - self.first;
        let mut latents = self.start.latents.clone();
        for (step, index) in (self.first..timesteps.len()).enumerate() {
            let input = scheduler.scale_model_input(&latents, index)?;
            let prediction = self.predict(&input, timesteps[index], step, total, &fixed)?;
            latents = scheduler.step(&prediction, index, &latents, noise)?.prev_sample;
            if let Some(masked) = &self.start.mask {
                let next = (index + 1 < timesteps.len()).then_some(index + 1);
                latents = put_back(masked, &latents, scheduler, next)?;
            }
            watch(&Progress { done: step + 1, total, latents: &latents })?;
        }
        Ok(latents)
    }

    fn guided(&self) -> bool {
        self.pipeline.guided(self.settings)
    }

    /// In the networks' type and on their device.
    fn fitted(&self, tensor: &Tensor) -> Result<Tensor> {
        Ok(tensor.to_device(&self.pipeline.device)?.to_dtype(self.pipeline.dtype)?)
    }

    /// Twice, where there is guidance.
    fn doubled(&self, tensor: &Tensor) -> Result<Tensor> {
        if self.guided() { Ok(Tensor::cat(&[tensor, tensor], 0)?) } else { Ok(tensor.clone()) }
    }

    fn fixed(&self) -> Result<Fixed> {
        let text = match &self.text.negative {
            Some(negative) => Tensor::cat(&[negative, &self.text.positive], 0)?,
            None => self.text.positive.clone(),
        };
        let channels = match &self.start.mask {
            Some(Masked { mask, how: Inpainting::Channels(masked) }) => {
                Some(self.doubled(&Tensor::cat(&[mask, masked], 1)?)?)
            }
            _ => None,
        };
        let text = self.fitted(&text)?;
        let (controls, images, guidance) = (self.controls()?, self.images()?, self.guidance()?);
        Ok(Fixed { text, controls, images, channels, guidance })
    }

    /// `(jobs, time_cond_dim)`: the sinusoids of 1000 times the scale less one, as in Luo et al., "Latent Consistency Models"
    /// (2023), and diffusers' `get_guidance_scale_embedding`.
    fn guidance(&self) -> Result<Option<Tensor>> {
        let Some(width) = self.pipeline.unet.config().encoder.time_cond_dim else { return Ok(None) };
        let scales = vec![1000.0 * (self.settings.guidance - 1.0); self.jobs.len()];
        sinusoids(&scales, width, false, 1.0, &self.pipeline.device).map(Some)
    }

    /// The control pictures of each network, embedded once.
    fn controls(&self) -> Result<Vec<Tensor>> {
        let Some(controls) = &self.pipeline.controls else { return Ok(Vec::new()) };
        let embed = |(i, net): (usize, &crate::stable_diffusion::controlnet::ControlNetModel)| {
            let batch: Vec<_> = self.jobs.iter().filter_map(|job| job.controls.get(i)).collect();
            let picture = self.fitted(&pictures::unit(&batch)?)?;
            let picture = net.embed(&picture)?;
            if self.guesses() { Ok(picture) } else { self.doubled(&picture) }
        };
        controls.nets().iter().enumerate().map(embed).collect()
    }

    /// Whether ControlNets see the guided half alone: in guess mode, and where their residuals are pooled.
    fn guesses(&self) -> bool {
        let pooled = self.pipeline.controls.as_ref().and_then(|c| c.nets().first());
        (self.settings.guess_mode || pooled.is_some_and(|net| net.config().global_pool)) && self.guided()
    }

    fn images(&self) -> Result<Vec<ImagePrompt>> {
        let styles: Vec<_> = self.jobs.iter().filter_map(|job| job.style.as_ref()).collect();
        let Some(adapter) = self.pipeline.adapter.as_ref().filter(|_| !styles.is_empty()) else {
            return Ok(Vec::new());
        };
        let mut embeds: Vec<&Tensor> = Vec::new();
        if self.guided() {
            embeds.extend(styles.iter().map(|s| &s.unconditional));
        }
        embeds.extend(styles.iter().map(|s| &s.embeds));
        let embeds = self.fitted(&Tensor::cat(&embeds, 0)?)?;
        Ok(vec![adapter.prompt(&embeds, self.settings.style_scale)?])
    }

    /// The UNet's prediction after guidance.
    fn predict(&self, input: &Tensor, time: f64, step: usize, total: usize, fixed: &Fixed) -> Result<Tensor> {
        let doubled = self.doubled(input)?;
        let residuals = self.residuals(input, &doubled, time, (step, total), fixed)?;
        let sample = match &fixed.channels {
            Some(channels) => Tensor::cat(&[&doubled, channels], 1)?,
            None => doubled,
        };
        let conditions = Conditions {
            residuals: residuals.as_ref(),
            images: &fixed.images,
            guidance: fixed.guidance.as_ref(),
        };
        let prediction = self.pipeline.unet.forward(&sample, &[time], &fixed.text, conditions)?;
        if !self.guided() {
            return Ok(prediction);
        }
        let halves = prediction.chunk(2, 0)?;
        let [negative, positive] = &halves[..] else { return Err(halved(&prediction)) };
        Ok((negative + ((positive - negative)? * self.settings.guidance)?)?)
    }

    fn residuals(
        &self,
        input: &Tensor,
        doubled: &Tensor,
        time: f64,
        (step, total): (usize, usize),
        fixed: &Fixed,
    ) -> Result<Option<ControlResiduals>> {
        let Some(controls) = &self.pipeline.controls else { return Ok(None) };
        let guess = self.settings.guess_mode;
        let strengths: Vec<Control> =
            self.settings.controls.iter().map(|c| Control { scale: c.at(step, total), guess }).collect();
        if !self.guesses() {
            return controls.forward(doubled, &[time], &fixed.text, &fixed.controls, &strengths);
        }
        let halves = fixed.text.chunk(2, 0)?;
        let Some(positive) = halves.get(1) else { return Err(halved(&fixed.text)) };
        let residuals =
            controls.forward(input, &[time], &positive.contiguous()?, &fixed.controls, &strengths)?;
        residuals.map(|r| r.after_zeros()).transpose()
    }
}

fn halved(tensor: &Tensor) -> ModelError {
    ModelError::Input {
        found: format!("a batch {:?}", tensor.dims()),
        expected: "an even batch under guidance",
    }
}

/// Puts the kept part back, with the noise of step `next`, or without any at the end.
fn put_back(
    masked: &Masked,
    latents: &Tensor,
    scheduler: &dyn Scheduler,
    next: Option<usize>,
) -> Result<Tensor> {
    let Inpainting::Blend { picture, noise } = &masked.how else { return Ok(latents.clone()) };
    let kept = match next {
        Some(index) => scheduler.add_noise(picture, noise, index)?,
        None => picture.clone(),
    };
    let mask = &masked.mask;
    Ok((kept.broadcast_mul(&mask.affine(-1.0, 1.0)?)? + latents.broadcast_mul(mask)?)?)
}
