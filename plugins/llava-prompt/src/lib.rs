//! Reference plugin of adeval: `llava-prompt` shows a product to a LLaVA and asks it for background prompts, as the prompt model of
//! CAIG (arXiv 2502.06823) does.
//!
//! An answer is cleaned of the talk around it. One that is empty or a refusal is asked for again with another seed, and how
//! often that happened is told as progress. No weights come with it. It is not trainable yet.

mod answer;
mod instructions;
mod parameters;

pub use instructions::Instructions;
pub use parameters::Parameters;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError};

use adeval_candle::{checkpoint, device, plugin_error};
use adeval_models::generation::{Finish, Generated, Prompt, SamplingOptions, Token, generate};
use adeval_models::language::{Message, Rendering};
use adeval_models::llava::grid::Extent;
use adeval_models::llava::{Llava, LoadOptions};
use adeval_sdk::prelude::*;
use adeval_sdk::rng::derive;
use image::{Rgb, RgbImage};

/// The component.
pub struct LlavaPrompt {
    parameters: Parameters,
    wordings: Vec<String>,
    /// One product at a time: the network takes all cores, or the whole card.
    model: Mutex<Llava>,
}

impl Component for LlavaPrompt {
    type Parameters = Parameters;

    fn info() -> ComponentInfo {
        let mut info = ComponentInfo::new(
            "llava-prompt",
            "Asks a LLaVA that sees the product for background prompts, as in CAIG",
        )
        .weights(
            "none inside: the parameter checkpoint names a local path or a hub id, e.g. llava-hf/llava-v1.6-vicuna-7b-hf, under the \
             licence of its authors",
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
        let pool = match &parameters.instructions {
            Some(path) => Instructions::read(path)?,
            None => Instructions::own()?,
        };
        let wordings = pool.wordings(&parameters.task, &parameters.language)?.to_vec();
        let device = device::open(&environment.device)?;
        let dtype = parameters.precision.on(&device)?;
        let named = parameters.checkpoint.as_deref();
        let path = checkpoint::checkpoint("llava-prompt", "a LLaVA", named, environment)?;
        let tower = parameters.vision_tower.as_deref().map(checkpoint::find).transpose()?;
        let paths = std::iter::once(path.as_path()).chain(tower.as_deref());
        checkpoint::announce(paths, None, &environment.device, dtype, cx)?;
        cx.check()?;
        let options =
            LoadOptions { device, dtype, tower: tower.as_deref(), template: parameters.template.as_deref() };
        let model = Llava::load(&path, &options).map_err(plugin_error)?;
        Ok(Self { parameters, wordings, model: Mutex::new(model) })
    }
}

impl PromptGenerator for LlavaPrompt {
    fn generate(&self, request: &PromptRequest, cx: &CallContext<'_>) -> Result<Vec<PromptSample>> {
        request.validate()?;
        // A panic while the lock was held left nothing half done: the model is not changed by a run.
        let model = self.model.lock().unwrap_or_else(PoisonError::into_inner);
        cx.check()?;
        let picture = over_white(&request.product.image);
        let seen = model.look(&picture).map_err(plugin_error)?;
        let (width, height) = picture.dimensions();
        let asking = Asking { plugin: self, model: &model, request, seen, size: Extent { height, width } };
        asking.samples(cx)
    }
}

/// A request that is being answered.
struct Asking<'a> {
    plugin: &'a LlavaPrompt,
    model: &'a Llava,
    request: &'a PromptRequest,
    /// The embeddings of the product.
    seen: candle_core::Tensor,
    size: Extent,
}

