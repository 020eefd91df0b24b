//! Epochs over the training pairs, until the loss on the validation pairs falls no more.

use super::data::Pictures;
use super::pairs::Labelled;
use super::state::State;
use super::student::{Answer, Student};
use crate::train::metrics::{MetricsLine, MetricsLog, Of};
use crate::train::schedule::{cosine, shuffled};
use crate::train::{TrainError, checkpoint};
use adeval_sdk::{PluginError, rng};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A model in training.
pub struct Fit<'a> {
    pub student: &'a Student<'a>,
    /// The model's directory.
    pub dir: &'a Path,
}

/// What a model said of pairs against their labels.
struct Loss {
    /// Mean cross-entropy over both orders, nats.
    cross_entropy: f64,
    /// Share of pairs ordered as their labels are; ties count a half.
    accuracy: f64,
}

impl Fit<'_> {
    /// Trains, or goes on; the model then holds its best checkpoint, which is kept in `best`.
    pub fn run(&self, pictures: &mut Pictures<'_>) -> Result<State, TrainError> {
        let settings = self.student.plan.recipe.training_of(self.student.planned.model);
        let (mut state, mut log) = match State::read(self.dir) {
            Some(state) => {
                self.load(state.epoch)?;
                let log = MetricsLog::open(self.dir, state.metrics_bytes)?;
                (state, log)
            }
            None => self.begin(pictures)?,
        };
        while state.epoch < settings.epochs && state.epoch - state.best_epoch < settings.patience {
            self.epoch(&mut state, &mut log, pictures)?;
        }
        self.load(state.best_epoch)?;
        checkpoint::save(self.dir, "best", |directory| self.student.save(directory))?;
        Ok(state)
    }

    fn checkpoints(&self) -> PathBuf {
        self.dir.join("checkpoints")
    }

    fn load(&self, epoch: u32) -> Result<(), TrainError> {
        self.student.load(&self.checkpoints().join(State::checkpoint(epoch)))
    }

    /// The model as it is, which every later epoch is measured against.
    fn begin(&self, pictures: &mut Pictures<'_>) -> Result<(State, MetricsLog), TrainError> {
        let log = MetricsLog::open(self.dir, 0)?;
        let mut state = State {
            epoch: 0,
            steps: 0,
            best_epoch: 0,
            best_loss: f64::INFINITY,
            metrics_bytes: 0,
            examples: 0,
            training_seconds: 0.0,
            parameters: None,
        };
        let mut log = log;
        self.keep(&mut state, &mut log, BTreeMap::new(), pictures)?;
        Ok((state, log))
    }

    fn epoch(
        &self,
        state: &mut State,
        log: &mut MetricsLog,
        pictures: &mut Pictures<'_>,
    ) -> Result<(), TrainError> {
        let plan = self.student.plan;
        let settings = plan.recipe.training_of(self.student.planned.model);
        let pairs = &plan.training.pairs;
        let an_epoch = pairs.len().div_ceil(settings.batch) as u64;
        let all = an_epoch * u64::from(settings.epochs);
        let warm_up = (settings.warm_up * all as f64).round() as u64;
        let epoch = state.epoch + 1;
        let order = shuffled(pairs.len(), rng::derive(plan.recipe.seed, &["epoch", &epoch.to_string()]));
        let title = format!("{}: epoch {epoch}", self.student.planned.model.id);
        self.student.calls.services.progress.stage(&title, pairs.len());
        let started = self.student.calls.clock.seconds();
        let mut means: BTreeMap<String, f64> = BTreeMap::new();
        for batch in order.chunks(settings.batch) {
            let batch: Vec<Labelled> = batch.iter().map(|at| pairs[*at]).collect();
            let rate = settings.learning_rate * cosine(state.steps, all, warm_up);
            let step = self.student.step(&batch, pictures, rate, state.steps);
            let metrics = step.map_err(|error| self.step_failed(state, &batch, error))?;
            state.steps += 1;
            state.examples += batch.len() as u64 * if plan.recipe.both_orders { 2 } else { 1 };
            note_parameters(state, &metrics);
            for (name, value) in &metrics {
                *means.entry(format!("training/{name}")).or_default() += value / an_epoch as f64;
            }
            self.student.calls.services.progress.advance(batch.len());
            log.add(MetricsLine { of: Of::Step, step: state.steps, epoch, metrics })?;
        }
        state.training_seconds += self.student.calls.clock.seconds() - started;
        state.epoch = epoch;
        self.keep(state, log, means, pictures)
    }

    /// Keeps the model, reads it back, looks at the validation pairs, and notes all of it.
    fn keep(
        &self,
        state: &mut State,
        log: &mut MetricsLog,
        mut metrics: BTreeMap<String, f64>,
        pictures: &mut Pictures<'_>,
    ) -> Result<(), TrainError> {
        let plan = self.student.plan;
        let name = State::checkpoint(state.epoch);
        checkpoint::save(&self.checkpoints(), &name, |directory| self.student.save(directory))?;
        // What a resumed training would go on with is what this one goes on with.
        self.load(state.epoch)?;
        let title = format!("{}: validation", self.student.planned.model.id);
        self.student.calls.services.progress.stage(&title, plan.validation.pairs.len());
        let (answers, refused) = self.student.answers(&plan.validation.pairs, pictures)?;
        let Some(loss) = loss(&plan.validation.pairs, &answers) else {
            let error =
                refused.unwrap_or_else(|| PluginError::invalid_request("it answered no validation pair"));
            return Err(self.student.calls.failed(&self.student.planned.component, error));
        };
        metrics.insert("validation/cross_entropy".into(), loss.cross_entropy);
        metrics.insert("validation/accuracy".into(), loss.accuracy);
        log.add(MetricsLine { of: Of::Epoch, step: state.steps, epoch: state.epoch, metrics })?;
        let before = state.best_epoch;
        if loss.cross_entropy < state.best_loss {
            state.best_loss = loss.cross_entropy;
            state.best_epoch = state.epoch;
        }
        state.metrics_bytes = log.commit()?;
        state.write(self.dir)?;
        self.forget(state, before);
        Ok(())
    }

    /// Removes the checkpoints that nothing refers to any more; that one stays does no harm.
    fn forget(&self, state: &State, best_before: u32) {
        for epoch in [best_before, state.epoch.saturating_sub(1)] {
            if epoch != state.epoch && epoch != state.best_epoch {
                let _ = checkpoint::remove(&self.checkpoints().join(State::checkpoint(epoch)));
            }
        }
    }

    /// What a step that failed is told as: epoch, step, products, and where the last good model is.
    fn step_failed(&self, state: &State, batch: &[Labelled], error: TrainError) -> TrainError {
        let TrainError::Component { error, user } = error else { return error };
        let products = &self.student.plan.shop.products;
        let mut names: Vec<&str> =
            batch.iter().map(|pair| products[pair.product].product.id.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        TrainError::Step {
            epoch: state.epoch + 1,
            step: state.steps + 1,
            products: names.join(", "),
            error: PluginError { message: format!("{user}: {}", error.message), ..error },
            kept: self.checkpoints().join(State::checkpoint(state.epoch)),
        }
    }
}

