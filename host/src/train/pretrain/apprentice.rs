//! A prompt generator that learns from instructions.

use super::recipe::Recipe;
use crate::bench::{OpenComponent, PlannedComponent};
use crate::train::TrainError;
use crate::train::calls::{Calls, finite};
use crate::train::supervised::{Learner, Metrics, Training};
use adeval_sdk::client::PromptClient;
use adeval_sdk::{GradientOptions, Instruction, PluginError, TrainingOptions, rng};
use std::path::Path;

/// Instructions by what they are for.
pub struct Parts {
    pub training: Vec<Instruction>,
    pub validation: Vec<Instruction>,
    pub held_out: Vec<Instruction>,
}

/// An open generator with its lessons.
pub struct Apprentice<'a> {
    pub recipe: &'a Recipe,
    pub component: &'a PlannedComponent,
    pub calls: Calls<'a>,
    pub parts: &'a Parts,
    client: PromptClient,
    /// Drops the worker when the apprentice goes.
    _open: Box<dyn OpenComponent>,
}

impl<'a> Apprentice<'a> {
    pub fn open(
        recipe: &'a Recipe,
        component: &'a PlannedComponent,
        calls: Calls<'a>,
        parts: &'a Parts,
    ) -> Result<Self, TrainError> {
        let open = calls.open(component)?;
        let client = PromptClient::new(open.endpoint());
        Ok(Self { recipe, component, calls, parts, client, _open: open })
    }

    /// The loss of each instruction in nats a token.
    pub fn losses(&self, instructions: &[Instruction]) -> Result<Vec<f64>, TrainError> {
        let mut all = Vec::with_capacity(instructions.len());
        for chunk in instructions.chunks(self.recipe.training.examples_per_call) {
            all.extend(self.calls.call(self.component, |cx| self.client.instruction_losses(chunk, cx))?);
            self.calls.services.progress.advance(chunk.len());
        }
        Ok(all)
    }
}

impl Learner for Apprentice<'_> {
    fn name(&self) -> &str {
        &self.component.usage.component
    }

    fn calls(&self) -> Calls<'_> {
        self.calls
    }

    fn settings(&self) -> &Training {
        &self.recipe.training
    }

    fn seed(&self) -> u64 {
        self.recipe.seed
    }

    fn examples(&self) -> usize {
        self.parts.training.len()
    }

    fn product(&self, example: usize) -> &str {
        &self.parts.training[example].condition.id
    }

    fn step(&mut self, batch: &[usize], rate: f64, number: u64) -> Result<Metrics, TrainError> {
        let settings = &self.recipe.training;
        let chosen: Vec<Instruction> = batch.iter().map(|at| self.parts.training[*at].clone()).collect();
        let mut loss = 0.0;
        for (part, chunk) in chosen.chunks(settings.examples_per_call).enumerate() {
            let weight = chunk.len() as f64 / chosen.len() as f64;
            let chance = ["gradient", &number.to_string(), &part.to_string()];
            let options = GradientOptions { weight, seed: rng::derive(self.recipe.seed, &chance) };
            let report = self.calls.call(self.component, |cx| {
                let report = self.client.accumulate_instructions(chunk, &options, cx)?;
                finite(report.loss)?;
                Ok(report)
            })?;
            loss += weight * report.loss.unwrap_or(f64::NAN);
        }
        let options = TrainingOptions {
            learning_rate: rate,
            max_grad_norm: settings.max_grad_norm,
            weight_decay: settings.weight_decay,
        };
        let training = self.client.training();
        let report = self.calls.call(self.component, |cx| training.step(&options, cx))?;
        let mut metrics: Metrics = report.metrics;
        metrics.insert("loss".into(), loss);
        metrics.insert("learning_rate".into(), rate);
        metrics.extend(report.grad_norm.map(|norm| ("grad_norm".to_owned(), norm)));
        Ok(metrics)
    }

    fn validation_examples(&self) -> usize {
        self.parts.validation.len()
    }

    fn validate(&mut self) -> Result<(f64, Metrics), TrainError> {
        let losses = self.losses(&self.parts.validation)?;
        let mean = losses.iter().sum::<f64>() / losses.len() as f64;
        Ok((mean, Metrics::from([("validation/perplexity".into(), mean.exp())])))
    }

    fn save(&self, directory: &Path) -> Result<(), PluginError> {
        self.client.training().save(directory, &adeval_sdk::CallContext::detached())
    }

    fn load(&self, directory: &Path) -> Result<(), TrainError> {
        let training = self.client.training();
        self.calls.call(self.component, |cx| training.load(directory, cx))
    }
}
