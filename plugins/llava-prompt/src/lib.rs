//! Reference plugin of adeval: `llava-prompt` shows a product to a LLaVA and asks it for background prompts, as the prompt model of
//! CAIG (arXiv 2502.06823) does.
//!
//! An answer is cleaned of the talk around it. One that is empty or a refusal is asked for again with another seed, and how
//! often that happened is told as progress. No weights come with it. What training changes is a LoRA of the language model, or, of a
//! small model, everything.

mod answer;
mod ask;
mod instructions;
mod look;
mod model;
mod parameters;
mod train;
mod whole;

pub use adeval_candle::training::Train;
pub use instructions::Instructions;
pub use parameters::Parameters;

use std::ops::ControlFlow;
use std::sync::{Mutex, MutexGuard, PoisonError};

use adeval_candle::llava::Place;
use adeval_candle::{device, plugin_error};
use adeval_models::generation::{Finish, Generated, Prompt, SamplingOptions, Token, generate};
use adeval_models::llava::Llava;
use adeval_sdk::prelude::*;
use adeval_sdk::rng::derive;
use ask::{Asked, Asker};
use model::Model;

/// The component.
pub struct LlavaPrompt {
    parameters: Parameters,
    asker: Asker,
    /// One product at a time: the network takes all cores, or the whole card.
    model: Mutex<Model>,
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
        let (named, adapter) = (parameters.checkpoint.as_deref(), parameters.adapter.as_deref());
        let place = Place::find("llava-prompt", "a LLaVA", named, adapter, environment)?;
        let pool = model::instructions(&place, parameters.instructions.as_deref())?;
        let wordings = pool.wordings(&parameters.task, &parameters.language)?.to_vec();
        let asker = Asker::new(wordings, parameters.wording);
        let model = Mutex::new(Model::load(&parameters, environment, &place, cx)?);
        Ok(Self { parameters, asker, model })
    }
}

impl LlavaPrompt {
    /// A panic while the lock was held left nothing half done that a later call would not clear.
    fn model(&self) -> MutexGuard<'_, Model> {
        self.model.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PromptGenerator for LlavaPrompt {
    fn generate(&self, request: &PromptRequest, cx: &CallContext<'_>) -> Result<Vec<PromptSample>> {
        request.validate()?;
        let mut model = self.model();
        cx.check()?;
        let Model { llava, eyes, .. } = &mut *model;
        let seen = look::look(eyes, llava, &request.product.image)?;
        let asked = Asked::new(llava, self.asker.about(&request.product), Some(&seen))?;
        let asking = Asking { parameters: &self.parameters, model: llava, request, prompt: asked.read };
        asking.samples(cx)
    }
}

/// A request that is being answered.
struct Asking<'a> {
    parameters: &'a Parameters,
    model: &'a Llava,
    request: &'a PromptRequest,
    prompt: Prompt,
}

impl Asking<'_> {
    fn samples(&self, cx: &CallContext<'_>) -> Result<Vec<PromptSample>> {
        let mut answers: Vec<Option<PromptSample>> = vec![None; self.request.samples as usize];
        let mut again = 0;
        for attempt in 0..=self.parameters.retries {
            let open: Vec<usize> = (0..answers.len()).filter(|&sample| answers[sample].is_none()).collect();
            if open.is_empty() {
                break;
            }
            if attempt > 0 {
                again += open.len();
                cx.progress(0.0, &format!("{} empty or refused, asked again with other seeds", open.len()));
            }
            let seeds: Vec<u64> = open.iter().map(|&sample| self.seed(sample, attempt)).collect();
            for (sample, generated) in open.into_iter().zip(self.generated(&seeds, cx)?) {
                answers[sample] = self.read(generated);
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

    /// The samples read the prompt once.
    fn generated(&self, seeds: &[u64], cx: &CallContext<'_>) -> Result<Vec<Generated>> {
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
        let prompt = std::slice::from_ref(&self.prompt);
        let found = generate(self.model.decoder(), prompt, seeds.len(), seeds, &options, None, &mut watch);
        let found = found.map_err(|error| stopped.take().unwrap_or_else(|| plugin_error(error)))?;
        Ok(found.into_iter().flatten().collect())
    }

    fn options(&self) -> SamplingOptions {
        let parameters = self.parameters;
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

export_plugin! { trainable_prompt_generator: [LlavaPrompt] }
