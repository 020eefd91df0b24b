//! A log as it comes, in memory that does not grow with it: sums by cluster are all that the estimators need.

use super::Estimator;
use super::estimator::Terms;
use super::report::families;
use super::weights::WeightCounts;
use std::cmp::Ordering;

/// A round, with what the estimators need of the policy and the reward model.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Round {
    /// What it earned; finite.
    pub reward: f64,
    /// The policy's probability of the action taken over the logging policy's, 0 or more and finite.
    pub weight: f64,
    /// Whether the policy takes that action for certain.
    pub matched: bool,
    /// A model's expected reward of the action, and its mean over the policy; finite.
    pub model: Option<[f64; 2]>,
    /// An estimated weight for [`Estimator::BalancedIpw`], 0 or more and finite.
    pub balanced: Option<f64>,
    /// The weight of the action's embedding for [`Estimator::Mipw`], 0 or more and finite.
    pub marginal: Option<f64>,
}

/// What rounds have beside rewards and weights.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Extras {
    /// A reward model's predictions.
    pub model: bool,
    /// Balanced weights.
    pub balanced: bool,
    /// Weights of embeddings.
    pub marginal: bool,
}

/// Columns of a cluster before those of the estimators.
pub(super) const COUNT: usize = 0;
pub(super) const REWARD: usize = 1;
pub(super) const WEIGHT: usize = 2;
pub(super) const MATCHED: usize = 3;
pub(super) const BASE: usize = 4;
pub(super) const BALANCED: usize = 5;
pub(super) const MARGINAL: usize = 6;
const FIRST: usize = 7;

/// What one policy's estimators need of the rounds so far: some 25 numbers a cluster without a reward model, 50 with one.
#[derive(Debug, Clone)]
pub struct Tally {
    pub(super) estimators: Vec<Estimator>,
    /// Clusters x columns, a cluster's columns together.
    cells: Vec<f64>,
    columns: usize,
    /// For each estimator, of its rounds' values, less `shifts`: their sum and their sum of squares.
    pub(super) spread: Vec<[f64; 2]>,
    /// For estimators with a model the first round's values: near to all others, so that the variance is no difference of
    /// large numbers.
    pub(super) shifts: Vec<f64>,
    pub(super) weights: WeightCounts,
    /// Smallest and largest reward, prediction; largest weight of an embedding.
    pub(super) rewards: [f64; 2],
    pub(super) predictions: [f64; 2],
    pub(super) largest_marginal: f64,
    pub(super) rounds: u64,
    pub(super) extras: Extras,
}

impl Tally {
    /// Of no rounds yet, which will have these extras.
    pub fn new(extras: Extras) -> Self {
        let mut estimators = vec![Estimator::Replay];
        for (family, grid) in families(extras.model) {
            estimators.extend(grid.iter().map(|value| family.with(*value)));
        }
        if extras.balanced {
            estimators.push(Estimator::BalancedIpw { clip: f64::INFINITY });
        }
        if extras.marginal {
            estimators.push(Estimator::Mipw);
        }
        let nothing = [f64::INFINITY, f64::NEG_INFINITY];
        Self {
            columns: FIRST + estimators.len(),
            spread: vec![[0.0; 2]; estimators.len()],
            shifts: vec![0.0; estimators.len()],
            estimators,
            cells: Vec::new(),
            weights: WeightCounts::default(),
            rewards: nothing,
            predictions: nothing,
            largest_marginal: 0.0,
            rounds: 0,
            extras,
        }
    }

