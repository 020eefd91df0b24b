//! All estimators that a log allows, beside each other.

use super::bounds::{Limits, student_reach};
use super::tally::{BASE, COUNT, MATCHED, REWARD, WEIGHT, norm};
use super::tuning::{Family, agreeing};
use super::{Estimator, Overlap, Tally};
use crate::{Bootstrap, Estimate, EvalError, Result, Sums};
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
    /// The value of the policy, with the bootstrap's interval.
    pub value: Estimate,
    /// The same value with other intervals: Student's t, and where a round's value has a known range, Hoeffding's and the
    /// empirical Bernstein bound.
    pub intervals: Vec<Estimate>,
}

/// Hyper-parameters that SLOPE chooses from: largest weights, and shares of shrinkage.
const WEIGHTS: [f64; 7] = [1.0, 3.0, 10.0, 30.0, 100.0, 1000.0, f64::INFINITY];
const SHRINKAGE: [f64; 6] = [0.0, 0.001, 0.01, 0.05, 0.2, 0.5];
/// obp's default for the chance that one of SLOPE's bounds fails.
const DELTA: f64 = 0.1;

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

impl Tally {
    /// Evaluates the policy by every estimator that the rounds have what it needs for; replay only where the policy is certain
    /// of some logged action.
    ///
    /// # Errors
    /// [`EvalError::TooFew`] below two rounds, or when no logged action has any weight under the policy;
    /// [`EvalError::OutOfRange`] for a reward or weight outside of `limits`; [`EvalError::BadOption`].
    pub fn report(&self, bootstrap: &Bootstrap, limits: &Limits) -> Result<OpeReport> {
        if self.rounds < 2 {
            let (what, got) = ("an off-policy estimate".into(), self.rounds as usize);
            return Err(EvalError::TooFew { what, got, needed: 2 });
        }
        self.check(limits)?;
        let rows = self.rows();
        let estimators: Vec<Estimator> = rows.iter().map(|row| row.0).collect();
        let (logged, mean_weight, values) = self.values(&estimators, bootstrap)?;
        let row = |((estimator, tuned), value): ((Estimator, bool), Estimate)| {
            let intervals = self.intervals(estimator, &value, limits, bootstrap.level);
            OpeRow { estimator, tuned, value, intervals }
        };
        let estimates = rows.into_iter().zip(values).map(row).collect();
        Ok(OpeReport { overlap: Overlap::of(mean_weight, &self.weights)?, logged, estimates })
    }

    /// The estimators of a report, and whether SLOPE chose their hyper-parameters.
    fn rows(&self) -> Vec<(Estimator, bool)> {
        let unbounded = f64::INFINITY;
        let mut rows = Vec::new();
        if self.total(MATCHED) > 0.0 {
            rows.push(Estimator::Replay);
        }
        rows.extend([Estimator::Ipw { clip: unbounded }, Estimator::Snipw]);
        if self.extras.balanced {
            rows.push(Estimator::BalancedIpw { clip: unbounded });
        }
        if self.extras.marginal {
            rows.extend([Estimator::Mipw, Estimator::Snmipw]);
        }
        if self.extras.model {
            rows.extend([Estimator::DirectMethod, Estimator::Dr { clip: unbounded }, Estimator::Sndr]);
        }
        let tuned = families(self.extras.model);
        let tuned = tuned.into_iter().map(|(family, grid)| (self.choose(family, grid), true));
        rows.into_iter().map(|estimator| (estimator, false)).chain(tuned).collect()
    }

    /// What the log earned, the mean weight, and the value by each estimator, all on the same resamples.
    fn values(
        &self,
        estimators: &[Estimator],
        bootstrap: &Bootstrap,
    ) -> Result<(Estimate, Option<Estimate>, Vec<Estimate>)> {
        let columns: Vec<[usize; 2]> = estimators.iter().map(|e| [self.part(*e), norm(*e)]).collect();
        let kept = [[COUNT, REWARD], [WEIGHT, BASE]].iter().chain(&columns).flatten();
        let kept: Vec<usize> = kept.copied().collect();
        let clusters: Vec<usize> = self.filled().collect();
        let mut sums = Sums::new(clusters.len(), kept.len());
        for (row, cluster) in clusters.into_iter().enumerate() {
            kept.iter().enumerate().for_each(|(k, column)| sums.add(row, k, self.cell(cluster, *column)));
        }
        let found = sums.estimates(bootstrap, 2 + estimators.len(), |s, out| {
            let [count, reward, weight, base] = [s[0], s[1], s[2], s[3]];
            out[0] = reward / count;
            out[1] = weight / count;
            for ((k, estimator), s) in estimators.iter().enumerate().zip(s[4..].chunks_exact(2)) {
                let base = if estimator.needs_model() { base / count } else { 0.0 };
                let direct = *estimator == Estimator::DirectMethod;
                out[2 + k] = base + if direct { 0.0 } else { s[0] / s[1] };
            }
        })?;
        let mut found = found.into_iter();
        let logged = found.next().flatten().ok_or_else(|| self.no_support())?;
        let mean_weight = found.next().flatten();
        let values = found.map(|value| value.ok_or_else(|| self.no_support())).collect::<Result<_>>()?;
        Ok((logged, mean_weight, values))
    }

    fn no_support(&self) -> EvalError {
        let rounds = self.rounds;
        let what =
            format!("an off-policy value (logged actions that the policy would take, of {rounds} rounds)");
        EvalError::TooFew { what, got: 0, needed: 1 }
    }

    /// SLOPE's member of a family, as [`super::tuning::choose`] finds it.
    fn choose(&self, family: Family, grid: &[f64]) -> Estimator {
        let grid = family.ordered(grid);
        let n = self.rounds as f64;
        let (mut means, mut widths) = (Vec::new(), Vec::new());
        for value in &grid {
            let estimator = family.with(*value);
            let at = self.estimators.iter().position(|e| *e == estimator);
            let at = at.unwrap_or_else(|| unreachable!("{estimator} is of the families that a tally keeps"));
            let [sum, square] = self.spread[at];
            let variance = ((square - sum * sum / n) / (n - 1.0)).max(0.0);
            means.push(self.shifts[at] + sum / n);
            widths.push(student_reach(variance, n, DELTA));
        }
        family.with(grid[agreeing(&means, &widths)])
    }
}
