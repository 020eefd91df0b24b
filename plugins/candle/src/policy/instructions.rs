//! Supervised training: the same way back as that of answers, from the cross-entropy.

use std::collections::BTreeMap;

use adeval_sdk::{
    CallContext, ErrorKind, GradientOptions, Instruction, PluginError, Result, TrainingReport, rng,
};

/// The loss of each instruction, of the log-probabilities that `read` gives for its answer.
///
/// # Errors
/// Those of `read`, `InvalidRequest` for an empty answer, `Cancelled`.
pub fn instruction_losses(
    instructions: &[Instruction],
    cx: &CallContext<'_>,
    mut read: impl FnMut(&Instruction) -> Result<Vec<f32>>,
) -> Result<Vec<f64>> {
    let mut losses = Vec::with_capacity(instructions.len());
    for (number, instruction) in instructions.iter().enumerate() {
        cx.check()?;
        cx.progress(number as f32 / instructions.len() as f32, "reading answers");
        check(number, instruction)?;
        losses.push(loss(&read(instruction)?));
    }
    Ok(losses)
}

/// Goes back through the mean over the instructions of their losses: `tokens` makes those of an answer, `back` takes
/// them with their derivatives and the seed of a dropout, and gives their log-probabilities.
///
/// # Errors
/// Those of `tokens` and `back`, `InvalidRequest` for an empty answer, `Numerical` for a loss that is not finite, `Cancelled`.
pub fn accumulate_instructions(
    instructions: &[Instruction],
    options: &GradientOptions,
    cx: &CallContext<'_>,
    mut tokens: impl FnMut(&Instruction) -> Result<Vec<u32>>,
    mut back: impl FnMut(&Instruction, &[u32], &[f64], u64) -> Result<Vec<f32>>,
) -> Result<TrainingReport> {
    options.validate()?;
    let (mut sum, count) = (0.0, instructions.len() as f64);
    for (number, instruction) in instructions.iter().enumerate() {
        cx.check()?;
        cx.progress(number as f32 / instructions.len() as f32, "going back through answers");
        check(number, instruction)?;
        let tokens = tokens(instruction)?;
        let by = vec![-1.0 / (count * tokens.len() as f64); tokens.len()];
        let found =
            loss(&back(instruction, &tokens, &by, rng::derive(options.seed, &[&number.to_string()]))?);
        if !found.is_finite() {
            let message =
                format!("instruction {number}, about \"{}\", has the loss {found}", instruction.condition.id);
            return Err(PluginError::new(ErrorKind::Numerical, message));
        }
        sum += found;
    }
    let loss = (count > 0.0).then_some(sum / count);
    Ok(TrainingReport { loss, grad_norm: None, metrics: BTreeMap::new() })
}

fn check(number: usize, instruction: &Instruction) -> Result<()> {
    if instruction.answer.trim().is_empty() {
        let id = &instruction.condition.id;
        return Err(PluginError::invalid_request(format!(
            "instruction {number}, about \"{id}\", has an empty answer"
        )));
    }
    Ok(())
}

/// -log p, the mean over tokens.
fn loss(log_probs: &[f32]) -> f64 {
    -log_probs.iter().copied().map(f64::from).sum::<f64>() / log_probs.len().max(1) as f64
}
