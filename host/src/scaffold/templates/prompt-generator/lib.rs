//! `{{name}}`: a prompt generator for adeval.
//!
//! It writes a sentence with two choices, a surface and a light, each drawn from a softmax over logits.
//! So it is a language model in small: tokens, log-probabilities, temperature and nucleus mean what they
//! mean for a large one. Put your model in the place of `logits`.

use adeval_sdk::prelude::*;

/// What a suite may set. Doc comments become the descriptions of `adeval plugin inspect`; the host
/// checks the ranges and refuses names that are not here, before it creates the component.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Parameters {
    /// How much the first options of each list are preferred: 0 draws evenly, 4 hardly leaves them.
    #[schemars(range(min = 0.0, max = 4.0))]
    pub preference: f64,
}

impl Default for Parameters {
    fn default() -> Self {
        Self { preference: 0.5 }
    }
}

/// The component. A model's weights would be fields of it.
pub struct Prompts {
    parameters: Parameters,
}

/// The choices of a sentence; a token is an index into all options, one list after the other.
const SLOTS: [&[&str]; 2] = [
    &[
        "pale oak",
        "white marble",
        "brushed concrete",
        "folded linen",
        "wet slate",
        "green moss",
    ],
    &[
        "in soft window light",
        "in warm evening sun",
        "under a cool studio lamp",
        "in morning mist",
    ],
];

impl Component for Prompts {
    type Parameters = Parameters;

    /// What `adeval plugin list` shows. It must load nothing: discovery calls it for every plugin.
    fn info() -> ComponentInfo {
        ComponentInfo::new(
            "{{name}}",
            "One sentence with a surface and a light, each drawn by a softmax",
        )
    }

    /// Loads what the component needs: `environment.weights` and `environment.device` say which weights
    /// and where. Override `create_watched` when that takes more than a second.
    fn create(parameters: Parameters, _: &Environment) -> Result<Self> {
        Ok(Self { parameters })
    }
}

impl PromptGenerator for Prompts {
    fn generate(&self, request: &PromptRequest, cx: &CallContext<'_>) -> Result<Vec<PromptSample>> {
        (0..request.samples)
            .map(|k| {
                // In every loop that takes time: this is what makes Ctrl-C and timeouts polite.
                cx.check()?;
                // Sample k has a seed of its own, so that it does not depend on how many are asked for.
                Ok(self.sample(request, rng::derive(request.seed, &[&k.to_string()])))
            })
            .collect()
    }

    // Override `generate_batch` where many products at once are faster, e.g. on a GPU. Each sample must
    // stay the one that `generate` makes.
}

impl Prompts {
    fn sample(&self, request: &PromptRequest, seed: u64) -> PromptSample {
        let (mut tokens, mut log_probs, mut chosen) = (Vec::new(), Vec::new(), Vec::new());
        let mut first = 0;
        for (step, options) in SLOTS.iter().enumerate().take(request.max_tokens as usize) {
            let logits = self.logits(options);
            let uniform = unit(seed, &step.to_string());
            let index = draw(&logits, request.temperature, request.top_p, uniform);
            tokens.push((first + index) as u32);
            // The policy's own: at temperature 1 and without a nucleus, however it was sampled.
            log_probs.push(log_softmax(&logits, 1.0)[index]);
            chosen.push(options[index]);
            first += options.len();
        }
        let finish = if tokens.len() < SLOTS.len() {
            FinishReason::Length
        } else {
            FinishReason::Stop
        };
        // The narrowest category reads best in a sentence; a product may have none.
        let thing = request
            .product
            .category
            .last()
            .map_or("the product", String::as_str);
        let text = format!("Advertising photograph of {thing} on {}.", chosen.join(" "));
        PromptSample {
            text,
            tokens,
            log_probs,
            finish,
        }
    }

    /// One logit an option. A model would compute them from the product and the tokens so far.
    fn logits(&self, options: &[&str]) -> Vec<f64> {
        (0..options.len())
            .map(|rank| -self.parameters.preference * rank as f64)
            .collect()
    }
}

/// log p of each option at a temperature.
fn log_softmax(logits: &[f64], temperature: f64) -> Vec<f64> {
    let scaled: Vec<f64> = logits.iter().map(|logit| logit / temperature).collect();
    let largest = scaled.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let total: f64 = scaled.iter().map(|logit| (logit - largest).exp()).sum();
    scaled
        .iter()
        .map(|logit| logit - largest - total.ln())
        .collect()
}

/// Draws an option from the smallest set of likeliest options that holds `top_p` of the probability;
/// `uniform` is in [0, 1).
fn draw(logits: &[f64], temperature: f64, top_p: f64, uniform: f64) -> usize {
    let probabilities: Vec<f64> = log_softmax(logits, temperature)
        .iter()
        .map(|log_p| log_p.exp())
        .collect();
    let mut order: Vec<usize> = (0..logits.len()).collect();
    order.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]));
    let mut nucleus = 0.0;
    // The small number keeps rounding from letting one more option in.
    let kept = order.iter().take_while(|&&option| {
        let open = nucleus < top_p - 1e-12;
        nucleus += probabilities[option];
        open
    });
    let kept: Vec<usize> = kept.copied().collect();
    let total: f64 = kept.iter().map(|&option| probabilities[option]).sum();
    let mut left = uniform * total;
    for &option in &kept {
        left -= probabilities[option];
        if left < 0.0 {
            return option;
        }
    }
    kept.last().copied().unwrap_or(0)
}

/// A number in [0, 1) from the request's seed: the only source of chance, so that results repeat.
fn unit(seed: u64, name: &str) -> f64 {
    (rng::derive(seed, &[name]) >> 11) as f64 / (1_u64 << 53) as f64
}

export_plugin! { prompt_generator: [Prompts] }

#[cfg(test)]
mod tests;
