//! What a suite asks of generators: a bench and a render of one suite, product and sample ask for the very same.

use crate::suite::{BackgroundStep, PromptStep, Suite};
use adeval_sdk::{BackgroundRequest, Product, PromptRequest, rng};

/// Prompts in one call.
pub const PROMPT_BATCH: usize = 32;
/// Creatives in one call: enough for a generator's threads, few enough to lose little.
pub const CREATIVE_BATCH: usize = 8;

/// The seed of a product's prompts, by its id. It does not depend on the entry, so that entries are compared in pairs.
pub fn prompt_seed(suite: &Suite, product: &str) -> u64 {
    rng::derive(suite.seed, &["prompt", product])
}

/// The seed of a creative; as above.
pub fn background_seed(suite: &Suite, product: &str, sample: u32) -> u64 {
    rng::derive(suite.seed, &["background", product, &sample.to_string()])
}

/// All of a product's prompts.
pub fn prompt_request(suite: &Suite, step: &PromptStep, product: &Product) -> PromptRequest {
    PromptRequest {
        samples: suite.samples,
        temperature: step.temperature,
        top_p: step.top_p,
        max_tokens: step.max_tokens,
        ..PromptRequest::new(product.clone(), prompt_seed(suite, &product.id))
    }
}

/// A product's creative for one of its prompts.
pub fn background_request(
    suite: &Suite,
    step: &BackgroundStep,
    product: &Product,
    sample: u32,
    prompt: &str,
) -> BackgroundRequest {
    let [width, height] = suite.size;
    BackgroundRequest {
        negative_prompt: step.negative_prompt.clone(),
        width,
        height,
        steps: step.steps,
        guidance: step.guidance,
        control_strength: step.control_strength,
        ..BackgroundRequest::new(product.clone(), prompt, background_seed(suite, &product.id, sample))
    }
}
