//! The outer loop of CAIG (arXiv 2502.06823) over any prompt generator, background generator, reward model and optimizer:
//! sample a few prompts a product, render them, let the judge prefer, train on the preferences, and again with the new policy.
//!
//! Everything that is computed goes into a run store, the policy into adapters that appear whole or not at all, and where the
//! training is into `state.json`, which is replaced after what it refers to is on the disk. So a training that is killed
//! anywhere goes on from its last checkpoint and ends with the same bytes. The reference is the policy before the first epoch.

mod cast;
mod corrupt;
mod creatives;
mod epoch;
mod groups;
mod held_out;
mod learn;
mod plan;
mod recipe;
mod result;
mod rewards;
mod show;
mod state;
mod truth;

pub use recipe::{Recipe, RewardRule, Training};
pub use result::{EpochResult, RlResult};
pub use show::{SHEET, WORDS};
pub use truth::MarketLook;

use super::calls::Calls;
use super::metrics::MetricsLog;
use super::{TrainError, checkpoint};
use crate::bench::{Clock, PlannedComponent, Services};
use crate::store::Store;
use adeval_sdk::client::{OptimizerClient, PromptClient};
use adeval_sdk::{CallContext, OptimizerNeeds};
use cast::{Cast, Slot};
use plan::Plan;
use state::State;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// A training at work.
struct Work<'a> {
    plan: &'a Plan<'a>,
    store: &'a Store,
    services: &'a Services<'a>,
    clock: &'a Clock,
    needs: OptimizerNeeds,
    /// Samples a product.
    samples: u32,
}

impl Work<'_> {
    fn calls(&self) -> Calls<'_> {
        Calls { services: self.services, clock: self.clock, dir: self.store.dir() }
    }

    fn check_cancelled(&self) -> Result<(), TrainError> {
        self.calls().check_cancelled()
    }

    /// Calls a component under the clock.
    fn call<R>(
        &self,
        component: &PlannedComponent,
        call: impl FnOnce(&CallContext<'_>) -> adeval_sdk::Result<R>,
    ) -> Result<R, TrainError> {
        self.calls().call(component, call)
    }

    fn adapters(&self) -> PathBuf {
        self.store.dir().join("adapters")
    }
}

/// A finished training.
#[derive(Debug, Clone)]
pub struct RlOutcome {
    /// What `result.json` holds.
    pub result: RlResult,
    /// Where the training is.
    pub dir: PathBuf,
    /// Results of components that were computed by this call.
    pub computed: usize,
    /// Wall time of this call in seconds, and of it that inside components.
    pub seconds: (f64, f64),
}

/// Follows a recipe in a directory, or what is left of it.
///
/// # Errors
/// [`TrainError`]. A sample or creative that fails is no error: its product has a sample less in this epoch, and is counted.
pub fn run(recipe: &Recipe, dir: &Path, services: &Services<'_>) -> Result<RlOutcome, TrainError> {
    let (started, clock) = (Instant::now(), Clock::default());
    let plan = Plan::new(recipe, services)?;
    let store = Store::open(dir)?;
    plan.bind(dir)?;
    let mut cast = Cast {
        prompt: Slot::new(&plan.prompt),
        background: Slot::new(&plan.background),
        judge: Slot::new(&plan.judge),
        optimizer: Slot::new(&plan.optimizer),
        adapter: None,
    };
    let needs = OptimizerNeeds { samples_per_product: 1, corruptions: Vec::new() };
    let mut work = Work { plan: &plan, store: &store, services, clock: &clock, needs, samples: 1 };
    work.needs = {
        let client = OptimizerClient::new(cast.optimizer.endpoint(&work)?);
        work.call(&plan.optimizer, |cx| client.needs(cx))?
    };
    work.samples = samples(recipe, &work.needs)?;
    let (mut state, mut log) = work.begin(&mut cast)?;
    while state.epoch <= recipe.epochs {
        work.epoch(&mut cast, &mut state, &mut log)?;
    }
    work.show(recipe.epochs)?;
    let result = result::of(&plan, dir, &state)?;
    result.write(dir)?;
    let seconds = (started.elapsed().as_secs_f64(), clock.seconds());
    Ok(RlOutcome { result, dir: dir.to_owned(), computed: store.appended(), seconds })
}

/// Samples a product: as many as the optimizer needs, or more where the recipe says so.
fn samples(recipe: &Recipe, needs: &OptimizerNeeds) -> Result<u32, TrainError> {
    let (wanted, least) = (recipe.samples, needs.samples_per_product.max(2));
    match wanted {
        Some(count) if count < least => Err(TrainError::Recipe(format!(
            "{}: samples is {count}, and the optimizer {} needs {least} at least",
            recipe.file.display(),
            recipe.optimizer.plugin
        ))),
        Some(count) => Ok(count),
        None => Ok(least),
    }
}

impl Work<'_> {
    /// Goes on from the last checkpoint, or makes the first one: the policy as it is becomes the reference.
    fn begin(&self, cast: &mut Cast<'_>) -> Result<(State, MetricsLog), TrainError> {
        let dir = self.store.dir();
        if let Some(state) = State::read(dir) {
            cast.adapter = Some(state.adapter.clone());
            self.forget_steps(&state.adapter);
            let log = MetricsLog::open(dir, state.metrics_bytes)?;
            return Ok((state, log));
        }
        let mut state = State::new();
        let mut log = MetricsLog::open(dir, 0)?;
        let client = PromptClient::new(self.policy(cast)?);
        self.call(&self.plan.prompt, |cx| client.set_reference(cx))?;
        let first = state.adapter.clone();
        self.keep_policy(cast, &mut state, &mut log, first)?;
        Ok((state, log))
    }

    /// Removes the adapters of steps that a call left when it was killed between two of them.
    fn forget_steps(&self, kept: &str) {
        for entry in std::fs::read_dir(self.adapters()).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if (name.starts_with("step-") || name.starts_with('.')) && name != kept {
                // That one stays does no harm.
                let _ = checkpoint::remove(&entry.path());
            }
        }
    }
}
