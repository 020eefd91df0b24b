//! How well a judge can do at all on the log that was drawn.

use super::ceiling::{Expected, PairFilter, expected};
use crate::pairs::{Arm, Pair, Prior};
use serde::{Deserialize, Serialize};

/// A creative with its true CTR and what the log shows of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shown {
    /// True CTR, in (0, 1).
    pub ctr: f64,
    /// Its counts.
    pub arm: Arm,
}

/// The best possible pairwise accuracy: that of a judge who knows every true CTR.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Ceiling {
    /// Pairs to expect with these impressions.
    pub expected_pairs: f64,
    /// Exact expected accuracy, over all clicks that could have been drawn; absent where no pair can be left.
    pub expected: Option<f64>,
    /// Pairs with the clicks that were drawn.
    pub pairs: u64,
    /// The share of those that the true CTRs order as their clicks do.
    pub drawn: Option<f64>,
    /// What `adeval eval pairs` estimates from the clicks alone, with its prior of creatives within products.
    pub estimated: Option<f64>,
}

/// The ceiling over pairs of one product's creatives that a filter takes; creatives that were never shown are left out.
pub fn ceiling(products: &[Vec<Shown>], filter: PairFilter) -> Ceiling {
    let (mut exact, mut drawn, mut estimated) = (Expected::default(), Expected::default(), 0.0);
    let mut all = Vec::new();
    let mut taken = Vec::new();
    for (product, creatives) in products.iter().enumerate() {
        let shown: Vec<&Shown> = creatives.iter().filter(|one| one.arm.impressions > 0).collect();
        for (at, one) in shown.iter().enumerate() {
            for other in &shown[at + 1..] {
                exact += expected((one.ctr, one.arm.impressions), (other.ctr, other.arm.impressions), filter);
                let (first, second) = (one.arm, other.arm);
                let pair =
                    Pair { product, category: None, first, second, first_left: None, second_left: None };
                if filter.takes(first, second) {
                    drawn += Expected { pairs: 1.0, right: agreement(one, other) };
                    taken.push(pair.clone());
                }
                all.push(pair);
            }
        }
    }
    // Fitted on all creatives, since a prior that is fitted on chosen pairs is wrong.
    let prior = Prior::WithinProduct.fit(&all).ok();
    for pair in &taken {
        let first = prior.as_ref().map_or(0.5, |prior| prior.p_first(pair));
        let (one, other) = (pair.first.ctr(), pair.second.ctr());
        estimated += if one == other {
            0.5
        } else if one > other {
            first
        } else {
            1.0 - first
        };
    }
    let estimated = prior.and((!taken.is_empty()).then(|| estimated / taken.len() as f64));
    Ceiling {
        expected_pairs: exact.pairs,
        expected: exact.accuracy(),
        pairs: taken.len() as u64,
        drawn: drawn.accuracy(),
        estimated,
    }
}

/// 1, 0 or 1/2: whether true and observed CTRs order two creatives alike.
fn agreement(one: &Shown, other: &Shown) -> f64 {
    let truly = one.ctr.total_cmp(&other.ctr);
    let seen = one.arm.ctr().total_cmp(&other.arm.ctr());
    if truly.is_eq() || seen.is_eq() { 0.5 } else { f64::from(u8::from(truly == seen)) }
}
