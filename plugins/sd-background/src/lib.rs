//! Reference plugin of adeval: `sd-background` paints a background around a product with Stable Diffusion 1.5, ControlNet
//! and inpainting, the background generator of CAIG (arXiv 2502.06823).
//!
//! The defaults are the paper's: the product at 0.78 of the canvas, Canny edges of it as control, everything outside of
//! it painted anew, Euler ancestral with 30 steps and guidance 7.5, the product's own pixels pasted at the end. Unlike the
//! paper, which starts every picture from seed 42, each request has a seed of its own.
//!
//! No weights come with it: `checkpoint` and `control_nets` name local paths, or hub ids that `adeval models pull` fetched.

mod canvas;
mod device;
mod error;
mod parameters;

pub use parameters::{LoraFile, Parameters, Precision};

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use adeval_checkpoints::Hub;
use adeval_models::ModelError;
use adeval_models::stable_diffusion::assemble::{Assembled, Parts, assemble};
use adeval_models::stable_diffusion::pipeline::{ControlSettings, Job, Progress, Settings, Start, Style};
use adeval_sdk::{
    BackgroundGenerator, BackgroundRequest, CallContext, Component, ComponentInfo, Creative, Environment,
    ErrorKind, PluginError, Result, export_plugin,
};
use canvas::Canvas;
use error::plugin_error;

/// The component.
pub struct SdBackground {
    parameters: Parameters,
    /// One picture at a time: the network takes all cores, or the whole card.
    assembled: Mutex<Assembled>,
    style: Option<Style>,
}

impl Component for SdBackground {
    type Parameters = Parameters;

    fn info() -> ComponentInfo {
        let mut info = ComponentInfo::new(
            "sd-background",
            "Stable Diffusion 1.5 with ControlNet inpainting around the product, as in CAIG",
        )
        .weights(
            "none inside: parameters checkpoint and control_nets name local paths or hub ids, e.g. \
             stable-diffusion-v1-5/stable-diffusion-v1-5 and lllyasviel/control_v11p_sd15_canny, under the licences of their \
             authors",
        );
        info.devices.extend(device::extra());
        info
    }

    fn create(parameters: Parameters, environment: &Environment) -> Result<Self> {
        Self::create_watched(parameters, environment, &CallContext::detached())
    }

    fn create_watched(
        parameters: Parameters,
        environment: &Environment,
        cx: &CallContext<'_>,
    ) -> Result<Self> {
        parameters.validate()?;
        let device = device::open(&environment.device)?;
        if device.is_cpu() && parameters.precision == Precision::Bf16 {
            let message = "precision is bf16, which processors do not multiply here: use f32, or f16 for half the memory";
            return Err(PluginError::invalid_parameters(message));
        }
        let parts = parts(&parameters, environment.weights.as_ref())?;
        cx.progress(0.0, &format!("loading {}", parts.checkpoint.display()));
        cx.check()?;
        let assembled = assemble(&parts, &device, parameters.precision.on(&device)).map_err(plugin_error)?;
        for note in &assembled.notes {
            cx.progress(0.9, note);
        }
        let style = style(&parameters, &assembled)?;
        Ok(Self { parameters, assembled: Mutex::new(assembled), style })
    }
}

/// Where everything is: paths as they are, hub ids in the cache.
fn parts(parameters: &Parameters, weights: Option<&PathBuf>) -> Result<Parts> {
    let hub = Hub::from_env();
    let find = |name: &String| hub.find(name).map_err(|e| plugin_error(e.into()));
    let all = |names: &[String]| names.iter().map(find).collect::<Result<Vec<_>>>();
    let checkpoint = match (&parameters.checkpoint, weights) {
        (Some(name), _) => find(name)?,
        (None, Some(path)) => path.clone(),
        (None, None) => {
            return Err(PluginError::new(
                ErrorKind::MissingWeights,
                "sd-background has no weights of its own, and no checkpoint is named",
            )
            .with_hint(
                "set the parameter checkpoint to a Stable Diffusion 1.5 checkpoint: a folder, a file, or a hub id that `adeval \
                 models pull` fetched",
            ));
        }
    };
    let loras = parameters.loras.iter().map(|lora| Ok((find(&lora.file)?, lora.strength)));
    Ok(Parts {
        checkpoint,
        tokenizer: parameters.tokenizer.as_ref().map(find).transpose()?,
        vae: parameters.vae.as_ref().map(find).transpose()?,
        controls: all(&parameters.control_nets)?,
        loras: loras.collect::<Result<_>>()?,
        adapter: parameters.ip_adapter.as_ref().map(find).transpose()?,
        image_encoder: parameters.image_encoder.as_ref().map(find).transpose()?,
        sampler: Some(parameters.sampler.clone()),
        variant: parameters.variant.clone(),
        free_vae: parameters.free_vae,
    })
}

