//! The noise ceiling: how often does the true order of two creatives agree with the order of their clicks?
//!
//! Given its clicks c of n impressions and a prior Beta(a, b), a creative's true CTR is Beta(a + c, b + n - c). For a pair
//! the two are independent given the priors, so q = P(true CTR of the observed winner is higher | clicks) is
//! [`Beta::exceeds`]. A judge who knew every true order would be called right on a share of pairs whose expectation is
//! the mean of q. No selection of pairs that looks at clicks alone changes q, since q is conditional on them; but a prior
//! fitted on selected pairs is wrong, so fit it on all creatives, or state it.

use super::{Arm, Pair, pair::Winner};
use crate::statistics::beta::{self, Beta};
use crate::{EvalError, Result};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What is known of true CTRs before clicks.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Prior {
    /// The same Beta for every creative, e.g. (1, 1).
    Beta(Beta),
    /// One Beta for all creatives, fitted to the creatives of the pairs by maximum likelihood.
    Fitted,
    /// Creatives of one product vary around that product's own CTR m: Beta(m k, (1 - m) k) with this concentration k,
    /// the larger the more alike creatives of one product are.
    Concentration(f64),
    /// The same, with k estimated from how much creatives of one product differ beyond chance. Usually the right one:
    /// creatives of one product are far more alike than those of different ones.
    WithinProduct,
}

/// A prior ready to use.
#[derive(Debug, Clone, PartialEq)]
pub struct Fitted {
    /// Pseudo-counts of each product, or of all.
    shared: Option<Beta>,
    concentration: f64,
    /// Pooled (clicks, impressions) by product.
    products: BTreeMap<usize, (u64, u64)>,
}

impl Prior {
    /// Fits what is to be fitted, on the different creatives of the pairs. Creatives are told apart by product, clicks
    /// and impressions.
    ///
    /// # Errors
    /// [`EvalError::BadOption`] for a prior out of range; [`EvalError::TooFew`] when nothing can be fitted.
    pub fn fit(self, pairs: &[Pair]) -> Result<Fitted> {
        let creatives: BTreeSet<(usize, Arm)> =
            pairs.iter().flat_map(|p| [(p.product, p.first), (p.product, p.second)]).collect();
        let mut products = BTreeMap::<usize, (u64, u64)>::new();
        for (product, arm) in &creatives {
            let pooled = products.entry(*product).or_default();
            *pooled = (pooled.0 + arm.clicks, pooled.1 + arm.impressions);
        }
        let shared = |shared| Fitted {
            shared: Some(shared),
            concentration: shared.a + shared.b,
            products: BTreeMap::new(),
        };
        match self {
            Self::Beta(beta) => beta.validate().map(shared),
            Self::Fitted => {
                let counts: Vec<_> = creatives.iter().map(|(_, a)| (a.clicks, a.impressions)).collect();
                beta::fit(&counts).map(shared)
            }
            Self::Concentration(k) if k > 0.0 && k.is_finite() => {
                Ok(Fitted { shared: None, concentration: k, products })
            }
            Self::Concentration(k) => Err(EvalError::BadOption {
                option: "concentration",
                value: k.to_string(),
                rule: "it must be above 0 and finite",
            }),
            Self::WithinProduct => {
                let concentration = within(&creatives, &products)?;
                Ok(Fitted { shared: None, concentration, products })
            }
        }
    }
}

/// The concentration from the intraclass correlation r = 1 / (k + 1) of creatives of one product, by the analysis of
/// variance: with x = CTR of a creative, E sum n (x - mean)^2 = m (1 - m) (r (N - sum n^2 / N) + (1 - r) (count - 1)).
fn within(creatives: &BTreeSet<(usize, Arm)>, products: &BTreeMap<usize, (u64, u64)>) -> Result<f64> {
    let mut parts = BTreeMap::<usize, (f64, f64, f64)>::new();
    for (product, arm) in creatives {
        let (clicks, impressions) = products[product];
        let mean = clicks as f64 / impressions as f64;
        let n = arm.impressions as f64;
        let (square, weight, count) = parts.entry(*product).or_default();
        *square += n * (arm.ctr() - mean).powi(2);
        *weight += n * n;
        *count += 1.0;
    }
    let (mut excess, mut scale) = (0.0, 0.0);
    for (product, (square, weight, count)) in parts {
        let (clicks, impressions) = products[&product];
        let mean = clicks as f64 / impressions as f64;
        let chance = mean * (1.0 - mean);
        excess += square - chance * (count - 1.0);
        scale += chance * (impressions as f64 - weight / impressions as f64 - (count - 1.0));
    }
    if scale <= 0.0 {
        let what = "a prior within products (products with two creatives that differ in their counts)".into();
        return Err(EvalError::TooFew { what, got: 0, needed: 1 });
    }
    // Creatives that differ less than chance makes them: nearly equal CTRs.
    let correlation = (excess / scale).clamp(1e-7, 0.999);
    Ok(1.0 / correlation - 1.0)
}

impl Fitted {
    /// The concentration (pseudo-impressions) of the prior.
    pub fn concentration(&self) -> f64 {
        self.concentration
    }

    /// The prior of a product's creatives.
    pub fn of(&self, product: usize) -> Beta {
        self.shared.unwrap_or_else(|| {
            let (clicks, impressions) = self.products.get(&product).copied().unwrap_or((0, 0));
            let mean = (clicks as f64 + 0.5) / (impressions as f64 + 1.0);
            Beta { a: mean * self.concentration, b: (1.0 - mean) * self.concentration }
        })
    }

    /// P(the first creative's true CTR is above the second's, given the clicks of both).
    pub fn p_first(&self, pair: &Pair) -> f64 {
        let prior = self.of(pair.product);
        let posterior = |arm: Arm| prior.after(arm.clicks, arm.impressions - arm.clicks);
        posterior(pair.first).exceeds(posterior(pair.second))
    }
}

/// Expected agreement of `winner` with the true order, given P(first is truly higher).
pub(super) fn expected(winner: Winner, p_first: f64) -> f64 {
    match winner {
        Winner::First => p_first,
        Winner::Second => 1.0 - p_first,
        Winner::Neither => 0.5,
    }
}
