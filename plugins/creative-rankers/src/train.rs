//! The trainable half: gradients of pairs, steps of AdamW, saves.

use crate::loss::{Labels, Losses};
use crate::network::{Network, Sight, learn};
use crate::ranker::{Ranker, Shown, Trained};
use adeval_candle::plugin_error;
use adeval_models::training::Gradients;
use adeval_sdk::prelude::*;
use candle_core::{Device, Tensor, Var};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::path::Path;

/// Pairs whose gradients one task adds up. Tasks of fixed size, and their sums in order: the result is the same on any number of
/// threads.
const TASK: usize = 4;
/// Pairs that are in memory as their networks see them.
const WAVE: usize = 32;

type Seen<R> = <<R as Ranker>::Network as Network>::Seen;

impl<R: Ranker> Trained<R> {
    fn labels(&self, item: &LabelledPair) -> Labels {
        Labels { left: item.left, ctr: item.ctr, point_weight: self.common.point_weight }
    }

    /// Adds the gradients of some pairs to `sum`.
    fn wave(
        &self,
        pairs: &[LabelledPair],
        seed: u64,
        cx: &CallContext<'_>,
        sum: &mut [f64],
    ) -> Result<Losses> {
        let pictures = pairs.iter().map(|item| &item.pair);
        let shown: Vec<Shown<'_>> =
            pictures.flat_map(|p| [(&p.product, &p.left), (&p.product, &p.right)]).collect();
        let sights = self.ranker.look(&shown, cx).into_iter().collect::<Result<Vec<_>>>()?;
        let tasks = pairs.par_chunks(TASK).zip(sights.par_chunks(2 * TASK));
        let parts: Vec<Result<(Vec<f32>, Losses)>> =
            tasks.map(|(pairs, sights)| self.task(pairs, sights, seed, cx)).collect();
        let mut losses = Losses::default();
        for part in parts {
            let (gradient, part) = part?;
            sum.iter_mut().zip(gradient).for_each(|(sum, g)| *sum += f64::from(g));
            losses.add(part);
        }
        Ok(losses)
    }

    fn task(
        &self,
        pairs: &[LabelledPair],
        sights: &[Sight<Seen<R>>],
        seed: u64,
        cx: &CallContext<'_>,
    ) -> Result<(Vec<f32>, Losses)> {
        let mut gradient = vec![0f32; self.weights.len()];
        let mut sum = Losses::default();
        for (item, sides) in pairs.iter().zip(sights.chunks_exact(2)) {
            cx.check()?;
            let labels = self.labels(item);
            let sides = [&sides[0], &sides[1]];
            let losses = learn(self.ranker.network(), &self.weights, sides, &labels, seed, &mut gradient);
            let loss = losses.total(self.common.point_weight);
            if !loss.is_finite() {
                let message =
                    format!("{}: the loss of a pair of \"{}\" is {loss}", R::ID, item.pair.product.id);
                return Err(PluginError::new(ErrorKind::Numerical, message)
                    .with_hint("load an earlier save, and train at a lower rate or with max_grad_norm"));
            }
            sum.add(losses);
        }
        Ok((gradient, sum))
    }

    fn norm(&self) -> f64 {
        self.gradient.iter().map(|g| g * g).sum::<f64>().sqrt()
    }

    /// The weights as the optimizer's variables, and their gradients times `factor`.
    fn variables(&self, factor: f64) -> adeval_models::Result<(BTreeMap<String, Var>, Gradients)> {
        let (mut variables, mut gradients) = (BTreeMap::new(), Gradients::default());
        for entry in self.ranker.network().layout().entries() {
            let range = entry.slot.range();
            let weights = Tensor::from_slice(&self.weights[range.clone()], &entry.shape[..], &Device::Cpu)?;
            let gradient: Vec<f32> = self.gradient[range].iter().map(|g| (g * factor) as f32).collect();
            variables.insert(entry.name.clone(), Var::from_tensor(&weights)?);
            gradients.add(&entry.name, &Tensor::from_vec(gradient, &entry.shape[..], &Device::Cpu)?)?;
        }
        Ok((variables, gradients))
    }