/// The sample picture that all backgrounds follow.
fn style(parameters: &Parameters, assembled: &Assembled) -> Result<Option<Style>> {
    let (Some(path), Some(encoder)) = (&parameters.style, &assembled.styles) else { return Ok(None) };
    let picture = image::open(path).map_err(|e| {
        PluginError::invalid_parameters(format!("style {}: {e}", path.display()))
            .with_hint("give a PNG, JPEG or WebP picture")
    })?;
    encoder.encode(&picture.into_rgb8()).map(Some).map_err(plugin_error)
}

impl BackgroundGenerator for SdBackground {
    fn generate(&self, request: &BackgroundRequest, cx: &CallContext<'_>) -> Result<Creative> {
        request.validate()?;
        let canvas = Canvas::new(request, &self.parameters)?;
        let (job, settings) = (self.job(request, &canvas), self.settings(request, &canvas));
        // A panic while the lock was held left nothing half done: the pipeline is not changed by a run.
        let assembled = self.assembled.lock().unwrap_or_else(PoisonError::into_inner);
        let mut stopped = None;
        let mut watch = |progress: &Progress<'_>| {
            let fraction = progress.done as f32 / progress.total as f32;
            cx.progress(fraction, &format!("step {} of {}", progress.done, progress.total));
            cx.check().map_err(|error| {
                stopped = Some(error);
                ModelError::Stopped
            })
        };
        cx.check()?;
        let rendered = assembled.pipeline.render(&[job], &settings, &mut watch);
        let rendered = rendered.map_err(|error| stopped.take().unwrap_or_else(|| plugin_error(error)))?;
        for note in &rendered.notes {
            cx.progress(1.0, note);
        }
        let picture = rendered.pictures.into_iter().next().ok_or_else(|| {
            PluginError::new(ErrorKind::Other, "the pipeline gave no picture for a request")
        })?;
        canvas.finish(&picture)
    }
}

impl SdBackground {
    fn job(&self, request: &BackgroundRequest, canvas: &Canvas) -> Job {
        let control = canvas.control();
        Job {
            prompt: request.prompt.clone(),
            negative: request.negative_prompt.clone(),
            seed: request.seed,
            start: Start::Inpaint { picture: canvas.picture(), mask: canvas.mask() },
            controls: vec![control; self.parameters.control_nets.len()],
            style: self.style.clone(),
        }
    }

    fn settings(&self, request: &BackgroundRequest, canvas: &Canvas) -> Settings {
        let parameters = &self.parameters;
        let (width, height) = canvas.size();
        let control = ControlSettings {
            scale: request.control_strength.unwrap_or(parameters.control_strength),
            fade: parameters.control_fade,
            start: parameters.control_start,
            end: parameters.control_end,
        };
        Settings {
            width,
            height,
            steps: request.steps.unwrap_or(parameters.steps) as usize,
            guidance: request.guidance.unwrap_or(parameters.guidance),
            strength: parameters.strength,
            controls: vec![control; parameters.control_nets.len()],
            guess_mode: parameters.guess_mode,
            clip_skip: parameters.clip_skip as usize,
            style_scale: parameters.style_scale,
            ..Settings::default()
        }
    }
}

export_plugin! { background_generator: [SdBackground] }
