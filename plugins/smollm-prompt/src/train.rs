//! The trainable half: a LoRA adapter, a reference over the same weights, and AdamW.

use std::path::Path;

use adeval_candle::plugin_error;
use adeval_models::decoder::{Decoder, Pass};
use adeval_models::generation::Prompt;
use adeval_models::lora::{LoraAdapter, LoraConfig};
use adeval_models::training::{AdamW, AdamWConfig, Example, Gradients, Memory, accumulate, log_probs};
use adeval_sdk::prelude::*;
use candle_core::Device;

use crate::model::Model;
use crate::{Parameters, SmolLmPrompt};

/// What the names of the adapter's layers begin with in PEFT's files.
const PREFIX: &str = "base_model.model.model.";
const REFERENCE: &str = "reference";
const OPTIMIZER: &str = "optimizer.safetensors";

/// What training changes.
pub struct State {
    adapter: LoraAdapter,
    /// The same frozen weights under a copy of the adapter.
    reference: Decoder,
    reference_adapter: LoraAdapter,
    gradients: Gradients,
    optimizer: AdamW,
}

impl State {
    /// An adapter that changes nothing yet. It is put on at the first step, so that prompts cost nothing more before.
    pub fn new(parameters: &Parameters, model: &Model) -> Result<Self> {
        let config = LoraConfig {
            rank: parameters.lora_rank as usize,
            alpha: parameters.lora_alpha,
            dropout: parameters.lora_dropout,
            ..LoraConfig::default()
        };
        let adapter = LoraAdapter::new(config, &model.decoder, 0).map_err(plugin_error)?;
        let reference_adapter = adapter.duplicate().map_err(plugin_error)?;
        Ok(Self {
            adapter,
            reference: model.decoder.share(),
            reference_adapter,
            gradients: Gradients::default(),
            optimizer: AdamW::new(AdamWConfig::default()),
        })
    }
}

impl SmolLmPrompt {
    fn example(&self, answer: &ConditionedAnswer) -> Result<Example> {
        let prompt = Prompt::text(self.condition(&answer.condition)?);
        Ok(Example { prompt, answer: answer.tokens.clone() })
    }

    /// Reads an adapter that fits a decoder.
    fn read(folder: &Path, decoder: &Decoder) -> Result<LoraAdapter> {
        LoraAdapter::read(folder, PREFIX, decoder).map_err(plugin_error)
    }
}

fn wide(rows: Vec<Vec<f32>>) -> Vec<Vec<f64>> {
    rows.into_iter().map(|row| row.into_iter().map(f64::from).collect()).collect()
}

impl TrainablePromptGenerator for SmolLmPrompt {
    /// One answer after the other: what is computed for it does not depend on the others.
    fn log_probs(
        &self,
        policy: Policy,
        answers: &[ConditionedAnswer],
        cx: &CallContext<'_>,
    ) -> Result<Vec<Vec<f64>>> {
        let decoder = match policy {
            Policy::Current => &self.model.decoder,
            Policy::Reference => &self.training.reference,
        };
        let mut all = Vec::with_capacity(answers.len());
        for answer in answers {
            cx.check()?;
            if answer.tokens.is_empty() {
                all.push(Vec::new());
                continue;
            }
            let example = [self.example(answer)?];
            all.extend(wide(log_probs(decoder, &example, Pass::Inference).map_err(plugin_error)?));
        }
        Ok(all)
    }

    fn set_reference(&mut self) -> Result<()> {
        let copy = self.training.adapter.duplicate().map_err(plugin_error)?;
        self.training.reference.attach(&copy).map_err(plugin_error)?;
        self.training.reference_adapter = copy;
        Ok(())
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
        options.validate()?;
        self.model.decoder.attach(&self.training.adapter).map_err(plugin_error)?;
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
            if tokens == 0 {
                continue;
            }
            let example = [self.example(&item.answer)?];
            // Each example leaves out other inputs.
            let dropout = rng::derive(options.seed, &[&number.to_string()]);
            accumulate(
                &self.model.decoder,
                &example,
                std::slice::from_ref(&item.loss_by_log_prob),
                options.weight,
                Some(dropout),
                Memory::Inputs,
                &mut self.training.gradients,
            )
            .map_err(plugin_error)?;
        }
        Ok(TrainingReport::default())
    }

    fn step(&mut self, options: &TrainingOptions, cx: &CallContext<'_>) -> Result<TrainingReport> {
        options.validate()?;
        cx.check()?;
        let State { adapter, gradients, optimizer, .. } = &mut self.training;
        let norm = match options.max_grad_norm {
            Some(most) => gradients.clip(most),
            None => gradients.norm(),
        };
        let norm = norm.map_err(plugin_error)?;
        optimizer.set_weight_decay(options.weight_decay);
        optimizer.step(&adapter.variables(), gradients, options.learning_rate).map_err(plugin_error)?;
        gradients.clear();
        Ok(TrainingReport { loss: None, grad_norm: Some(norm), metrics: Default::default() })
    }

    fn clear_gradient(&mut self) -> Result<()> {
        self.training.gradients.clear();
        Ok(())
    }

    /// PEFT's files, the reference's in a folder of their own, and the optimizer's state.
    fn save(&self, directory: &Path, cx: &CallContext<'_>) -> Result<()> {
        cx.check()?;
        let State { adapter, reference_adapter, optimizer, .. } = &self.training;
        let failed = |e: adeval_models::ModelError| PluginError::new(ErrorKind::Io, e.to_string());
        adapter.save(directory, PREFIX, &self.model.name).map_err(failed)?;
        reference_adapter.save(&directory.join(REFERENCE), PREFIX, &self.model.name).map_err(failed)?;
        optimizer.save(&directory.join(OPTIMIZER)).map_err(failed)
    }

    fn load(&mut self, directory: &Path, cx: &CallContext<'_>) -> Result<()> {
        cx.check()?;
        let decoder = &self.model.decoder;
        let adapter = Self::read(directory, decoder)?;
        let reference_adapter = Self::read(&directory.join(REFERENCE), decoder)?;
        let optimizer =
            AdamW::read(&directory.join(OPTIMIZER), self.training.optimizer.config(), &Device::Cpu);
        let optimizer = optimizer.map_err(plugin_error)?;
        self.model.decoder.attach(&adapter).map_err(plugin_error)?;
        self.training.reference.attach(&reference_adapter).map_err(plugin_error)?;
        let State { adapter: a, reference_adapter: r, gradients, optimizer: o, .. } = &mut self.training;
        (*a, *r, *o) = (adapter, reference_adapter, optimizer);
        gradients.clear();
        Ok(())
    }
}