    /// Weights and optimizer after a step; `self` stays as it is.
    fn moved(
        &self,
        options: &TrainingOptions,
        norm: f64,
    ) -> Result<(Vec<f32>, adeval_models::training::AdamW)> {
        let clip = options.max_grad_norm.filter(|most| norm > *most).map_or(1.0, |most| most / norm);
        let (variables, gradients) = self.variables(clip).map_err(plugin_error)?;
        let mut optimizer = self.optimizer.clone();
        optimizer.set_weight_decay(options.weight_decay);
        optimizer.step(&variables, &gradients, options.learning_rate).map_err(plugin_error)?;
        let mut weights = Vec::with_capacity(self.weights.len());
        for entry in self.ranker.network().layout().entries() {
            let values = variables[&entry.name].flatten_all().and_then(|t| t.to_vec1::<f32>());
            weights.extend(values.map_err(|e| plugin_error(e.into()))?);
        }
        Ok((weights, optimizer))
    }
}

impl<R: Ranker> Trainable for Trained<R> {
    type Example = LabelledPair;

    fn accumulate_gradient(
        &mut self,
        pairs: &[LabelledPair],
        options: &GradientOptions,
        cx: &CallContext<'_>,
    ) -> Result<TrainingReport> {
        options.validate()?;
        if pairs.is_empty() {
            return Err(PluginError::invalid_request(format!("{}: no pairs to learn from", R::ID)));
        }
        pairs.iter().try_for_each(LabelledPair::validate)?;
        let mut sum = vec![0.0; self.weights.len()];
        let mut losses = Losses::default();
        for (number, wave) in pairs.chunks(WAVE).enumerate() {
            cx.check()?;
            cx.progress((number * WAVE) as f32 / pairs.len() as f32, "learning from pairs");
            losses.add(self.wave(wave, options.seed, cx, &mut sum)?);
        }
        let count = pairs.len() as f64;
        self.gradient.iter_mut().zip(sum).for_each(|(g, s)| *g += options.weight * s / count);
        let metrics = [
            ("loss/preference", losses.preference / count),
            ("loss/point", losses.point / count),
            ("accuracy", losses.correct / count),
        ];
        Ok(TrainingReport {
            loss: Some(losses.total(self.common.point_weight) / count),
            grad_norm: Some(self.norm()),
            metrics: metrics.map(|(name, value)| (name.to_owned(), value)).into(),
        })
    }

    fn step(&mut self, options: &TrainingOptions, cx: &CallContext<'_>) -> Result<TrainingReport> {
        options.validate()?;
        cx.check()?;
        let norm = self.norm();
        let fault = |what: String| {
            PluginError::new(ErrorKind::Numerical, format!("{}: {what}", R::ID))
                .with_hint("lower the learning rate, or set max_grad_norm")
        };
        if !norm.is_finite() {
            self.clear_gradient()?;
            return Err(fault(format!("the gradient's norm is {norm}")));
        }
        let outcome = self.moved(options, norm);
        self.clear_gradient()?;
        let (weights, optimizer) = outcome?;
        if !weights.iter().all(|w| w.is_finite()) {
            return Err(fault(format!("a gradient of norm {norm} gives no finite step")));
        }
        (self.weights, self.optimizer) = (weights, optimizer);
        let (trained, total) = self.counts();
        let metrics = [("parameters/trained", trained as f64), ("parameters/total", total as f64)];
        Ok(TrainingReport {
            loss: None,
            grad_norm: Some(norm),
            metrics: metrics.map(|(name, value)| (name.to_owned(), value)).into(),
        })
    }

    fn clear_gradient(&mut self) -> Result<()> {
        self.gradient.fill(0.0);
        Ok(())
    }

    fn save(&self, directory: &Path, cx: &CallContext<'_>) -> Result<()> {
        cx.check()?;
        self.saver().save(directory, &self.weights, &self.optimizer)
    }

    fn load(&mut self, directory: &Path, cx: &CallContext<'_>) -> Result<()> {
        cx.check()?;
        self.read(directory)?;
        self.clear_gradient()
    }
}
