//! Prompt generators.

use crate::component::Nothing;
use adeval_sdk::Library;
use adeval_sdk::prelude::*;

pub fn add(library: &mut Library) {
    library.prompt_generator::<PlainPrompt>();
    library.prompt_generator::<EmptyPrompt>();
    library.prompt_generator::<TooManySamples>();
    library.prompt_generator::<PanicsOnAProduct>();
}

fn samples(request: &PromptRequest, count: u32) -> Vec<PromptSample> {
    let sample = |k: u32| PromptSample {
        text: format!("{} on a plain table, sample {k}", request.product.title),
        tokens: Vec::new(),
        log_probs: Vec::new(),
        finish: FinishReason::Stop,
    };
    (0..count).map(sample).collect()
}

component!(PlainPrompt(Nothing), "plain-prompt", "The product on a plain table");

impl PromptGenerator for PlainPrompt {
    fn generate(&self, request: &PromptRequest, _: &CallContext<'_>) -> Result<Vec<PromptSample>> {
        Ok(samples(request, request.samples))
    }
}

component!(EmptyPrompt(Nothing), "empty-prompt", "A prompt without a word");

impl PromptGenerator for EmptyPrompt {
    fn generate(&self, request: &PromptRequest, _: &CallContext<'_>) -> Result<Vec<PromptSample>> {
        let mut samples = samples(request, request.samples);
        samples.iter_mut().for_each(|sample| sample.text.clear());
        Ok(samples)
    }
}

component!(TooManySamples(Nothing), "too-many-samples", "One prompt more than was asked for");

impl PromptGenerator for TooManySamples {
    fn generate(&self, request: &PromptRequest, _: &CallContext<'_>) -> Result<Vec<PromptSample>> {
        Ok(samples(request, request.samples + 1))
    }
}

component!(PanicsOnAProduct(Nothing), "panics-on-a-product", "Panics for every product");

impl PromptGenerator for PanicsOnAProduct {
    fn generate(&self, request: &PromptRequest, _: &CallContext<'_>) -> Result<Vec<PromptSample>> {
        panic!("speechless about \"{}\"", request.product.id)
    }
}
