//! The trainable half: log-probabilities of answers about a product, and the way back from derivatives by them.

use std::path::Path;
use std::sync::PoisonError;

use adeval_candle::eyes::Eyes;
use adeval_candle::plugin_error;
use adeval_candle::policy::{self, LoraPolicy, answer_log_probs, each_gradient};
use adeval_models::decoder::Pass;
use adeval_models::llava::Llava;
use adeval_models::llava::prompt::harmless;
use adeval_models::training::{Example, Memory, accumulate_through, log_probs};
use adeval_sdk::prelude::*;

use crate::LlavaPrompt;
use crate::ask::{Asked, Asker};
use crate::look;
use crate::model::{Model, Trained};

/// An answer behind a question about a picture.
struct Lesson<'a> {
    image: &'a Image,
    question: String,
    tokens: &'a [u32],
}

impl Lesson<'_> {
    fn example(self, llava: &Llava, eyes: &mut Eyes) -> Result<Example> {
        let seen = look::look(eyes, llava, self.image)?;
        Ok(Asked::new(llava, self.question, Some(&seen))?.answered(self.tokens))
    }
}

/// The question about a product, and an answer that was drawn.
fn drawn<'a>(asker: &Asker, answer: &'a ConditionedAnswer) -> Lesson<'a> {
    let ConditionedAnswer { condition, tokens } = answer;
    Lesson { image: &condition.image, question: asker.about(condition), tokens }
}

/// An instruction's question, or the plugin's own.
fn taught<'a>(asker: &Asker, instruction: &'a Instruction, tokens: &'a [u32]) -> Lesson<'a> {
    let Instruction { condition, question, .. } = instruction;
    let question = question.as_deref().map_or_else(|| asker.about(condition), harmless);
    Lesson { image: &condition.image, question, tokens }
}

/// The tokens of an answer as the model would have drawn them: its words, and the end.
fn tokens(llava: &Llava, answer: &str) -> Result<Vec<u32>> {
    let mut tokens = llava.tokenizer().encode(&harmless(answer.trim()), false).map_err(plugin_error)?;
    tokens.extend(llava.tokenizer().eos().or(llava.decoder().config().eos.first().copied()));
    Ok(tokens)
}

impl Model {
    fn log_probs(
        &mut self,
        asker: &Asker,
        policy: Policy,
        answers: &[ConditionedAnswer],
        cx: &CallContext<'_>,
    ) -> Result<Vec<Vec<f64>>> {
        let Self { llava, eyes, trained } = self;
        if let Trained::Adapter(adapted) = trained
            && let Some(trained) = &adapted.policy
        {
            let example = |answer: &_| drawn(asker, answer).example(llava, eyes);
            return trained.log_probs(llava.decoder(), policy, answers, cx, example);
        }
        match trained {
            Trained::All(whole) if policy == Policy::Reference => {
                let (llava, eyes) = (&whole.reference, &mut whole.reference_eyes);
                answer_log_probs(llava.decoder(), answers, cx, |answer| {
                    drawn(asker, answer).example(llava, eyes)
                })
            }
            // Nothing was trained yet, so that one policy is the other; or it is the current one.
            _ => answer_log_probs(llava.decoder(), answers, cx, |answer| {
                drawn(asker, answer).example(llava, eyes)
            }),
        }
    }

    /// Readies it for the way back.
    fn begin(&mut self) -> Result<()> {
        match &mut self.trained {
            Trained::Adapter(adapted) => adapted.policy(&self.llava)?.attach(self.llava.decoder_mut()),
            Trained::All(_) => Ok(()),
        }
    }

    /// Goes back through an answer from derivatives by its log-probabilities, times `weight`; gives these.
    fn back(&mut self, lesson: Lesson<'_>, by: &[f64], weight: f64, dropout: u64) -> Result<Vec<f32>> {
        let Self { llava, eyes, trained } = self;
        let whole = match trained {
            Trained::All(whole) => whole,
            Trained::Adapter(adapted) => {
                let example = lesson.example(llava, eyes)?;
                return adapted.policy(llava)?.back(llava.decoder(), example, by, weight, dropout);
            }
        };
        let gradients = &mut whole.learner.gradients;
        let seen = look::seen(llava, lesson.image)?;
        let asked = Asked::new(llava, lesson.question, Some(&seen))?;
        let (example, by, memory) = ([asked.answered(lesson.tokens)], [by.to_vec()], Memory::Everything);
        let passed = accumulate_through(llava.decoder(), &example, &by, weight, None, memory, gradients);
        let passed = passed.map_err(plugin_error)?;
        for by_prompt in &passed.by_prompt {
            llava
                .backward(&asked.prompt, std::slice::from_ref(&seen.embeds), by_prompt, gradients)
                .map_err(plugin_error)?;
        }
        Ok(passed.log_probs.concat())
    }
}

