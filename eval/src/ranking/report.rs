//! Policies beside each other.

use super::catalogue::Catalogue;
use super::playback::{Policy, Settings, Tally, playback};
use crate::{Bootstrap, Estimate, EvalError, Result, Sums};
use serde::{Deserialize, Serialize};

/// Policies played back over one log. Intervals are BCa over products.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RankingReport {
    /// Products with a choice.
    pub products: usize,
    /// Products left out since they have one creative that was shown.
    pub single: usize,
    /// Creatives left out since they were never shown.
    pub unseen: usize,
    /// One row a policy, in the order asked for.
    pub policies: Vec<PolicyRow>,
}

/// What a policy earned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PolicyRow {
    /// Which.
    pub policy: Policy,
    /// Simulated CTR: clicks over impressions that it shares with the log, pooled over products and days.
    pub sctr: Estimate,
    /// The same, each product weighing its share of the log's impressions; products of which it showed nothing are left out.
    pub nsctr: Estimate,
    /// sCTR over that of a uniform choice, minus 1, on the same products.
    pub lift: Estimate,
    /// Mean over logged impressions of the best creative's CTR minus that of the choice. The best is the best by the log,
    /// which flatters it: compare policies, not worlds.
    pub regret: Estimate,
    /// Share of the log's impressions that the policy would have shown.
    pub matched: f64,
}

/// Plays policies back and compares each with a uniform choice.
///
/// # Errors
/// What [`playback`] refuses; [`EvalError::TooFew`] when a policy shares no impression with the log.
pub fn compare_policies(
    catalogue: &Catalogue,
    policies: &[Policy],
    settings: Settings,
    bootstrap: &Bootstrap,
) -> Result<RankingReport> {
    let uniform = playback(catalogue, Policy::Uniform, settings)?;
    let rows = policies.iter().map(|&policy| {
        let tallies = match policy {
            Policy::Uniform => uniform.clone(),
            _ => playback(catalogue, policy, settings)?,
        };
        row(policy, &tallies, &uniform, bootstrap)
    });
    Ok(RankingReport {
        products: catalogue.len(),
        single: catalogue.single,
        unseen: catalogue.unseen,
        policies: rows.collect::<Result<_>>()?,
    })
}

fn row(policy: Policy, tallies: &[Tally], uniform: &[Tally], bootstrap: &Bootstrap) -> Result<PolicyRow> {
    let mut sums = Sums::new(tallies.len(), 8);
    for (product, (tally, base)) in tallies.iter().zip(uniform).enumerate() {
        let Tally { clicks, impressions, regret, logged } = *tally;
        let weighted = if impressions > 0.0 { [logged * clicks / impressions, logged] } else { [0.0; 2] };
        let values =
            [clicks, impressions, base.clicks, base.impressions, regret, logged, weighted[0], weighted[1]];
        values.into_iter().enumerate().for_each(|(k, value)| sums.add(product, k, value));
    }
    let found = sums.estimates(bootstrap, 4, |s, out| {
        let sctr = s[0] / s[1];
        out.copy_from_slice(&[sctr, s[6] / s[7], sctr / (s[2] / s[3]) - 1.0, s[4] / s[5]]);
    })?;
    let totals = sums.totals();
    let need = |k: usize| {
        let what = format!("a played-back CTR of {policy:?} (shared impressions and clicks)");
        found[k].ok_or(EvalError::TooFew { what, got: totals[1] as usize, needed: 1 })
    };
    Ok(PolicyRow {
        policy,
        sctr: need(0)?,
        nsctr: need(1)?,
        lift: need(2)?,
        regret: need(3)?,
        matched: totals[1] / totals[5],
    })
}
