//! What is asked of a pipeline, and whether it can be done.

use candle_core::Tensor;
use image::{GrayImage, RgbImage};

use super::Pipeline;
use crate::clip::prompt::LongPrompt;
use crate::torch_rng::Device;
use crate::{ModelError, Result};

/// One picture to make.
#[derive(Debug, Clone)]
pub struct Job {
    /// What it should show.
    pub prompt: String,
    /// What it should not show.
    pub negative: String,
    /// All its randomness.
    pub seed: u64,
    /// What it starts from.
    pub start: Start,
    /// One picture for each ControlNet, of the size of the result.
    pub controls: Vec<RgbImage>,
    /// A picture to follow, through an IP-Adapter.
    pub style: Option<Style>,
}

/// What a picture is made from. All jobs of a batch start from the same kind.
#[derive(Debug, Clone)]
pub enum Start {
    /// Nothing but noise.
    Noise,
    /// A picture of the size of the result, which is changed as much as [`Settings::strength`] says.
    Picture(RgbImage),
    /// A picture, of which the part is made anew where the mask is at least 128. Both of the size of the result.
    Inpaint {
        /// What is there.
        picture: RgbImage,
        /// White where it is made anew.
        mask: GrayImage,
    },
}

/// An encoded picture for an IP-Adapter.
#[derive(Debug, Clone)]
pub struct Style {
    /// `(1, dimension)` or `(1, tokens, dimension)`, as [`IpAdapter::wants`](crate::stable_diffusion::ip_adapter::IpAdapter::wants).
    pub embeds: Tensor,
    /// The same of no picture, for the unguided half.
    pub unconditional: Tensor,
}

/// How one ControlNet acts over the steps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ControlSettings {
    /// Factor of its residuals (diffusers' `controlnet_conditioning_scale`).
    pub scale: f64,
    /// What the factor is multiplied with at the last step; in between it changes linearly. 1 keeps it, as diffusers does.
    pub fade: f64,
    /// The share of the steps after which it acts, from 0 to 1.
    pub start: f64,
    /// The share of the steps up to which it acts, above `start` and at most 1.
    pub end: f64,
}

impl Default for ControlSettings {
    fn default() -> Self {
        Self { scale: 1.0, fade: 1.0, start: 0.0, end: 1.0 }
    }
}

impl ControlSettings {
    /// The factor at `step` of `steps`; 0 where it does not act.
    pub fn at(&self, step: usize, steps: usize) -> f64 {
        if !crate::stable_diffusion::controlnet::acts(step, steps, self.start, self.end) {
            return 0.0;
        }
        let along = if steps > 1 { step as f64 / (steps - 1) as f64 } else { 0.0 };
        self.scale * (1.0 + (self.fade - 1.0) * along)
    }
}

/// What all pictures of a batch have in common.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Width in pixels, a multiple of 8.
    pub width: u32,
    /// Height in pixels, a multiple of 8.
    pub height: u32,
    /// Steps of the sampler.
    pub steps: usize,
    /// Classifier-free guidance; up to 1 there is none, and the negative prompt has no effect. A UNet that was distilled with
    /// guidance (LCM) is told the scale, and knows no negative prompt either.
    pub guidance: f64,
    /// How much of the steps a start from a picture goes through, above 0 and at most 1.
    pub strength: f64,
    /// One for each ControlNet.
    pub controls: Vec<ControlSettings>,
    /// ControlNets act on the guided half only, and more gently at fine scales.
    pub guess_mode: bool,
    /// What is done with prompts that are too long.
    pub long_prompts: LongPrompt,
    /// Layers of the text encoder that are left out at its end.
    pub clip_skip: usize,
    /// Weight of [`Job::style`].
    pub style_scale: f64,
    /// Whose random numbers are drawn: those of PyTorch's CPU generator, or of its CUDA generator.
    pub generator: Device,
}

impl Default for Settings {
    /// The paper's: 512x512, 30 steps, guidance 7.5, the noise of a CPU generator.
    fn default() -> Self {
        Self {
            width: 512,
            height: 512,
            steps: 30,
            guidance: 7.5,
            strength: 1.0,
            controls: Vec::new(),
            guess_mode: false,
            long_prompts: LongPrompt::Chunk,
            clip_skip: 0,
            style_scale: 1.0,
            generator: Device::Cpu,
        }
    }
}

impl Settings {
    /// The step that a start from a picture begins with (diffusers' `get_timesteps`, which counts the steps asked for and
    /// not those of the schedule: PNDM has one more).
    pub(super) fn first_step(&self) -> Result<usize> {
        let steps = self.steps;
        // Towards zero, as Python's int does.
        let taken = ((steps as f64 * self.strength) as usize).min(steps);
        if taken == 0 {
            return Err(refuse(
                format!("a strength of {} in {steps} steps, which leaves no step", self.strength),
                "a strength of at least 1 / steps",
            ));
        }
        Ok(steps - taken)
    }

    pub(super) fn latent_size(&self, factor: usize) -> (usize, usize) {
        (self.height as usize / factor, self.width as usize / factor)
    }
}

