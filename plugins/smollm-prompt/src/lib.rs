//! Reference plugin of adeval: `smollm-prompt` has a small language model write background prompts from a product's text.
//!
//! It is the trainable prompt generator of CAIG (arXiv 2502.06823) without eyes: the model reads title, category and
//! attributes, not the picture. It speaks ChatML, as SmolLM2 and Qwen2 do, to a LLaMA, Mistral or Qwen2 that has its tokens, and
//! gives others the bare text. It is tried with SmolLM2-135M-Instruct, which runs on a processor. The adapter that training changes is a LoRA; the reference policy is a copy of it over the same
//! frozen weights.
//!
//! No weights come with it: `checkpoint` names a GGUF file, a folder in Hugging Face's layout, or a hub id that `adeval models
//! pull` fetched.

mod clean;
mod instruction;
mod model;
mod parameters;
mod train;
mod words;

pub use clean::clean;
pub use parameters::{Form, Parameters};

use std::ops::ControlFlow;

use adeval_candle::plugin_error;
use adeval_candle::policy::LoraPolicy;
use adeval_models::generation::{Finish, Generated, Prompt, SamplingOptions, generate};
use adeval_sdk::prelude::*;
use model::Model;
use words::Words;

/// The component's id.
const ID: &str = "smollm-prompt";

/// The component.
pub struct SmolLmPrompt {
    parameters: Parameters,
    model: Model,
    policy: LoraPolicy,
}

impl Component for SmolLmPrompt {
    type Parameters = Parameters;

    fn info() -> ComponentInfo {
        ComponentInfo::new(
            ID,
            "Background prompts by a small language model from the product's text; trainable",
        )
        .weights(
            "none inside: the parameter checkpoint names a GGUF file, a folder or a hub id, e.g. \
             HuggingFaceTB/SmolLM2-135M-Instruct (Apache-2.0)",
        )
    }

    fn create(parameters: Parameters, environment: &Environment) -> Result<Self> {
        parameters.validate()?;
        if environment.device != "cpu" {
            let message = format!("device {}: {ID} runs on the processor", environment.device);
            return Err(PluginError::new(ErrorKind::DeviceUnavailable, message).with_hint("use cpu"));
        }
        let model = Model::load(&parameters, environment)?;
        let policy = train::policy(&parameters, &model)?;
        Ok(Self { parameters, model, policy })
    }
}

impl PromptGenerator for SmolLmPrompt {
    /// Samples whose text is empty once it is cleaned are drawn again with other seeds, as often as `attempts` says; `log_probs`
    /// are the model's own, of all tokens that were drawn.
    fn generate(&self, request: &PromptRequest, cx: &CallContext<'_>) -> Result<Vec<PromptSample>> {
        request.validate()?;
        let prompt = Prompt::text(condition(&self.parameters, &self.model.words, &request.product)?);
        let options = self.options(request);
        let mut found: Vec<Option<PromptSample>> = vec![None; request.samples as usize];
        for attempt in 0..self.parameters.attempts {
            let open: Vec<usize> = (0..found.len()).filter(|sample| found[*sample].is_none()).collect();
            if open.is_empty() {
                break;
            }
            if attempt > 0 {
                cx.progress(0.0, &format!("{} empty answers, attempt {}", open.len(), attempt + 1));
            }
            let seeds: Vec<u64> = open.iter().map(|sample| seed(request.seed, *sample, attempt)).collect();
            let drawn = self.draw(&prompt, &seeds, &options, cx)?;
            for (sample, answer) in open.into_iter().zip(drawn) {
                found[sample] = self.sample(&answer);
            }
        }
        let empty = found.iter().filter(|sample| sample.is_none()).count();
        found.into_iter().collect::<Option<Vec<_>>>().ok_or_else(|| {
            let (id, attempts) = (&request.product.id, self.parameters.attempts);
            let message = format!("product \"{id}\": {empty} samples were empty in {attempts} attempts");
            PluginError::new(ErrorKind::Other, message).with_hint(
                "raise the temperature, max_tokens or the parameter attempts, or look at the checkpoint",
            )
        })
    }
}

/// The first attempt's seed is the sample's own.
fn seed(request: u64, sample: usize, attempt: u32) -> u64 {
    let sample = rng::derive(request, &[&sample.to_string()]);
    if attempt == 0 { sample } else { rng::derive(sample, &["attempt", &attempt.to_string()]) }
}

/// The tokens that the model goes on from.
fn condition(parameters: &Parameters, words: &Words, product: &Product) -> Result<Vec<u32>> {
    let text = instruction::fill(&parameters.instruction, product);
    words.prompt(parameters.system.as_deref(), &text)
}

impl SmolLmPrompt {
    fn options(&self, request: &PromptRequest) -> SamplingOptions {
        SamplingOptions {
            temperature: request.temperature,
            top_p: request.top_p,
            top_k: self.parameters.top_k as usize,
            min_p: self.parameters.min_p,
            repetition_penalty: self.parameters.repetition_penalty,
            max_new_tokens: request.max_tokens as usize,
            eos: self.model.words.eos.clone(),
            stop: Vec::new(),
        }
    }

    fn draw(
        &self,
        prompt: &Prompt,
        seeds: &[u64],
        options: &SamplingOptions,
        cx: &CallContext<'_>,
    ) -> Result<Vec<Generated>> {
        let most = options.max_new_tokens as f32;
        let mut watch = |token: adeval_models::generation::Token<'_>| {
            if token.sample == 0 {
                cx.progress(token.ids.len() as f32 / most, "drawing tokens");
            }
            if cx.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let prompts = std::slice::from_ref(prompt);
        let drawn = generate(&self.model.decoder, prompts, seeds.len(), seeds, options, None, &mut watch);
        Ok(drawn.map_err(plugin_error)?.into_iter().flatten().collect())
    }

    /// None if nothing is left of the text.
    fn sample(&self, answer: &Generated) -> Option<PromptSample> {
        let text = clean(&self.model.words.text(&answer.ids))?;
        Some(PromptSample {
            text,
            tokens: answer.ids.clone(),
            log_probs: answer.log_probs.iter().map(|v| f64::from(*v)).collect(),
            finish: if answer.finish == Finish::Length { FinishReason::Length } else { FinishReason::Stop },
        })
    }
}

adeval_sdk::export_plugin! { trainable_prompt_generator: [SmolLmPrompt] }
