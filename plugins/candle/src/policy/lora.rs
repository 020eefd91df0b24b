//! A policy that is a decoder under an adapter.

use std::path::Path;

use adeval_models::ModelError;
use adeval_models::decoder::Decoder;
use adeval_models::lora::{LoraAdapter, LoraConfig};
use adeval_models::training::{Example, accumulate};
use adeval_sdk::{
    AnswerGradient, CallContext, ConditionedAnswer, GradientOptions, Policy, Result, TrainingOptions,
    TrainingReport,
};

use super::learner::Learner;
use super::{answer_log_probs, each_gradient};
use crate::training::memory;
use crate::{plugin_error, unsaved};

const REFERENCE: &str = "reference";

/// An adapter, the reference over the same frozen weights, and AdamW. The decoder itself is the plugin's.
pub struct LoraPolicy {
    adapter: LoraAdapter,
    /// The same frozen weights under a copy of the adapter.
    reference: Decoder,
    reference_adapter: LoraAdapter,
    learner: Learner,
    names: Names,
}

/// What adapters' files call things.
#[derive(Clone, Debug)]
pub struct Names {
    /// What the names of the decoder's layers begin with in PEFT's files; the first is written, all are read.
    pub prefixes: &'static [&'static str],
    /// The model without the adapter.
    pub base: String,
}

impl Names {
    /// What is written.
    pub fn prefix(&self) -> &'static str {
        self.prefixes.first().copied().unwrap_or_default()
    }
}

/// Reads an adapter of a decoder by any of its names.
///
/// # Errors
/// `MissingWeights`, `BadWeights`.
pub fn read_adapter(names: &Names, folder: &Path, decoder: &Decoder) -> Result<LoraAdapter> {
    let mut first = None;
    for prefix in names.prefixes {
        match LoraAdapter::read(folder, prefix, decoder) {
            Ok(adapter) => return Ok(adapter),
            Err(error) => first = first.or(Some(error)),
        }
    }
    let none = || ModelError::Unfit { label: folder.display().to_string(), reason: "no names".to_owned() };
    Err(plugin_error(first.unwrap_or_else(none)))
}

impl LoraPolicy {
    /// An adapter that changes nothing yet. It is put on at the first gradient, so that prompts cost nothing more before.
    ///
    /// # Errors
    /// `BadWeights` for targets that the decoder does not have.
    pub fn new(config: LoraConfig, decoder: &Decoder, names: Names) -> Result<Self> {
        let adapter = LoraAdapter::new(config, decoder, 0).map_err(plugin_error)?;
        let reference_adapter = adapter.duplicate().map_err(plugin_error)?;
        let (reference, learner) = (decoder.share(), Learner::default());
        Ok(Self { adapter, reference, reference_adapter, learner, names })
    }

    /// Takes the adapter of a folder that PEFT or [`LoraPolicy::save`] wrote: as the current policy and as the reference.
    ///
    /// # Errors
    /// `MissingWeights`, `BadWeights`.
    pub fn begin_with(&mut self, folder: &Path, decoder: &mut Decoder) -> Result<()> {
        let adapter = read_adapter(&self.names, folder, decoder)?;
        decoder.attach(&adapter).map_err(plugin_error)?;
        self.adapter = adapter;
        self.set_reference()
    }

    /// log p of answers; `decoder` is the current policy's.
    ///
    /// # Errors
    /// As [`answer_log_probs`].
    pub fn log_probs(
        &self,
        decoder: &Decoder,
        policy: Policy,
        answers: &[ConditionedAnswer],
        cx: &CallContext<'_>,
        example: impl FnMut(&ConditionedAnswer) -> Result<Example>,
    ) -> Result<Vec<Vec<f64>>> {
        let decoder = match policy {
            Policy::Current => decoder,
            Policy::Reference => &self.reference,
        };
        answer_log_probs(decoder, answers, cx, example)
    }

    /// Puts the adapter on the decoder, as it has to be for a gradient.
    ///
    /// # Errors
    /// `BadWeights` for a decoder of another shape.
    pub fn attach(&self, decoder: &mut Decoder) -> Result<()> {
        decoder.attach(&self.adapter).map_err(plugin_error)
    }

    /// Adds the gradient of these examples; `decoder` has the adapter on.
    ///
    /// # Errors
    /// As [`each_gradient`].
    pub fn accumulate(
        &mut self,
        decoder: &Decoder,
        examples: &[AnswerGradient],
        options: &GradientOptions,
        cx: &CallContext<'_>,
        mut example: impl FnMut(&ConditionedAnswer) -> Result<Example>,
    ) -> Result<()> {
        each_gradient(examples, options, cx, |item, dropout| {
            let (asked, by) = (example(&item.answer)?, &item.loss_by_log_prob);
            self.back(decoder, asked, by, options.weight, dropout).map(drop)
        })
    }

    /// Goes back through one answer, from derivatives by its log-probabilities, times `weight`; gives these. `decoder` has the
    /// adapter on, and `dropout` is a seed.
    ///
    /// # Errors
    /// `InvalidRequest` for a token that is not in the vocabulary.
    pub fn back(
        &mut self,
        decoder: &Decoder,
        example: Example,
        by: &[f64],
        weight: f64,
        dropout: u64,
    ) -> Result<Vec<f32>> {
        let (memory, gradients) = (memory(decoder), &mut self.learner.gradients);
        let rows = accumulate(decoder, &[example], &[by.to_vec()], weight, Some(dropout), memory, gradients);
        Ok(rows.map_err(plugin_error)?.concat())
    }

    /// Makes the adapter as it is the reference.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn set_reference(&mut self) -> Result<()> {
        let copy = self.adapter.duplicate().map_err(plugin_error)?;
        self.reference.attach(&copy).map_err(plugin_error)?;
        self.reference_adapter = copy;
        Ok(())
    }

    /// One step of the adapter.
    ///
    /// # Errors
    /// As [`Learner::step`].
    pub fn step(&mut self, options: &TrainingOptions, cx: &CallContext<'_>) -> Result<TrainingReport> {
        self.learner.step(&self.adapter.variables(), options, cx)
    }

    /// Forgets the gradient so far.
    pub fn clear(&mut self) {
        self.learner.gradients.clear();
    }

    /// PEFT's files, the reference's in a folder of their own, and the optimizer's state.
    ///
    /// # Errors
    /// `Io`.
    pub fn save(&self, directory: &Path, cx: &CallContext<'_>) -> Result<()> {
        cx.check()?;
        let (prefix, base) = (self.names.prefix(), &self.names.base);
        self.adapter.save(directory, prefix, base).map_err(unsaved)?;
        self.reference_adapter.save(&directory.join(REFERENCE), prefix, base).map_err(unsaved)?;
        self.learner.save(directory)
    }

    /// Reads what [`LoraPolicy::save`] wrote; everything stays as it was if that fails.
    ///
    /// # Errors
    /// `MissingWeights`, `BadWeights`.
    pub fn load(&mut self, directory: &Path, decoder: &mut Decoder, cx: &CallContext<'_>) -> Result<()> {
        cx.check()?;
        let adapter = read_adapter(&self.names, directory, decoder)?;
        let reference_adapter = read_adapter(&self.names, &directory.join(REFERENCE), decoder)?;
        let learner = self.learner.saved(directory)?;
        decoder.attach(&adapter).map_err(plugin_error)?;
        self.reference.attach(&reference_adapter).map_err(plugin_error)?;
        (self.adapter, self.reference_adapter, self.learner) = (adapter, reference_adapter, learner);
        Ok(())
    }
}
