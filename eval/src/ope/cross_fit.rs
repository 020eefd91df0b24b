//! Cross-fitting (Chernozhukov et al. 2018): a regression of rewards for DM and DR whose every prediction comes from rounds of
//! other folds, so that no round predicts itself.
//!
//! The regression is a table of means that lean on each other. Without fold f, with sums S and counts N over the other folds,
//! of all rounds, of a context x (a product), of an action a (a creative's name) and of both, and k = [`PSEUDO`]:
//!
//! ```text
//! g      = S / N
//! m(x)   = (S_x + k g) / (N_x + k),   m(a) = (S_a + k g) / (N_a + k)
//! q(x,a) = (S_xa + k (m(x) + m(a) - g)) / (N_xa + k)
//! ```
//!
//! A pair that was shown often has its own mean, a rare one what its product and its creative suggest. Doubly robust estimates are
//! right with any such table where propensities are right; the direct method is as good as the table.

use crate::{EvalError, Result};
use std::collections::HashMap;

/// Rounds that a mean leans on its parent with.
pub const PSEUDO: f64 = 10.0;

/// Counts and sums of rewards by fold, of one group of rounds; the last is of all folds.
type Folds = Vec<[f64; 2]>;

/// Sums of rewards by fold, context and action.
#[derive(Debug, Clone)]
pub struct CellMeans {
    folds: usize,
    all: Folds,
    contexts: HashMap<u32, Folds>,
    actions: HashMap<u32, Folds>,
    cells: HashMap<(u32, u32), Folds>,
}

impl CellMeans {
    /// Of no rounds yet.
    pub fn new(folds: usize) -> Self {
        Self {
            folds,
            all: vec![[0.0; 2]; folds + 1],
            contexts: HashMap::new(),
            actions: HashMap::new(),
            cells: HashMap::new(),
        }
    }

    /// Folds.
    pub fn folds(&self) -> usize {
        self.folds
    }

    /// Adds a round of a fold, numbered from 0.
    ///
    /// # Panics
    /// For a fold that is not there.
    pub fn add(&mut self, fold: usize, context: u32, action: u32, reward: f64) {
        assert!(fold < self.folds, "fold {fold} of {}", self.folds);
        let empty = || vec![[0.0; 2]; self.folds + 1];
        let groups = [
            &mut self.all,
            self.contexts.entry(context).or_insert_with(empty),
            self.actions.entry(action).or_insert_with(empty),
            self.cells.entry((context, action)).or_insert_with(empty),
        ];
        for group in groups {
            for at in [fold, self.folds] {
                group[at][0] += 1.0;
                group[at][1] += reward;
            }
        }
    }

    /// Whether every fold leaves rounds to learn from.
    ///
    /// # Errors
    /// [`EvalError::BadOption`] below two folds; [`EvalError::TooFew`] when one fold holds all rounds.
    pub fn check(&self) -> Result<()> {
        if self.folds < 2 {
            let value = self.folds.to_string();
            return Err(EvalError::BadOption { option: "folds", value, rule: "it must be 2 or more" });
        }
        let left = |fold: usize| self.all[self.folds][0] - self.all[fold][0];
        match (0..self.folds).find(|fold| left(*fold) == 0.0) {
            None => Ok(()),
            Some(fold) => {
                let what = format!("cross-fitting (rounds outside of fold {fold})");
                Err(EvalError::TooFew { what, got: 0, needed: 1 })
            }
        }
    }

    /// The expected reward of an action in a context by all folds but one.
    pub fn predict(&self, fold: usize, context: u32, action: u32) -> f64 {
        let without =
            |group: Option<&Folds>| group.map_or([0.0; 2], |g| [0, 1].map(|k| g[self.folds][k] - g[fold][k]));
        let lean = |[n, sum]: [f64; 2], parent: f64| (sum + PSEUDO * parent) / (n + PSEUDO);
        let [n, sum] = without(Some(&self.all));
        let mean = sum / n;
        let of_context = lean(without(self.contexts.get(&context)), mean);
        let of_action = lean(without(self.actions.get(&action)), mean);
        lean(without(self.cells.get(&(context, action))), of_context + of_action - mean)
    }
}
