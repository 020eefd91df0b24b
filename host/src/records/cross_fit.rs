//! A regression of rewards by folds: each round is predicted from the other folds.

use super::decisions::{self, Decision, product, repeated};
use super::error::Problem;
use super::layout::{Layout, Shape};
use super::policies::Policies;
use super::read::{Row, Table};
use super::seen::Seen;
use super::units::fnv;
use adeval_eval::EvalError;
use adeval_eval::ope::cross_fit::CellMeans;
use foldhash::fast::RandomState;
use std::collections::HashMap;

/// What stays together in a fold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FoldUnit {
    /// Rounds with the same value of column `cluster`.
    Cluster,
    /// Each round, told by its `id`.
    Round,
    /// Rounds of one product.
    Product,
}

/// The first reading of a log, from which the regression of each fold comes.
#[derive(Debug)]
pub struct CrossFit {
    by: FoldUnit,
    means: CellMeans,
    /// By product and creative, of each fold.
    predicted: HashMap<(u32, u32), Vec<f64>, RandomState>,
    /// Their mean over the policy, by policy and product.
    expected: HashMap<(u32, u32), Vec<f64>, RandomState>,
}

/// Stands for creatives that the policies do not list.
const OTHER: u32 = u32::MAX;

impl CrossFit {
    /// Folds.
    pub fn folds(&self) -> usize {
        self.means.folds()
    }

    /// What stays together in a fold.
    pub fn by(&self) -> FoldUnit {
        self.by
    }

    /// The fold of a round: a hash of its unit's name, so that it does not depend on the rows' order.
    pub(super) fn fold(&self, decision: &Decision<'_>) -> usize {
        let name = match self.by {
            FoldUnit::Cluster => decision.cluster.as_deref(),
            FoldUnit::Round => decision.id.as_deref(),
            FoldUnit::Product => Some(&*decision.product),
        };
        (fnv(name.unwrap_or_default()) % self.folds() as u64) as usize
    }

    /// The prediction for a creative, and its mean over a policy, by the regression without a fold.
    pub(super) fn predict(
        &self,
        fold: usize,
        policy: u32,
        product: u32,
        creative: Option<u32>,
    ) -> Option<[f64; 2]> {
        let expected = self.expected.get(&(policy, product))?[fold];
        let predicted = self.predicted.get(&(product, creative.unwrap_or(OTHER)));
        Some([predicted.map_or_else(|| self.means.predict(fold, product, OTHER), |p| p[fold]), expected])
    }
}

/// Takes a log's rows for the regression.
#[derive(Debug)]
pub struct Fitting<'a> {
    policies: &'a Policies,
    fit: CrossFit,
    ids: Seen,
    has: [bool; 3],
}

impl<'a> Fitting<'a> {
    /// No rows yet.
    pub fn new(policies: &'a Policies, folds: usize) -> Self {
        let fit = CrossFit {
            by: FoldUnit::Product,
            means: CellMeans::new(folds),
            predicted: HashMap::default(),
            expected: HashMap::default(),
        };
        Self { policies, fit, ids: Seen::default(), has: [false; 3] }
    }

    /// After the last row.
    ///
    /// # Errors
    /// When there is nothing outside of some fold.
    pub fn finish(mut self) -> Result<CrossFit, EvalError> {
        let fit = &mut self.fit;
        fit.means.check()?;
        let folds = fit.means.folds();
        for (policy, product) in self.policies.pairs() {
            let mut expected = vec![0.0; folds];
            let mut mass = 0.0;
            for (creative, probability) in self.policies.listed(policy, product) {
                let of = |fold| fit.means.predict(fold, product, creative);
                let predicted =
                    fit.predicted.entry((product, creative)).or_insert_with(|| (0..folds).map(of).collect());
                expected.iter_mut().zip(predicted).for_each(|(sum, q)| *sum += probability * *q);
                mass += probability;
            }
            expected.iter_mut().for_each(|sum| *sum /= mass);
            fit.expected.insert((policy, product), expected);
        }
        Ok(self.fit)
    }
}

impl Table for Fitting<'_> {
    fn shape(&self) -> &'static Shape {
        &decisions::SHAPE
    }

    fn begin(&mut self, layout: &Layout) -> Result<(), String> {
        self.has = decisions::columns(layout)?;
        let [_, named, clustered] = self.has;
        self.fit.by = match (clustered, named) {
            (true, _) => FoldUnit::Cluster,
            (false, true) => FoldUnit::Round,
            (false, false) => FoldUnit::Product,
        };
        Ok(())
    }

    fn row(&mut self, row: &Row<'_>) -> Result<(), Problem> {
        let [clicks, named, clustered] = self.has;
        let decision = Decision::of(row, clicks, named, clustered)?;
        let product = product(row, &decision, self.policies)?;
        if let Some(id) = &decision.id
            && !self.ids.is_new(&[id])
        {
            return Err(repeated(row, id));
        }
        let creative = self.policies.creatives.find(&decision.creative).unwrap_or(OTHER);
        self.fit.means.add(self.fit.fold(&decision), product, creative, decision.reward);
        Ok(())
    }
}
