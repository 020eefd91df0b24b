//! The trainable half: gradients of labelled pairs, steps of AdamW, saves.

use std::path::Path;
use std::sync::PoisonError;

use adeval_candle::{plugin_error, training};
use adeval_models::llava::reward::{Label, Learning, Losses, Pair};
use adeval_sdk::prelude::*;

use crate::LlavaReward;
use crate::model::{Model, Trained};
use crate::subject::subject;

/// Sums over pairs.
#[derive(Default)]
struct Sums {
    preference: f64,
    point: f64,
    correct: f64,
}

impl Sums {
    fn add(&mut self, losses: &Losses) {
        self.preference += losses.preference;
        self.point += losses.point;
        self.correct += losses.correct;
    }

    fn report(&self, count: f64, point_weight: f64, norm: f64) -> TrainingReport {
        let metrics = [
            ("loss/preference", self.preference / count),
            ("loss/point", self.point / count),
            ("accuracy", self.correct / count),
        ];
        TrainingReport {
            loss: Some((self.preference + point_weight * self.point) / count),
            grad_norm: Some(norm),
            metrics: metrics.map(|(name, value)| (name.to_owned(), value)).into(),
        }
    }
}

impl Model {
    /// Adds the gradient of some pairs' losses, each times `weight`.
    fn learn(&mut self, items: &[LabelledPair], learning: &Learning, wording: u64) -> Result<Vec<Losses>> {
        let seen: Vec<_> = items
            .iter()
            .map(|LabelledPair { pair, .. }| {
                (pair.left.to_rgb(), pair.right.to_rgb(), subject(&pair.product))
            })
            .collect();
        let pairs: Vec<(Pair, Label)> = seen
            .iter()
            .zip(items)
            .map(|((left, right, subject), item)| {
                let label = Label { left: item.left, rates: item.ctr.map(|(left, right)| [left, right]) };
                (Pair { left, right, subject, seed: wording }, label)
            })
            .collect();
        self.accumulate(&pairs, learning).map_err(plugin_error)
    }
}

impl LlavaReward {
    fn alone(&mut self) -> (&crate::Parameters, &mut Model) {
        (&self.parameters, self.model.get_mut().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Trainable for LlavaReward {
    type Example = LabelledPair;

    fn accumulate_gradient(
        &mut self,
        pairs: &[LabelledPair],
        options: &GradientOptions,
        cx: &CallContext<'_>,
    ) -> Result<TrainingReport> {
        options.validate()?;
        if pairs.is_empty() {
            return Err(PluginError::invalid_request("llava-reward: no pairs to learn from"));
        }
        pairs.iter().try_for_each(LabelledPair::validate)?;
        let (parameters, model) = self.alone();
        model.begin()?;
        let count = pairs.len() as f64;
        let mut learning = Learning {
            weight: options.weight / count,
            point_weight: parameters.point_weight,
            dropout: None,
            memory: training::memory(model.judge.llava().decoder()),
        };
        // What is left out of a pair must not depend on the pairs beside it.
        let batch = if parameters.lora_dropout > 0.0 { 1 } else { parameters.batch as usize };
        let mut sums = Sums::default();
        for (number, items) in pairs.chunks(batch).enumerate() {
            cx.check()?;
            cx.progress((number * batch) as f32 / count as f32, "learning from pairs");
            if parameters.lora_dropout > 0.0 {
                learning.dropout = Some(rng::derive(options.seed, &[&number.to_string()]));
            }
            let losses = model.learn(items, &learning, parameters.wording)?;
            losses.iter().for_each(|losses| sums.add(losses));
        }
        let norm = model.learner.gradients.norm().map_err(plugin_error)?;
        Ok(sums.report(count, parameters.point_weight, norm))
    }

    fn step(&mut self, options: &TrainingOptions, cx: &CallContext<'_>) -> Result<TrainingReport> {
        let model = self.alone().1;
        let mut report = model.learner.step(&model.variables(), options, cx)?;
        if let Trained::All(_) = model.trained {
            model.judge.llava_mut().refresh().map_err(plugin_error)?;
        }
        let [trained, total] = model.counts();
        let counts = [("parameters/trained", trained as f64), ("parameters/total", total as f64)];
        report.metrics.extend(counts.map(|(name, value)| (name.to_owned(), value)));
        Ok(report)
    }

    fn clear_gradient(&mut self) -> Result<()> {
        self.alone().1.learner.gradients.clear();
        Ok(())
    }

    fn save(&self, directory: &Path, cx: &CallContext<'_>) -> Result<()> {
        cx.check()?;
        self.model.lock().unwrap_or_else(PoisonError::into_inner).save(directory)
    }

    fn load(&mut self, directory: &Path, cx: &CallContext<'_>) -> Result<()> {
        cx.check()?;
        let model = self.alone().1;
        model.read(directory)?;
        model.learner.gradients.clear();
        Ok(())
    }
}