fn refuse(found: String, expected: &'static str) -> ModelError {
    ModelError::Input { found, expected }
}

/// Checks everything that can be checked before a network runs.
pub(super) fn check(pipeline: &Pipeline, jobs: &[Job], settings: &Settings) -> Result<()> {
    if jobs.is_empty() {
        return Err(refuse("no job".to_owned(), "at least one"));
    }
    let (width, height) = (settings.width, settings.height);
    if width == 0 || height == 0 || !width.is_multiple_of(8) || !height.is_multiple_of(8) {
        let near = |side: u32| side.div_ceil(8).max(1) * 8;
        return Err(refuse(
            format!(
                "a picture of {width}x{height} pixels (the next that fits is {}x{})",
                near(width),
                near(height)
            ),
            "sides that are multiples of 8",
        ));
    }
    if !(settings.strength > 0.0 && settings.strength <= 1.0) {
        return Err(refuse(
            format!("a strength of {}", settings.strength),
            "a strength above 0 and at most 1",
        ));
    }
    let nets = pipeline.controls.as_ref().map_or(0, |c| c.nets().len());
    if settings.controls.len() != nets {
        let found = format!("settings for {} ControlNets and {nets} of them", settings.controls.len());
        return Err(refuse(found, "one setting for each"));
    }
    settings.controls.iter().try_for_each(check_control)?;
    let styled = jobs[0].style.is_some();
    if styled && pipeline.adapter.is_none() {
        return Err(refuse(
            "a picture to follow and no IP-Adapter".to_owned(),
            "an IP-Adapter for this base model",
        ));
    }
    jobs.iter().try_for_each(|job| {
        if std::mem::discriminant(&job.start) != std::mem::discriminant(&jobs[0].start)
            || job.style.is_some() != styled
        {
            return Err(refuse(
                "a batch of different kinds of jobs".to_owned(),
                "jobs with the same kind of start and style",
            ));
        }
        check_job(job, settings, nets, pipeline.unet.config().encoder.in_channels)
    })
}

fn check_control(control: &ControlSettings) -> Result<()> {
    let ControlSettings { scale, fade, start, end } = *control;
    if !(scale.is_finite() && fade.is_finite()) {
        return Err(refuse(format!("a control scale of {scale} with a fade of {fade}"), "finite numbers"));
    }
    if start >= 0.0 && start < end && end <= 1.0 {
        return Ok(());
    }
    Err(refuse(format!("control from {start} to {end} of the steps"), "0 <= start < end <= 1"))
}

fn check_job(job: &Job, settings: &Settings, nets: usize, channels: usize) -> Result<()> {
    let size = (settings.width, settings.height);
    if job.controls.len() != nets {
        let found = format!("{} control pictures for {nets} ControlNets", job.controls.len());
        return Err(refuse(found, "one picture for each ControlNet"));
    }
    let mut sizes: Vec<(u32, u32)> = job.controls.iter().map(RgbImage::dimensions).collect();
    match &job.start {
        Start::Noise => {}
        Start::Picture(picture) => sizes.push(picture.dimensions()),
        Start::Inpaint { picture, mask } => sizes.extend([picture.dimensions(), mask.dimensions()]),
    }
    if let Some((width, height)) = sizes.into_iter().find(|&s| s != size) {
        let found = format!("a picture of {width}x{height} for a result of {}x{}", size.0, size.1);
        return Err(refuse(found, "pictures, masks and control pictures of the result's size"));
    }
    match (channels, &job.start) {
        (9, Start::Inpaint { .. }) | (4, _) => Ok(()),
        (9, _) => Err(refuse(
            "an inpainting UNet (9 input channels) without a mask".to_owned(),
            "a start with a picture and a mask, or a UNet of 4 input channels",
        )),
        (n, _) => Err(refuse(
            format!("a UNet of {n} input channels"),
            "4 channels (the latent), or 9 (the latent, the mask and the masked picture's latent)",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_acts_within_its_share_of_the_steps_and_fades() {
        let control = ControlSettings { scale: 2.0, fade: 0.0, start: 0.0, end: 1.0 };
        let factors: Vec<f64> = (0..5).map(|i| control.at(i, 5)).collect();
        assert_eq!(factors, [2.0, 1.5, 1.0, 0.5, 0.0]);
        let half = ControlSettings { end: 0.5, ..ControlSettings::default() };
        assert_eq!((0..4).map(|i| half.at(i, 4)).collect::<Vec<_>>(), [1.0, 1.0, 0.0, 0.0]);
        assert_eq!(ControlSettings::default().at(0, 1), 1.0);
    }

    #[test]
    fn the_first_step_follows_the_strength_and_one_is_left() {
        let at = |strength| Settings { strength, ..Settings::default() }.first_step();
        assert_eq!(at(1.0).expect("all"), 0);
        assert_eq!(at(0.5).expect("half"), 15);
        assert_eq!(at(0.99).expect("int(29.7) are taken"), 1);
        let error = at(0.01).expect_err("none is left").to_string();
        assert!(error.contains("leaves no step"), "{error}");
    }
}
