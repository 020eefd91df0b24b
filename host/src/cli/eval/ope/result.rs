//! What `adeval eval ope` finds.

use crate::records::{FoldUnit, RowReport, Unit};
use adeval_eval::Estimate;
use adeval_eval::ope::{Estimator, OpeReport};
use serde::{Deserialize, Serialize};

/// What `adeval eval ope --json` prints.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct OpeResult {
    /// What became of the log's rows.
    pub rows: RowReport,
    /// What became of the policy file's rows.
    pub policy_rows: RowReport,
    /// Confidence level of intervals.
    pub level: f64,
    /// Bootstrap resamples.
    pub resamples: u32,
    /// Seed.
    pub seed: u64,
    /// What was resampled together.
    pub unit: Unit,
    /// How many of it.
    pub units: usize,
    /// How the predictions of DM and DR were fitted on the log itself, if they were.
    pub cross_fit: Option<CrossFitted>,
    /// Each policy's value.
    pub policies: Vec<PolicyResult>,
    /// Policies against the log, and against each other.
    pub comparisons: Vec<Comparison>,
    /// What to mind.
    pub notes: Vec<String>,
}

/// A policy's overlap with the log and its value by every estimator.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PolicyResult {
    /// Its name.
    pub policy: String,
    /// Rounds that showed a creative which it does not list, and so never shows.
    pub unlisted: u64,
    /// What the log says about it.
    pub report: OpeReport,
}

/// A regression of the log's rewards, each round predicted without its fold.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct CrossFitted {
    /// Folds.
    pub folds: usize,
    /// What stays together in a fold.
    pub by: FoldUnit,
}

/// One policy against another on the same rounds.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Comparison {
    /// The policy.
    pub policy: String,
    /// The other one, or absent for the logging policy.
    pub against: Option<String>,
    /// By which estimator.
    pub estimator: Estimator,
    /// Its value minus the other's. All comparisons hold together at the level (Bonferroni).
    pub difference: Estimate,
    /// What follows.
    pub verdict: Verdict,
}

/// What an interval of a difference says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The policy earns more.
    Higher,
    /// It earns less.
    Lower,
    /// The log cannot tell.
    Undecided,
}

impl Verdict {
    pub(super) fn of(difference: &Estimate) -> Self {
        match (difference.low, difference.high) {
            (Some(low), _) if low > 0.0 => Self::Higher,
            (_, Some(high)) if high < 0.0 => Self::Lower,
            _ => Self::Undecided,
        }
    }
}
