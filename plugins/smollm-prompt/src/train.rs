//! The trainable half: a LoRA adapter, a reference over the same weights, and AdamW.

use std::path::Path;

use adeval_candle::plugin_error;
use adeval_candle::policy::{self, LoraPolicy, Names};
use adeval_models::decoder::Pass;
use adeval_models::generation::Prompt;
use adeval_models::training::{Example, log_probs};
use adeval_sdk::prelude::*;

use crate::instruction::tame;
use crate::model::Model;
use crate::{Parameters, SmolLmPrompt, condition};

/// An adapter as the parameters describe it.
pub fn policy(parameters: &Parameters, model: &Model) -> Result<LoraPolicy> {
    let names = Names { prefixes: &["base_model.model.model."], base: model.name.clone() };
    LoraPolicy::new(parameters.lora().config(), &model.decoder, names)
}

/// What the model goes on from, and the answer.
fn example(parameters: &Parameters, model: &Model, answer: &ConditionedAnswer) -> Result<Example> {
    let prompt = Prompt::text(condition(parameters, &model.words, &answer.condition)?);
    Ok(Example { prompt, answer: answer.tokens.clone() })
}

/// An instruction's question, or the plugin's own; the picture is not seen.
fn taught(
    parameters: &Parameters,
    model: &Model,
    instruction: &Instruction,
    tokens: &[u32],
) -> Result<Example> {
    let ids = match &instruction.question {
        Some(question) => model.words.prompt(parameters.system.as_deref(), &tame(question)),
        None => condition(parameters, &model.words, &instruction.condition),
    };
    Ok(Example { prompt: Prompt::text(ids?), answer: tokens.to_vec() })
}

impl TrainablePromptGenerator for SmolLmPrompt {
    fn log_probs(
        &self,
        policy: Policy,
        answers: &[ConditionedAnswer],
        cx: &CallContext<'_>,
    ) -> Result<Vec<Vec<f64>>> {
        let Self { parameters, model, policy: trained } = self;
        trained.log_probs(&model.decoder, policy, answers, cx, |answer| example(parameters, model, answer))
    }

    fn set_reference(&mut self) -> Result<()> {
        self.policy.set_reference()
    }

    fn instruction_losses(&self, instructions: &[Instruction], cx: &CallContext<'_>) -> Result<Vec<f64>> {
        let Self { parameters, model, .. } = self;
        policy::instruction_losses(instructions, cx, |instruction| {
            let tokens = model.words.answer(&instruction.answer)?;
            let example = [taught(parameters, model, instruction, &tokens)?];
            Ok(log_probs(&model.decoder, &example, Pass::Inference).map_err(plugin_error)?.concat())
        })
    }

    fn accumulate_instructions(
        &mut self,
        instructions: &[Instruction],
        options: &GradientOptions,
        cx: &CallContext<'_>,
    ) -> Result<TrainingReport> {
        self.policy.attach(&mut self.model.decoder)?;
        let Self { parameters, model, policy } = self;
        let tokens = |instruction: &Instruction| model.words.answer(&instruction.answer);
        policy::accumulate_instructions(
            instructions,
            options,
            cx,
            tokens,
            |instruction, tokens, by, dropout| {
                let example = taught(parameters, model, instruction, tokens)?;
                policy.back(&model.decoder, example, by, options.weight, dropout)
            },
        )
    }
}

impl Trainable for SmolLmPrompt {
    type Example = AnswerGradient;

    fn accumulate_gradient(
        &mut self,
        examples: &[AnswerGradient],
        options: &GradientOptions,
        cx: &CallContext<'_>,
    ) -> Result<TrainingReport> {
        self.policy.attach(&mut self.model.decoder)?;
        let Self { parameters, model, policy } = self;
        policy
            .accumulate(&model.decoder, examples, options, cx, |answer| example(parameters, model, answer))?;
        Ok(TrainingReport::default())
    }

    fn step(&mut self, options: &TrainingOptions, cx: &CallContext<'_>) -> Result<TrainingReport> {
        self.policy.step(options, cx)
    }

    fn clear_gradient(&mut self) -> Result<()> {
        self.policy.clear();
        Ok(())
    }

    fn save(&self, directory: &Path, cx: &CallContext<'_>) -> Result<()> {
        self.policy.save(directory, cx)
    }

    fn load(&mut self, directory: &Path, cx: &CallContext<'_>) -> Result<()> {
        self.policy.load(directory, &mut self.model.decoder, cx)
    }
}
