//! From a log of slates to all estimators that it allows.

use super::{Cascade, Norm, Slates};
use crate::ope::Overlap;
use crate::{Bootstrap, Estimate, Result};
use serde::{Deserialize, Serialize};

/// An estimator of a slate's value, with the assumption about users that it makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SlateEstimator {
    /// Weights of the whole slate: none.
    Sips,
    /// The same over the mean weight.
    Snsips,
    /// Weights of the item at its position: each position earns by its own item alone.
    Iips,
    /// The same over the mean weight of each position.
    Sniips,
    /// Weights of the items down to the position: a position earns by its own item and those above.
    Rips,
    /// The same over the mean weight of each position.
    Snrips,
    /// RIPS around a model of the reward to go: the same.
    CascadeDr,
}

impl std::fmt::Display for SlateEstimator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Sips => "SIPS",
            Self::Snsips => "SNSIPS",
            Self::Iips => "IIPS",
            Self::Sniips => "SNIIPS",
            Self::Rips => "RIPS",
            Self::Snrips => "SNRIPS",
            Self::CascadeDr => "Cascade DR",
        })
    }
}

/// One estimator's value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SlateRow {
    /// The estimator.
    pub estimator: SlateEstimator,
    /// Expected reward of a slate, all positions together.
    pub value: Estimate,
    /// The same less what the log earned.
    pub over_log: Estimate,
}

/// A policy's slates as far as a log can tell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SlateReport {
    /// Overlap by whole slates: what SIPS rests on.
    pub overlap: Overlap,
    /// Overlap by items down to each position: what RIPS and cascade DR rest on.
    pub cascade_overlap: Overlap,
    /// Overlap by the item at each position: what IIPS rests on; absent without those probabilities.
    pub item_overlap: Option<Overlap>,
    /// Mean reward of a slate of the log.
    pub logged: Estimate,
    /// One row an estimator.
    pub estimates: Vec<SlateRow>,
}

/// A log of slates and a policy, n x `positions` by row, in the terms that are known when a slate is filled from the top.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SlateLog {
    /// Positions of a slate.
    pub positions: usize,
    /// What each position earned.
    pub reward: Vec<f64>,
    /// The logging policy's probability of the item at its position, given the items above, in (0, 1].
    pub logging: Vec<f64>,
    /// The evaluated policy's probability of the same, in [0, 1].
    pub policy: Vec<f64>,
    /// Both policies' probabilities of the item at its position, whatever is above.
    pub item: Option<[Vec<f64>; 2]>,
    /// A reward-to-go model.
    pub model: Option<Cascade>,
    /// The cluster of each slate; each is its own without.
    pub cluster: Option<Vec<usize>>,
}

impl SlateLog {
    /// Slates weighed by the items down to each position.
    pub fn cascade(&self) -> Slates {
        let down = |given_above: &[f64]| {
            let slates = given_above.chunks(self.positions.max(1));
            let products = slates.flat_map(|slate| {
                slate.iter().scan(1.0, |product, p| {
                    *product *= p;
                    Some(*product)
                })
            });
            products.collect()
        };
        self.slates(down(&self.logging), down(&self.policy))
    }

    /// Slates weighed as a whole.
    pub fn whole(&self) -> Slates {
        let cascade = self.cascade();
        let last = |column: &[f64]| {
            let slates = column.chunks(self.positions.max(1));
            slates.flat_map(|slate| vec![slate[slate.len() - 1]; slate.len()]).collect()
        };
        self.slates(last(&cascade.logging), last(&cascade.policy))
    }

    /// Slates weighed by the item at each position.
    pub fn items(&self) -> Option<Slates> {
        self.item.as_ref().map(|[logging, policy]| self.slates(logging.clone(), policy.clone()))
    }

    fn slates(&self, logging: Vec<f64>, policy: Vec<f64>) -> Slates {
        let (positions, reward, cluster) = (self.positions, self.reward.clone(), self.cluster.clone());
        Slates { positions, reward, logging, policy, cluster }
    }

    /// Evaluates the policy by every estimator that the log has what it needs for.
    ///
    /// # Errors
    /// As [`Slates::value`].
    pub fn report(&self, bootstrap: &Bootstrap) -> Result<SlateReport> {
        use SlateEstimator as E;
        let (cascade, whole, items) = (self.cascade(), self.whole(), self.items());
        let mut estimates = Vec::new();
        let mut add = |estimator, [value, over_log]: [Estimate; 2]| {
            estimates.push(SlateRow { estimator, value, over_log });
        };
        add(E::Sips, whole.weighted(Norm::None, bootstrap)?);
        add(E::Snsips, whole.weighted(Norm::Overall, bootstrap)?);
        if let Some(items) = &items {
            add(E::Iips, items.weighted(Norm::None, bootstrap)?);
            add(E::Sniips, items.weighted(Norm::ByPosition, bootstrap)?);
        }
        add(E::Rips, cascade.weighted(Norm::None, bootstrap)?);
        add(E::Snrips, cascade.weighted(Norm::ByPosition, bootstrap)?);
        if let Some(model) = &self.model {
            add(E::CascadeDr, cascade.doubly_robust(model, bootstrap)?);
        }
        Ok(SlateReport {
            overlap: whole.overlap(bootstrap)?,
            cascade_overlap: cascade.overlap(bootstrap)?,
            item_overlap: items.map(|items| items.overlap(bootstrap)).transpose()?,
            logged: cascade.logged(bootstrap)?,
            estimates,
        })
    }
}