fn note_parameters(state: &mut State, metrics: &BTreeMap<String, f64>) {
    let count = |name: &str| metrics.get(name).filter(|n| n.is_finite() && **n >= 0.0).map(|n| *n as u64);
    if let (Some(trained), Some(total)) = (count("parameters/trained"), count("parameters/total")) {
        state.parameters = Some([trained, total]);
    }
}

/// The least probability that a label is held against: a sure answer that is wrong costs 16 nats, and no infinity.
const LEAST: f64 = 1e-7;

/// `None` when nothing was answered.
fn loss(pairs: &[Labelled], answers: &[Option<Answer>]) -> Option<Loss> {
    let (mut entropy, mut right, mut count) = (0.0, 0.0, 0.0);
    for (pair, answer) in pairs.iter().zip(answers) {
        let Some([first_left, second_left]) = answer else { continue };
        for p in [*first_left, 1.0 - second_left] {
            let p = p.clamp(LEAST, 1.0 - LEAST);
            entropy -= f64::midpoint(pair.first * p.ln(), (1.0 - pair.first) * (1.0 - p).ln());
        }
        let p = f64::midpoint(*first_left, 1.0 - second_left);
        let tie = p == 0.5 || pair.first == 0.5;
        right += if tie { 0.5 } else { f64::from(u8::from((p > 0.5) == (pair.first > 0.5))) };
        count += 1.0;
    }
    (count > 0.0).then(|| Loss { cross_entropy: entropy / count, accuracy: right / count })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_is_the_mean_over_both_orders_of_what_was_answered() {
        let pair =
            |first| Labelled { product: 0, creatives: [0, 1], first, ctr: [0.1, 0.2], first_left: true };
        let pairs = [pair(1.0), pair(0.0), pair(1.0)];
        let answers = [Some([0.8, 0.4]), None, Some([0.5, 0.5])];
        let found = loss(&pairs, &answers).unwrap();
        let by_hand = -(f64::midpoint(0.8_f64.ln(), 0.6_f64.ln()) + 0.5_f64.ln()) / 2.0;
        // A half of the sum of two orders is their mean.
        assert!((found.cross_entropy - by_hand).abs() < 1e-12, "{}", found.cross_entropy);
        assert_eq!(found.accuracy, 0.75);
        assert!(loss(&pairs, &[None, None, None]).is_none());
        let sure = loss(&pairs[..1], &[Some([0.0, 1.0])]).unwrap();
        assert!(sure.cross_entropy.is_finite());
    }
}