impl LlavaPrompt {
    fn alone(&mut self) -> (&Asker, &mut Model) {
        (&self.asker, self.model.get_mut().unwrap_or_else(PoisonError::into_inner))
    }
}

impl TrainablePromptGenerator for LlavaPrompt {
    fn log_probs(
        &self,
        policy: Policy,
        answers: &[ConditionedAnswer],
        cx: &CallContext<'_>,
    ) -> Result<Vec<Vec<f64>>> {
        self.model().log_probs(&self.asker, policy, answers, cx)
    }

    fn set_reference(&mut self) -> Result<()> {
        let Model { llava, trained, .. } = self.alone().1;
        match trained {
            // Without an adapter one policy is the other.
            Trained::Adapter(adapted) => adapted.policy.as_mut().map_or(Ok(()), LoraPolicy::set_reference),
            Trained::All(whole) => whole.set_reference(llava),
        }
    }

    fn instruction_losses(&self, instructions: &[Instruction], cx: &CallContext<'_>) -> Result<Vec<f64>> {
        let mut model = self.model();
        let Model { llava, eyes, .. } = &mut *model;
        policy::instruction_losses(instructions, cx, |instruction| {
            let tokens = tokens(llava, &instruction.answer)?;
            let example = [taught(&self.asker, instruction, &tokens).example(llava, eyes)?];
            Ok(log_probs(llava.decoder(), &example, Pass::Inference).map_err(plugin_error)?.concat())
        })
    }

    fn accumulate_instructions(
        &mut self,
        instructions: &[Instruction],
        options: &GradientOptions,
        cx: &CallContext<'_>,
    ) -> Result<TrainingReport> {
        let (asker, model) = self.alone();
        model.begin()?;
        let answers = instructions.iter().map(|instruction| tokens(&model.llava, &instruction.answer));
        let mut answers = answers.collect::<Result<Vec<_>>>()?.into_iter();
        let next = |_: &Instruction| Ok(answers.next().unwrap_or_default());
        policy::accumulate_instructions(
            instructions,
            options,
            cx,
            next,
            |instruction, tokens, by, dropout| {
                model.back(taught(asker, instruction, tokens), by, options.weight, dropout)
            },
        )
    }
}

impl Trainable for LlavaPrompt {
    type Example = AnswerGradient;

    fn accumulate_gradient(
        &mut self,
        examples: &[AnswerGradient],
        options: &GradientOptions,
        cx: &CallContext<'_>,
    ) -> Result<TrainingReport> {
        let (asker, model) = self.alone();
        model.begin()?;
        each_gradient(examples, options, cx, |item, dropout| {
            let lesson = drawn(asker, &item.answer);
            model.back(lesson, &item.loss_by_log_prob, options.weight, dropout).map(drop)
        })?;
        Ok(TrainingReport::default())
    }

    fn step(&mut self, options: &TrainingOptions, cx: &CallContext<'_>) -> Result<TrainingReport> {
        let Model { llava, eyes, trained } = self.alone().1;
        match trained {
            Trained::Adapter(adapted) => adapted.policy(llava)?.step(options, cx),
            Trained::All(whole) => {
                let report = whole.learner.step(llava.variables(), options, cx)?;
                eyes.close();
                llava.refresh().map_err(plugin_error)?;
                Ok(report)
            }
        }
    }

    fn clear_gradient(&mut self) -> Result<()> {
        match &mut self.alone().1.trained {
            Trained::Adapter(adapted) => adapted.policy.iter_mut().for_each(LoraPolicy::clear),
            Trained::All(whole) => whole.learner.gradients.clear(),
        }
        Ok(())
    }

    /// An adapter in PEFT's files, or a whole LLaVA: either is a checkpoint that this plugin takes.
    fn save(&self, directory: &Path, cx: &CallContext<'_>) -> Result<()> {
        cx.check()?;
        let mut model = self.model();
        let Model { llava, trained, .. } = &mut *model;
        match trained {
            Trained::Adapter(adapted) => adapted.policy(llava)?.save(directory, cx),
            Trained::All(whole) => whole.save(llava, directory),
        }
    }

    fn load(&mut self, directory: &Path, cx: &CallContext<'_>) -> Result<()> {
        cx.check()?;
        let Model { llava, eyes, trained } = self.alone().1;
        match trained {
            Trained::Adapter(adapted) => adapted.policy(llava)?.load(directory, llava.decoder_mut(), cx),
            Trained::All(whole) => {
                whole.load(llava, directory)?;
                eyes.close();
                Ok(())
            }
        }
    }
}
