//! What is planned and what is there: all that a board needs, and none of it needs a plugin.

use super::plan::Plan;
use super::result::OptimizerResult;
use super::{BenchError, Broken};
use crate::store::Store;
use adeval_eval::leaderboard::Leaderboard;

/// A plan and the store of its results.
#[derive(Clone, Copy)]
pub struct Ledger<'a> {
    pub plan: &'a Plan<'a>,
    pub store: &'a Store,
}

impl Ledger<'_> {
    /// The board of the entries and that of the optimizers.
    pub fn boards(&self, broken: &Broken) -> Result<(Leaderboard, Option<OptimizerResult>), BenchError> {
        let board = adeval_eval::leaderboard(&self.evidence(broken), &self.plan.board_options())?;
        Ok((board, self.optimizer_board(broken)?))
    }

    /// Number of results that are still to be computed, as far as can be told: a creative that is missing hides what
    /// is to be measured on it. Components that could not be opened owe nothing.
    pub fn missing(&self, broken: &Broken) -> usize {
        let works = |user: &str| broken.iter().all(|(other, _)| other != user);
        let cast = &self.plan.cast;
        let optimizers = cast.optimizers.iter().filter(|o| works(&o.component.user));
        let mut missing: usize = optimizers.map(|o| self.missing_seeds(o).len()).sum();
        if cast.entries.is_empty() {
            return missing;
        }
        for entry in cast.entries.iter().filter(|e| works(&e.prompt.user) && works(&e.background.user)) {
            missing += self.missing_prompts(entry).len() + self.missing_creatives(entry).len();
        }
        missing += self.unmeasured(false).iter().map(|one| one.missing.len()).sum::<usize>();
        for judge in cast.judges.iter().filter(|j| works(&j.component.user)) {
            missing += self.missing_questions(judge).iter().map(Vec::len).sum::<usize>();
        }
        if let Some(embedder) = cast.embedder.as_ref().filter(|e| works(&e.user)) {
            missing += self.unembedded(embedder).len() + usize::from(self.encoder().is_none());
        }
        missing
    }

    /// One contact sheet an entry, unless it is there and nothing has changed.
    pub fn draw_sheets(&self) -> Result<(), BenchError> {
        let changed = self.store.appended() > 0;
        for entry in &self.plan.cast.entries {
            let path = self.store.dir().join("sheets").join(format!("{}.png", entry.entry.id));
            if path.exists() && !changed {
                continue;
            }
            let images = self.creatives(entry);
            let files: Vec<_> = images.iter().map(|c| self.store.image_path(&c.image)).collect();
            crate::sheet::write(&path, &files)?;
        }
        Ok(())
    }
}
