//! Reference plugin of adeval: `sd-background` paints a background around a product with Stable Diffusion 1.5, ControlNet
//! and inpainting, the background generator of CAIG (arXiv 2502.06823).
//!
//! The defaults are the paper's: the product at 0.78 of the canvas, Canny edges of it as control, everything outside of
//! it painted anew, Euler ancestral with 30 steps and guidance 7.5, the product's own pixels pasted at the end. Unlike the
//! paper, which starts every picture from seed 42, each request has a seed of its own.
//!
//! No weights come with it: `checkpoint` and `control_nets` name local paths, or hub ids that `adeval models pull` fetched.

mod attempts;
mod canvas;
mod error;
mod parameters;
mod render;

pub use adeval_candle::Precision;
pub use parameters::{LoraFile, Parameters};

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use adeval_candle::{checkpoint, device};
use adeval_models::stable_diffusion::assemble::{Assembled, Parts, assemble};
use adeval_models::stable_diffusion::pipeline::Style;
use adeval_sdk::{
    BackgroundGenerator, BackgroundRequest, CallContext, Component, ComponentInfo, Creative, Environment,
    PluginError, Result, export_plugin,
};
use attempts::Attempts;
use error::plugin_error;
use render::{Draft, Position};

/// The component.
pub struct SdBackground {
    parameters: Parameters,
    /// One picture at a time: the network takes all cores, or the whole card.
    assembled: Mutex<Assembled>,
    style: Option<Style>,
    attempts: Attempts,
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
        let parts = parts(&parameters, environment)?;
        let attempts = Attempts::new(&parameters)?;
        let precision = parameters.precision.on(&device)?;
        checkpoint::announce(paths(&parts), parts.variant.as_deref(), &environment.device, precision, cx)?;
        cx.check()?;
        let assembled = assemble(&parts, &device, precision).map_err(plugin_error)?;
        for note in &assembled.notes {
            cx.progress(0.9, note);
        }
        let style = style(&parameters, &assembled)?;
        Ok(Self { parameters, assembled: Mutex::new(assembled), style, attempts })
    }
}

/// Where everything is: paths as they are, hub ids in the cache.
fn parts(parameters: &Parameters, environment: &Environment) -> Result<Parts> {
    let find = |name: &String| checkpoint::find(name);
    let all = |names: &[String]| names.iter().map(find).collect::<Result<Vec<_>>>();
    let wanted = "a Stable Diffusion 1.5 checkpoint";
    let named = parameters.checkpoint.as_deref();
    let loras = parameters.loras.iter().map(|lora| Ok((find(&lora.file)?, lora.strength)));
    Ok(Parts {
        checkpoint: checkpoint::checkpoint("sd-background", wanted, named, environment)?,
        config: parameters.config.as_ref().map(find).transpose()?,
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

/// All checkpoints, the base first.
fn paths(parts: &Parts) -> impl Iterator<Item = &Path> {
    let additions = [&parts.vae, &parts.adapter, &parts.image_encoder].into_iter().flatten();
    let loras = parts.loras.iter().map(|(path, _)| path);
    let all = std::iter::once(&parts.checkpoint).chain(&parts.controls).chain(additions).chain(loras);
    all.map(PathBuf::as_path)
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
        self.render_alone(request, Position { before: 0, together: 1, all: 1 }, cx)
    }

    /// Neighbours that are alike go through the network together, as many as `batch` allows.
    fn generate_batch(&self, requests: &[BackgroundRequest], cx: &CallContext<'_>) -> Vec<Result<Creative>> {
        let (mut done, mut group) = (Vec::with_capacity(requests.len()), Vec::<Draft<'_>>::new());
        let flush = |group: &mut Vec<Draft<'_>>, done: &mut Vec<Result<Creative>>| {
            let position = Position { before: done.len(), together: group.len(), all: requests.len() };
            done.extend(self.render(std::mem::take(group), position, cx));
        };
        for request in requests {
            let draft = Draft::new(request, &self.parameters);
            let joins = draft.as_ref().is_ok_and(|draft| {
                group.len() < self.parameters.batch as usize && group.iter().all(|other| other.is_like(draft))
            });
            if !joins && !group.is_empty() {
                flush(&mut group, &mut done);
            }
            match draft {
                Ok(draft) => group.push(draft),
                Err(error) => done.push(Err(error)),
            }
        }
        if !group.is_empty() {
            flush(&mut group, &mut done);
        }
        done
    }
}

export_plugin! { background_generator: [SdBackground] }
