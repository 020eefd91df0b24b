//! The loop.

use super::{State, Training};
use crate::train::calls::Calls;
use crate::train::metrics::{MetricsLine, MetricsLog, Of};
use crate::train::schedule::{cosine, shuffled};
use crate::train::{TrainError, checkpoint};
use adeval_sdk::{PluginError, rng};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Values by name.
pub type Metrics = BTreeMap<String, f64>;

/// What learns.
pub trait Learner {
    /// Its name, for people.
    fn name(&self) -> &str;
    /// How it is called.
    fn calls(&self) -> Calls<'_>;
    /// How it is trained.
    fn settings(&self) -> &Training;
    /// Seed of the order of examples.
    fn seed(&self) -> u64;
    /// How many examples there are.
    fn examples(&self) -> usize;
    /// The product of an example.
    fn product(&self, example: usize) -> &str;
    /// One optimizer step on some examples; `number` counts steps from 0.
    fn step(&mut self, batch: &[usize], rate: f64, number: u64) -> Result<Metrics, TrainError>;
    /// How many examples decide when to stop.
    fn validation_examples(&self) -> usize;
    /// The loss on them, and what else there is to tell.
    fn validate(&mut self) -> Result<(f64, Metrics), TrainError>;
    /// Saves the model.
    fn save(&self, directory: &Path) -> Result<(), PluginError>;
    /// Reads what was saved.
    fn load(&self, directory: &Path) -> Result<(), TrainError>;
}

/// A training in its directory.
pub struct Fit<'a, L> {
    /// What learns.
    pub learner: &'a mut L,
    /// Where all of it is kept.
    pub dir: &'a Path,
}

impl<L: Learner> Fit<'_, L> {
    /// Trains, or goes on; the model then holds its best checkpoint, which is kept in `best`.
    ///
    /// # Errors
    /// [`TrainError`]; what was kept before stays.
    pub fn run(&mut self) -> Result<State, TrainError> {
        let (mut state, mut log) = match State::read(self.dir) {
            Some(state) => {
                self.load(state.epoch)?;
                let log = MetricsLog::open(self.dir, state.metrics_bytes)?;
                (state, log)
            }
            None => self.begin()?,
        };
        let Training { epochs, patience, .. } = *self.learner.settings();
        while state.epoch < epochs && state.epoch - state.best_epoch < patience {
            self.epoch(&mut state, &mut log)?;
        }
        self.load(state.best_epoch)?;
        checkpoint::save(self.dir, "best", |directory| self.learner.save(directory))?;
        Ok(state)
    }

    fn checkpoints(&self) -> PathBuf {
        self.dir.join("checkpoints")
    }

    fn load(&self, epoch: u32) -> Result<(), TrainError> {
        self.learner.load(&self.checkpoints().join(State::checkpoint(epoch)))
    }

    /// The model as it is, which every later epoch is measured against.
    fn begin(&mut self) -> Result<(State, MetricsLog), TrainError> {
        let (mut state, mut log) = (State::default(), MetricsLog::open(self.dir, 0)?);
        self.keep(&mut state, &mut log, Metrics::new())?;
        Ok((state, log))
    }

    fn epoch(&mut self, state: &mut State, log: &mut MetricsLog) -> Result<(), TrainError> {
        let Training { epochs, learning_rate, warm_up, batch, .. } = *self.learner.settings();
        let count = self.learner.examples();
        let an_epoch = count.div_ceil(batch) as u64;
        let all = an_epoch * u64::from(epochs);
        let warm_up = (warm_up * all as f64).round() as u64;
        let epoch = state.epoch + 1;
        let order = shuffled(count, rng::derive(self.learner.seed(), &["epoch", &epoch.to_string()]));
        let title = format!("{}: epoch {epoch}", self.learner.name());
        self.learner.calls().services.progress.stage(&title, count);
        let started = self.learner.calls().clock.seconds();
        let mut means = Metrics::new();
        for chosen in order.chunks(batch) {
            let rate = learning_rate * cosine(state.steps, all, warm_up);
            let step = self.learner.step(chosen, rate, state.steps);
            let metrics = step.map_err(|error| self.step_failed(state, chosen, error))?;
            state.steps += 1;
            state.examples += chosen.len() as u64;
            note_parameters(state, &metrics);
            for (name, value) in &metrics {
                *means.entry(format!("training/{name}")).or_default() += value / an_epoch as f64;
            }
            let progress = self.learner.calls().services.progress;
            progress
                .note(0.0, &metrics.get("loss").map_or_else(String::new, |loss| format!("loss {loss:.4}")));
            progress.advance(chosen.len());
            log.add(MetricsLine { of: Of::Step, step: state.steps, epoch, metrics })?;
        }
        state.training_seconds += self.learner.calls().clock.seconds() - started;
        state.epoch = epoch;
        self.keep(state, log, means)
    }

    /// Keeps the model, reads it back, looks at the validation examples, and notes all of it.
    fn keep(
        &mut self,
        state: &mut State,
        log: &mut MetricsLog,
        mut metrics: Metrics,
    ) -> Result<(), TrainError> {
        let name = State::checkpoint(state.epoch);
        checkpoint::save(&self.checkpoints(), &name, |directory| self.learner.save(directory))?;
        // What a resumed training would go on with is what this one goes on with.
        self.load(state.epoch)?;
        let title = format!("{}: validation", self.learner.name());
        self.learner.calls().services.progress.stage(&title, self.learner.validation_examples());
        let (loss, others) = self.learner.validate()?;
        metrics.insert("validation/loss".into(), loss);
        metrics.extend(others);
        log.add(MetricsLine { of: Of::Epoch, step: state.steps, epoch: state.epoch, metrics })?;
        let before = state.best_epoch;
        if state.best_loss.is_none_or(|best| loss < best) {
            state.best_loss = Some(loss);
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
    fn step_failed(&self, state: &State, batch: &[usize], error: TrainError) -> TrainError {
        let TrainError::Component { error, user } = error else { return error };
        let mut names: Vec<&str> = batch.iter().map(|example| self.learner.product(*example)).collect();
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

fn note_parameters(state: &mut State, metrics: &Metrics) {
    let count = |name: &str| metrics.get(name).filter(|n| n.is_finite() && **n >= 0.0).map(|n| *n as u64);
    if let (Some(trained), Some(total)) = (count("parameters/trained"), count("parameters/total")) {
        state.parameters = Some([trained, total]);
    }
}
