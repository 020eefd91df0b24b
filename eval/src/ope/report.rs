//! All estimators that a log allows, beside each other.

use super::tuning::{Family, Rule, choose};
use super::{Estimator, Overlap, Rounds, overlap, value};
use crate::{Bootstrap, Estimate, Result};
use serde::{Deserialize, Serialize};

/// A log's overlap with a policy and what the estimators make of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct OpeReport {
    /// How much of the log speaks about the policy.
    pub overlap: Overlap,
    /// Mean reward of the log itself: what the policy must beat.
    pub logged: Estimate,
    /// One row an estimator.
    pub estimates: Vec<OpeRow>,
}

/// One estimator's value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct OpeRow {
    /// The estimator with its hyper-parameter.
    pub estimator: Estimator,
    /// Whether SLOPE chose the hyper-parameter from the log.
    pub tuned: bool,
    /// The value of the policy.
    pub value: Estimate,
}

/// Hyper-parameters that SLOPE chooses from: largest weights, and shares of shrinkage.
const WEIGHTS: [f64; 7] = [1.0, 3.0, 10.0, 30.0, 100.0, 1000.0, f64::INFINITY];
const SHRINKAGE: [f64; 6] = [0.0, 0.001, 0.01, 0.05, 0.2, 0.5];
/// obp's default for the chance that one of SLOPE's bounds fails.
pub(super) const DELTA: f64 = 0.1;

/// Families of estimators with the hyper-parameters to choose from.
pub(super) fn families(modelled: bool) -> Vec<(Family, &'static [f64])> {
    let mut families = vec![(Family::Ipw, &WEIGHTS[..]), (Family::SgIpw, &SHRINKAGE)];
    if modelled {
        families.extend([
            (Family::Dr, &WEIGHTS[..]),
            (Family::SwitchDr, &WEIGHTS),
            (Family::DrOs, &WEIGHTS),
            (Family::SgDr, &SHRINKAGE),
        ]);
    }
    families
}

/// Evaluates a policy by every estimator that the rounds have what it needs for; replay only where the policy is certain of
/// some logged action.
///
/// # Errors
/// What [`overlap`] and [`value`] refuse.
pub fn report(rounds: &Rounds, bootstrap: &Bootstrap) -> Result<OpeReport> {
    let mut estimates = Vec::new();
    let mut add = |estimator, tuned| -> Result<()> {
        estimates.push(OpeRow { estimator, tuned, value: value(rounds, estimator, bootstrap)? });
        Ok(())
    };
    if rounds.matched.contains(&true) {
        add(Estimator::Replay, false)?;
    }
    add(Estimator::Ipw { clip: f64::INFINITY }, false)?;
    add(Estimator::Snipw, false)?;
    if rounds.balanced.is_some() {
        add(Estimator::BalancedIpw { clip: f64::INFINITY }, false)?;
    }
    if rounds.model.is_some() {
        add(Estimator::DirectMethod, false)?;
        add(Estimator::Dr { clip: f64::INFINITY }, false)?;
        add(Estimator::Sndr, false)?;
    }
    for (family, grid) in families(rounds.model.is_some()) {
        add(choose(rounds, family, grid, Rule::Slope, DELTA)?.estimator, true)?;
    }
    let on_log = Rounds { weight: vec![1.0; rounds.len()], ..rounds.clone() };
    Ok(OpeReport {
        overlap: overlap(rounds, bootstrap)?,
        logged: value(&on_log, Estimator::Ipw { clip: f64::INFINITY }, bootstrap)?,
        estimates,
    })
}
