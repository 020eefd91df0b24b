//! The trainable half of a prompt generator over a decoder: log-probabilities of answers, a gradient from derivatives by them, steps,
//! and files. [`LoraPolicy`] trains an adapter; its reference is a copy of the adapter over the same frozen weights.
//!
//! Answers are computed one by one, so that what is computed for one does not depend on the others.

mod instructions;
mod learner;
mod lora;

pub use instructions::{accumulate_instructions, instruction_losses};
pub use learner::Learner;
pub use lora::{LoraPolicy, Names, read_adapter};

use adeval_models::decoder::{Decoder, Pass};
use adeval_models::training::{Example, log_probs};
use adeval_sdk::{
    AnswerGradient, CallContext, ConditionedAnswer, ErrorKind, GradientOptions, PluginError, Result, rng,
};

use crate::plugin_error;

/// log p of every token of every answer, teacher-forced; `example` makes a prompt of a condition.
///
/// # Errors
/// Those of `example`, `InvalidRequest` for a token that is not in the vocabulary, `Cancelled`.
pub fn answer_log_probs(
    decoder: &Decoder,
    answers: &[ConditionedAnswer],
    cx: &CallContext<'_>,
    mut example: impl FnMut(&ConditionedAnswer) -> Result<Example>,
) -> Result<Vec<Vec<f64>>> {
    let mut all = Vec::with_capacity(answers.len());
    for (number, answer) in answers.iter().enumerate() {
        cx.check()?;
        cx.progress(number as f32 / answers.len() as f32, "reading answers");
        if answer.tokens.is_empty() {
            all.push(Vec::new());
            continue;
        }
        let rows = log_probs(decoder, &[example(answer)?], Pass::Inference).map_err(plugin_error)?;
        all.extend(rows.into_iter().map(|row| row.into_iter().map(f64::from).collect()));
    }
    Ok(all)
}

/// Hands every example that is not empty to `back`, checked, with the seed of its dropout: each example leaves out other inputs.
///
/// # Errors
/// `InvalidRequest` when tokens and derivatives differ in number, `Numerical` for a derivative that is not finite, and those of
/// `back`.
pub fn each_gradient(
    examples: &[AnswerGradient],
    options: &GradientOptions,
    cx: &CallContext<'_>,
    mut back: impl FnMut(&AnswerGradient, u64) -> Result<()>,
) -> Result<()> {
    options.validate()?;
    for (number, item) in examples.iter().enumerate() {
        cx.check()?;
        cx.progress(number as f32 / examples.len() as f32, "going back through answers");
        let (tokens, derivatives) = (item.answer.tokens.len(), item.loss_by_log_prob.len());
        if tokens != derivatives {
            let message = format!("example {number} has {derivatives} derivatives for {tokens} tokens");
            return Err(PluginError::invalid_request(message));
        }
        if let Some(odd) = item.loss_by_log_prob.iter().find(|v| !v.is_finite()) {
            let message = format!("example {number} has the derivative {odd}");
            return Err(PluginError::new(ErrorKind::Numerical, message));
        }
        if tokens > 0 {
            back(item, rng::derive(options.seed, &[&number.to_string()]))?;
        }
    }
    Ok(())
}