impl Asking<'_> {
    fn samples(&self, cx: &CallContext<'_>) -> Result<Vec<PromptSample>> {
        let mut answers: Vec<Option<PromptSample>> = vec![None; self.request.samples as usize];
        let mut again = 0;
        for attempt in 0..=self.plugin.parameters.retries {
            let open: Vec<usize> = (0..answers.len()).filter(|&sample| answers[sample].is_none()).collect();
            if open.is_empty() {
                break;
            }
            if attempt > 0 {
                again += open.len();
                cx.progress(0.0, &format!("{} empty or refused, asked again with other seeds", open.len()));
            }
            for (wording, samples) in self.by_wording(&open) {
                let seeds: Vec<u64> = samples.iter().map(|&sample| self.seed(sample, attempt)).collect();
                let found = self.generated(wording, &seeds, cx)?;
                for (sample, generated) in samples.into_iter().zip(found) {
                    answers[sample] = self.read(generated);
                }
            }
        }
        let lost = answers.iter().filter(|answer| answer.is_none()).count();
        if lost > 0 {
            let message = format!(
                "{lost} of {} answers about \"{}\" stayed empty or refused after {again} more tries",
                answers.len(),
                self.request.product.id
            );
            return Err(PluginError::new(ErrorKind::Other, message).with_hint(
                "raise retries or the temperature, allow more tokens, or ask in another wording",
            ));
        }
        Ok(answers.into_iter().flatten().collect())
    }

    /// The seed of a sample, the one that the contract names at first.
    fn seed(&self, sample: usize, attempt: u32) -> u64 {
        let (sample, attempt) = (sample.to_string(), attempt.to_string());
        match attempt.as_str() {
            "0" => derive(self.request.seed, &[&sample]),
            _ => derive(self.request.seed, &[&sample, &attempt]),
        }
    }

    /// Samples that share a wording read its prompt once.
    fn by_wording(&self, samples: &[usize]) -> BTreeMap<usize, Vec<usize>> {
        let count = self.plugin.wordings.len() as u64;
        let mut groups = BTreeMap::<usize, Vec<usize>>::new();
        for &sample in samples {
            let chosen = self.plugin.parameters.wording.unwrap_or_else(|| self.seed(sample, 0));
            groups.entry((chosen % count) as usize).or_default().push(sample);
        }
        groups
    }

    fn generated(&self, wording: usize, seeds: &[u64], cx: &CallContext<'_>) -> Result<Vec<Generated>> {
        let question = instructions::filled(&self.plugin.wordings[wording], &self.request.product, "");
        let text = self.model.render(&[Message::shown(1, question)], &Rendering::default());
        let prompt = text.and_then(|text| {
            let prompt = self.model.prompt(&text, &[self.size])?;
            let embeds = self.model.embed(&prompt, std::slice::from_ref(&self.seen))?;
            Ok(Prompt { ids: prompt.ids, embeds: Some(embeds) })
        });
        let prompt = prompt.map_err(plugin_error)?;
        let (options, most) = (self.options(), f64::from(self.request.max_tokens));
        let mut stopped = None;
        let mut watch = |token: Token<'_>| match cx.check() {
            Ok(()) => {
                let share = token.ids.len() as f64 / most;
                cx.progress(share as f32, &format!("{} tokens", token.ids.len()));
                ControlFlow::Continue(())
            }
            Err(error) => {
                stopped = Some(error);
                ControlFlow::Break(())
            }
        };
        let found = generate(self.model.decoder(), &[prompt], seeds.len(), seeds, &options, None, &mut watch);
        let found = found.map_err(|error| stopped.take().unwrap_or_else(|| plugin_error(error)))?;
        Ok(found.into_iter().flatten().collect())
    }

    fn options(&self) -> SamplingOptions {
        let parameters = &self.plugin.parameters;
        let mut eos = self.model.decoder().config().eos.clone();
        eos.extend(self.model.tokenizer().eos());
        SamplingOptions {
            temperature: self.request.temperature,
            top_p: self.request.top_p,
            top_k: parameters.top_k as usize,
            min_p: parameters.min_p,
            repetition_penalty: parameters.repetition_penalty,
            max_new_tokens: self.request.max_tokens as usize,
            eos,
            stop: Vec::new(),
        }
    }

    fn read(&self, generated: Generated) -> Option<PromptSample> {
        let text = answer::cleaned(&self.model.tokenizer().decode(&generated.ids))?;
        Some(PromptSample {
            text,
            tokens: generated.ids,
            log_probs: generated.log_probs.into_iter().map(f64::from).collect(),
            finish: match generated.finish {
                Finish::Eos | Finish::Stop(_) => FinishReason::Stop,
                Finish::Length => FinishReason::Length,
            },
        })
    }
}

/// The cut-out over white, as shops show it.
fn over_white(cutout: &Image) -> RgbImage {
    let cutout = cutout.to_rgba();
    RgbImage::from_fn(cutout.width(), cutout.height(), |x, y| {
        let [r, g, b, alpha] = cutout.get_pixel(x, y).0.map(u32::from);
        Rgb([r, g, b].map(|level| ((level * alpha + 255 * (255 - alpha) + 127) / 255) as u8))
    })
}

export_plugin! { prompt_generator: [LlavaPrompt] }
