//! One outer epoch, stage by stage. Each stage asks the run store what is missing, so that a resumed epoch goes through all of
//! them and computes only that.

use super::creatives::Draw;
use super::groups::Judged;
use super::plan::Item;
use super::state::State;
use super::{Cast, Work};
use crate::train::TrainError;
use crate::train::metrics::{self, MetricsLine, MetricsLog, Of};
use std::collections::BTreeMap;

impl Work<'_> {
    /// Runs what is left of the state's epoch, and begins the next.
    pub fn epoch(
        &self,
        cast: &mut Cast<'_>,
        state: &mut State,
        log: &mut MetricsLog,
    ) -> Result<(), TrainError> {
        if state.epoch == 1 && state.metrics_bytes == 0 {
            let metrics = self.look(cast, 0)?;
            self.tell(0, &metrics);
            log.add(MetricsLine { of: Of::Epoch, step: 0, epoch: 0, metrics })?;
            state.metrics_bytes = log.commit()?;
            state.write(self.store.dir())?;
        }
        let epoch = state.epoch;
        let window = self.plan.window(epoch);
        let items: Vec<&Item> = window.iter().map(|&at| &self.plan.training[at]).collect();
        // The samples of an epoch are of the policy at its start: once steps are taken they are all there.
        self.sample(cast, Draw::Epoch(epoch), &items)?;
        cast.prompt.rest(self);
        self.render(cast, Draw::Epoch(epoch), &items)?;
        let questions =
            items.iter().map(|item| (*item, self.reward_questions(Draw::Epoch(epoch), item))).collect();
        self.ask(cast, &Draw::Epoch(epoch).title("judge"), questions)?;
        let judged = self.judged(epoch, &items);
        self.has_preferences(epoch, &judged)?;
        self.learn(cast, state, log, &judged.groups)?;
        let mut metrics = self.judge_metrics(&judged);
        metrics.extend(self.means_of_steps(epoch)?);
        metrics.extend(self.look(cast, epoch)?);
        self.tell(epoch, &metrics);
        log.add(MetricsLine { of: Of::Epoch, step: state.steps, epoch, metrics })?;
        state.metrics_bytes = log.commit()?;
        (state.epoch, state.step) = (epoch + 1, 0);
        state.write(self.store.dir())
    }

    /// An epoch without a preference would leave the policy as it is, and is most likely a mistake.
    fn has_preferences(&self, epoch: u32, judged: &Judged<'_>) -> Result<(), TrainError> {
        let Judged { groups, ties, lost, verdicts, .. } = judged;
        if groups.is_empty() {
            let message = format!(
                "{} makes no preference: of {} products, {ties} have equal rewards and {lost} too few creatives; {}",
                self.plan.judge.usage.component,
                ties + lost,
                if *lost > *ties {
                    self.first_failure()
                } else {
                    "more samples, a higher temperature or another judge may help".into()
                }
            );
            return Err(TrainError::NoPreference { epoch, message });
        }
        if *ties > 0 || verdicts.ties > 0 || *lost > 0 {
            self.services.progress.say(&format!(
                "epoch {epoch}: {} of {} products make a preference; {ties} have equal rewards, {lost} too few creatives; {} of {} pairs are ties to the judge",
                groups.len(),
                groups.len() + ties + lost,
                verdicts.ties,
                verdicts.pairs
            ));
        }
        Ok(())
    }

    /// Why there are too few creatives, by one of them.
    fn first_failure(&self) -> String {
        let mut failures: Vec<String> =
            self.store.records().into_iter().filter_map(|r| r.failure()).collect();
        failures.sort();
        failures
            .first()
            .map_or_else(|| "nothing failed".into(), |first| format!("the first failure: {first}"))
    }

    fn judge_metrics(&self, judged: &Judged<'_>) -> BTreeMap<String, f64> {
        let Judged { groups, ties, lost, verdicts, reward } = judged;
        let share = |count: u32| f64::from(count) / f64::from(verdicts.pairs.max(1));
        let mut metrics = BTreeMap::from([
            ("judge/products_with_preference".to_owned(), groups.len() as f64),
            ("judge/products_with_equal_rewards".to_owned(), *ties as f64),
            ("judge/products_with_too_few_creatives".to_owned(), *lost as f64),
            ("judge/reward".to_owned(), *reward),
        ]);
        if verdicts.pairs > 0 {
            metrics.insert("judge/tied_pairs".into(), share(verdicts.ties));
            metrics.insert("judge/swap_consistency".into(), share(verdicts.consistent));
        }
        metrics
    }

    /// The means of what the epoch's steps reported.
    fn means_of_steps(&self, epoch: u32) -> Result<BTreeMap<String, f64>, TrainError> {
        let mut sums: BTreeMap<String, (f64, f64)> = BTreeMap::new();
        let lines = metrics::read(self.store.dir())?;
        for line in lines.into_iter().filter(|line| line.of == Of::Step && line.epoch == epoch) {
            for (name, value) in line.metrics {
                let sum = sums.entry(name).or_default();
                *sum = (sum.0 + value, sum.1 + 1.0);
            }
        }
        Ok(sums.into_iter().map(|(name, (sum, count))| (format!("mean/{name}"), sum / count)).collect())
    }

    /// One line for people.
    fn tell(&self, epoch: u32, metrics: &BTreeMap<String, f64>) {
        let shown = [
            ("mean/loss", "loss"),
            ("mean/rewards/accuracies", "accuracy"),
            ("mean/policy/kl", "KL"),
            ("mean/policy/entropy", "entropy"),
            ("held_out/judge_ctr", "held-out CTR by the judge"),
            ("held_out/win_rate", "win rate over the start"),
            ("held_out/synthetic_true_ctr", "true CTR in the synthetic market"),
        ];
        let said = shown.iter().filter_map(|(key, name)| Some(format!("{name} {:.4}", metrics.get(*key)?)));
        let said: Vec<String> = said.collect();
        if !said.is_empty() {
            self.services.progress.say(&format!("epoch {epoch}: {}", said.join(", ")));
        }
    }
}
