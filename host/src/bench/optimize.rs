//! RL optimizers, tried in the synthetic world of [`adeval_eval::bandit`]: one record a seed.

use super::generate::record;
use super::plan::PlannedOptimizer;
use super::pump::Caller;
use super::result::OptimizerResult;
use super::{Bench, BenchError, Broken, Ledger};
use crate::store::{Outcome, Record};
use adeval_eval::EvalError;
use adeval_eval::bandit::{Learning, Run, Settings};
use adeval_eval::leaderboard::{OptimizerEvidence, optimizers};
use adeval_sdk::client::OptimizerClient;
use adeval_sdk::{CallContext, ErrorKind, PluginError, rng};
use std::collections::BTreeMap;

impl Bench<'_> {
    /// Runs the seeds of an optimizer that are missing.
    pub fn optimize(&self, planned: &PlannedOptimizer<'_>, broken: &mut Broken) -> Result<(), BenchError> {
        let missing = self.ledger().missing_seeds(planned);
        if missing.is_empty() {
            return Ok(());
        }
        let Some(open) = self.open(&planned.component, broken)? else { return Ok(()) };
        let id = &planned.optimizer.id;
        self.services.progress.stage(&format!("{id}: seeds"), missing.len());
        let client = OptimizerClient::new(open.endpoint());
        let caller = Caller(self.services);
        for (number, key) in missing {
            let before = self.clock.seconds();
            let learned = self.learn(planned, number, &client, &CallContext::new(&caller));
            // A run that was stopped half-way has not failed.
            self.check_cancelled()?;
            let seconds = self.clock.seconds() - before;
            let outcome = learned.map(Outcome::Learned);
            self.store.append(&[record(key, format!("{id}/{number}"), seconds, "optimizer", outcome)])?;
            self.services.progress.advance(1);
        }
        Ok(())
    }

    fn learn(
        &self,
        planned: &PlannedOptimizer<'_>,
        number: u32,
        client: &OptimizerClient,
        cx: &CallContext<'_>,
    ) -> Result<Learning, PluginError> {
        let settings = Settings {
            creatives: self.plan.suite.bandit.creatives,
            learning_rate: planned.optimizer.learning_rate,
        };
        let (needs, _) = self.clock.time(|| client.needs(cx));
        // Worlds do not depend on the optimizer, so that optimizers are compared in pairs.
        let seed = rng::derive(self.plan.suite.seed, &["bandit", &number.to_string()]);
        let mut run = Run::new(&settings, &needs?, seed).map_err(|error| refused(&error))?;
        while let Some(batch) = run.sample() {
            let (reply, _) = self.clock.time(|| client.loss(&batch, cx));
            run.learn(&reply?).map_err(|error| refused(&error))?;
            cx.check()?;
        }
        Ok(run.finish())
    }
}

impl Ledger<'_> {
    /// Seeds that an optimizer has not been tried on, with the keys of the results.
    pub fn missing_seeds(&self, planned: &PlannedOptimizer<'_>) -> Vec<(u32, String)> {
        let seeds = self.plan.seeds().map(|n| (n, self.plan.optimizer_key(planned, n)));
        seeds.filter(|(_, key)| !self.store.has(key)).collect()
    }

    /// The optimizers' board; none when the suite names no optimizer.
    pub fn optimizer_board(&self, broken: &Broken) -> Result<Option<OptimizerResult>, BenchError> {
        if self.plan.cast.optimizers.is_empty() {
            return Ok(None);
        }
        let mut times = BTreeMap::new();
        let evidence = self.optimizer_evidence(broken, &mut times);
        let bandit = self.plan.suite.bandit;
        let board =
            optimizers(&evidence, bandit.seeds as usize, bandit.creatives, &self.plan.board_options())?;
        Ok(Some(OptimizerResult { board, milliseconds_per_step: times }))
    }

    /// What came of each optimizer, and its median time of a step.
    pub fn optimizer_evidence(
        &self,
        broken: &Broken,
        times: &mut BTreeMap<String, f64>,
    ) -> Vec<OptimizerEvidence> {
        let one = |planned: &PlannedOptimizer<'_>| {
            let mut one = self.runs_of_optimizer(planned, times);
            let opened = broken.iter().filter(|(user, _)| *user == planned.component.user);
            one.failures.extend(opened.map(|(_, error)| error.to_string()));
            one
        };
        self.plan.cast.optimizers.iter().map(one).collect()
    }

    fn runs_of_optimizer(
        &self,
        planned: &PlannedOptimizer<'_>,
        times: &mut BTreeMap<String, f64>,
    ) -> OptimizerEvidence {
        let optimizer = planned.optimizer;
        let mut evidence = OptimizerEvidence {
            id: optimizer.id.clone(),
            description: optimizer.description.clone(),
            ..OptimizerEvidence::default()
        };
        let mut milliseconds = Vec::new();
        for number in self.plan.seeds() {
            match self.store.get(&self.plan.optimizer_key(planned, number)) {
                Some(Record { outcome: Outcome::Learned(run), seconds, .. }) => {
                    evidence.runs.insert(number as usize, run);
                    let steps = f64::from(run.steps.max(1));
                    milliseconds.extend(seconds.map(|seconds| 1000.0 * seconds / steps));
                }
                Some(Record { outcome: Outcome::Failed { error, .. }, .. }) => {
                    evidence.failures.push(format!("seed {number}: {error}"));
                }
                _ => {}
            }
        }
        milliseconds.sort_by(f64::total_cmp);
        let median = adeval_eval::statistics::quantile::quantile(&milliseconds, 0.5);
        times.extend(median.map(|median| (optimizer.id.clone(), median)));
        evidence
    }
}

/// What the world cannot do with an optimizer's needs or gradient.
fn refused(error: &EvalError) -> PluginError {
    let kind = match error {
        EvalError::NotFinite { .. } => ErrorKind::Numerical,
        _ => ErrorKind::Unsupported,
    };
    PluginError::new(kind, error.to_string())
}