    /// Adds a round of a cluster, numbered from 0. After one that lacks an extra, the estimators that need it are left out of
    /// the report.
    ///
    /// # Panics
    /// For values that are not finite or a weight below 0: callers check what comes from outside.
    pub fn add(&mut self, cluster: usize, round: &Round) {
        assert!(round.reward.is_finite() && is_weight(round.weight));
        assert!(round.model.is_none_or(|q| q.iter().all(|q| q.is_finite())));
        assert!(round.balanced.is_none_or(is_weight) && round.marginal.is_none_or(is_weight));
        self.extras.model &= round.model.is_some();
        self.extras.balanced &= round.balanced.is_some();
        self.extras.marginal &= round.marginal.is_some();
        self.rounds += 1;
        self.weights.add(round.weight);
        widen(&mut self.rewards, round.reward);
        let from = cluster * self.columns;
        if self.cells.len() < from + self.columns {
            self.cells.resize(from + self.columns, 0.0);
        }
        let cells = &mut self.cells[from..from + self.columns];
        cells[COUNT] += 1.0;
        cells[REWARD] += round.reward;
        cells[WEIGHT] += round.weight;
        cells[MATCHED] += f64::from(u8::from(round.matched));
        cells[BALANCED] += round.balanced.unwrap_or_default();
        let marginal = round.marginal.unwrap_or_default();
        cells[MARGINAL] += marginal;
        self.largest_marginal = self.largest_marginal.max(marginal);
        // Without a model a round that earned nothing adds nothing more, and most rounds earn nothing.
        if !self.extras.model && round.reward == 0.0 {
            return;
        }
        if let Some([action, policy]) = round.model.filter(|_| self.extras.model) {
            widen(&mut self.predictions, action);
            widen(&mut self.predictions, policy);
            cells[BASE] += policy;
        }
        for (k, estimator) in self.estimators.iter().enumerate() {
            let modelled = estimator.needs_model();
            if modelled && !self.extras.model {
                continue;
            }
            let Terms { base, part, .. } = estimator.terms(round);
            cells[FIRST + k] += part;
            if modelled && self.rounds == 1 {
                self.shifts[k] = base + part;
            }
            let off = base + part - self.shifts[k];
            self.spread[k][0] += off;
            self.spread[k][1] += off * off;
        }
    }

    /// Rounds so far.
    pub fn rounds(&self) -> u64 {
        self.rounds
    }

    /// Clusters so far that have a round.
    pub fn clusters(&self) -> usize {
        self.filled().count()
    }

    /// Moves clusters: each goes to the number that `to` gives for its own, those of the same number become one.
    pub fn renumber(&mut self, to: impl Fn(usize) -> usize) {
        let old = std::mem::take(&mut self.cells);
        for (cluster, cells) in old.chunks_exact(self.columns).enumerate().filter(|(_, c)| c[COUNT] > 0.0) {
            let from = to(cluster) * self.columns;
            if self.cells.len() < from + self.columns {
                self.cells.resize(from + self.columns, 0.0);
            }
            let sums = &mut self.cells[from..from + self.columns];
            sums.iter_mut().zip(cells).for_each(|(sum, cell)| *sum += cell);
        }
    }

    /// The order of two clusters by their sums: equal ones may change places.
    pub fn order(&self, a: usize, b: usize) -> Ordering {
        let cells = |cluster: usize| &self.cells[cluster * self.columns..(cluster + 1) * self.columns];
        let apart = cells(a).iter().zip(cells(b)).map(|(a, b)| a.total_cmp(b));
        apart.fold(Ordering::Equal, Ordering::then)
    }

    /// The numbers of clusters that have a round, in rising order.
    pub(super) fn filled(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.cells.len() / self.columns).filter(|cluster| self.cell(*cluster, COUNT) > 0.0)
    }

    pub(super) fn cell(&self, cluster: usize, column: usize) -> f64 {
        self.cells[cluster * self.columns + column]
    }

    pub(super) fn total(&self, column: usize) -> f64 {
        self.filled().map(|cluster| self.cell(cluster, column)).sum()
    }

    /// The column of an estimator's parts. Self-normalised ones share theirs with the unbounded member of their family; those
    /// without parts have [`BASE`].
    pub(super) fn part(&self, estimator: Estimator) -> usize {
        let kept = match estimator {
            Estimator::Snipw => Estimator::Ipw { clip: f64::INFINITY },
            Estimator::Sndr => Estimator::Dr { clip: f64::INFINITY },
            Estimator::Snmipw => Estimator::Mipw,
            other => other,
        };
        self.estimators.iter().position(|e| *e == kept).map_or(BASE, |at| FIRST + at)
    }
}

/// The column that an estimator's parts are divided by.
pub(super) fn norm(estimator: Estimator) -> usize {
    match estimator {
        Estimator::Replay => MATCHED,
        Estimator::Snipw | Estimator::Sndr => WEIGHT,
        Estimator::BalancedIpw { .. } => BALANCED,
        Estimator::Snmipw => MARGINAL,
        _ => COUNT,
    }
}

fn is_weight(value: f64) -> bool {
    value >= 0.0 && value.is_finite()
}

fn widen(ends: &mut [f64; 2], value: f64) {
    *ends = [ends[0].min(value), ends[1].max(value)];
}
