//! Prompt generators: a product in, background prompts out; and their trainable half.

use crate::{
    CallContext, Component, GradientOptions, PluginError, Product, Result, Trainable, TrainingReport,
};
use serde::{Deserialize, Serialize};

/// Asks for prompts for one product (CAIG: 2 samples, temperature 1.0, at most 512 tokens).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PromptRequest {
    /// The condition `x`: image and caption.
    pub product: Product,
    /// How many samples.
    pub samples: u32,
    /// Sampling temperature, above 0.
    pub temperature: f64,
    /// Nucleus: the share of probability kept, (0, 1].
    pub top_p: f64,
    /// The most new tokens a sample.
    pub max_tokens: u32,
    /// Sample `k` draws from `derive(seed, [k])`, so that it does not depend on `samples`.
    pub seed: u64,
}

impl PromptRequest {
    /// One sample at temperature 1 of at most 512 tokens.
    pub fn new(product: Product, seed: u64) -> Self {
        Self { product, samples: 1, temperature: 1.0, top_p: 1.0, max_tokens: 512, seed }
    }
}

/// Why a sample ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FinishReason {
    /// The model ended it.
    Stop,
    /// `max_tokens` was reached.
    Length,
}

/// One prompt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PromptSample {
    /// The prompt, for people and for background generators.
    pub text: String,
    /// The tokens that were sampled, in the generator's own vocabulary.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tokens: Vec<u32>,
    /// log p of each token under the policy that sampled it at temperature 1; empty when the generator has none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log_probs: Vec<f64>,
    /// Why it ended.
    pub finish: FinishReason,
}

/// Makes background prompts for products.
pub trait PromptGenerator: Component {
    /// Prompts for one product: `request.samples` of them.
    ///
    /// # Errors
    /// See [`crate::ErrorKind`].
    fn generate(&self, request: &PromptRequest, cx: &CallContext<'_>) -> Result<Vec<PromptSample>>;

    /// Prompts for many products, in the order of the requests. Override it where a batch is faster; the results
    /// must be those of [`PromptGenerator::generate`].
    fn generate_batch(
        &self,
        requests: &[PromptRequest],
        cx: &CallContext<'_>,
    ) -> Vec<Result<Vec<PromptSample>>> {
        requests.iter().map(|request| cx.check().and_then(|()| self.generate(request, cx))).collect()
    }
}

/// Which policy is asked for log-probabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// pi: the model as it is trained now.
    Current,
    /// ref: the model at the last [`TrainablePromptGenerator::set_reference`], or as it was created.
    Reference,
}

/// An answer `y` under a condition `x` (or a corrupted one, `x'`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConditionedAnswer {
    /// The condition: image and caption.
    pub condition: Product,
    /// The answer's tokens, as sampled.
    pub tokens: Vec<u32>,
}

/// An answer and the derivative of the loss by each of its token log-probabilities under the current policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AnswerGradient {
    /// The answer and its condition.
    pub answer: ConditionedAnswer,
    /// d loss / d log p(token), one a token.
    pub loss_by_log_prob: Vec<f64>,
}

/// A question about a product and the answer that a model shall learn to give to it: supervised training, as CAIG pre-trains its prompt
/// model (arXiv 2502.06823, section 3.2).
///
/// Since contract 1.1, feature [`INSTRUCTIONS`](crate::INSTRUCTIONS).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Instruction {
    /// The condition: image and caption.
    pub condition: Product,
    /// What is asked; when absent, whatever the generator asks itself for a background prompt, so that it learns to answer just that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<String>,
    /// The answer, in words.
    pub answer: String,
}

/// A prompt generator whose policy can be optimised. It never sees a reward: an optimizer turns rewards and
/// log-probabilities into derivatives, and the generator carries those back into its parameters.
///
/// Its [`Trainable::accumulate_gradient`] adds `sum_t loss_by_log_prob[t] * d log p_t / d theta`, summed over the
/// examples and under the current policy; `InvalidRequest` when tokens and derivatives differ in number.
pub trait TrainablePromptGenerator: PromptGenerator + Trainable<Example = AnswerGradient> {
    /// log p of every token of every answer, teacher-forced, at temperature 1, without dropout.
    ///
    /// # Errors
    /// `InvalidRequest` for a token that is not in the vocabulary.
    fn log_probs(
        &self,
        policy: Policy,
        answers: &[ConditionedAnswer],
        cx: &CallContext<'_>,
    ) -> Result<Vec<Vec<f64>>>;

    /// Makes the current policy the reference.
    ///
    /// # Errors
    /// `OutOfMemory`.
    fn set_reference(&mut self) -> Result<()>;

    /// Adds `options.weight` times the gradient of the **mean** over the examples of an answer's loss: the mean of -log p over the answer's
    /// tokens, its end among them, so that every answer counts alike. Reports that mean. Since contract 1.1; the default learns
    /// nothing and says so.
    ///
    /// # Errors
    /// `Unsupported`; `InvalidRequest` for an answer that the generator cannot give or a question that it cannot be asked; `Numerical`
    /// when the loss is not finite. The gradient so far is then not defined, as for [`Trainable::accumulate_gradient`].
    fn accumulate_instructions(
        &mut self,
        _examples: &[Instruction],
        _options: &GradientOptions,
        _cx: &CallContext<'_>,
    ) -> Result<TrainingReport> {
        Err(no_instructions::<Self>())
    }

    /// The loss of each answer in nats a token, as [`TrainablePromptGenerator::accumulate_instructions`] has it but without dropout.
    ///
    /// # Errors
    /// `Unsupported`, `InvalidRequest`.
    fn instruction_losses(&self, _examples: &[Instruction], _cx: &CallContext<'_>) -> Result<Vec<f64>> {
        Err(no_instructions::<Self>())
    }
}

fn no_instructions<T: Component>() -> PluginError {
    let id = T::info().id;
    PluginError::unsupported(format!(
        "{id} does not learn from instructions; train it by rewards, or choose one that does"
    ))
}

impl PromptRequest {
    /// Checks the request's own numbers.
    ///
    /// # Errors
    /// `InvalidRequest`, naming the field.
    pub fn validate(&self) -> Result<()> {
        let bad = |field: &str, value: f64, rule: &str| {
            PluginError::invalid_request(format!(
                "prompt request for \"{}\": {field} is {value}, {rule}",
                self.product.id
            ))
        };
        if !(self.temperature > 0.0 && self.temperature.is_finite()) {
            return Err(bad("temperature", self.temperature, "it must be above 0 and finite"));
        }
        if !(self.top_p > 0.0 && self.top_p <= 1.0) {
            return Err(bad("top_p", self.top_p, "it must be in (0, 1]"));
        }
        if self.samples == 0 || self.samples > 4096 {
            return Err(bad("samples", f64::from(self.samples), "it must be between 1 and 4096"));
        }
        if self.max_tokens == 0 {
            return Err(bad("max_tokens", 0.0, "it must be at least 1"));
        }
        Ok(())
    }
}
