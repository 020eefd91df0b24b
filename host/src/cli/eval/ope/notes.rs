//! What to mind about a log and its policies.

use super::Interval;
use super::result::PolicyResult;
use crate::cli::eval::text;
use crate::records::{CrossFit, Decisions, FoldUnit, Policies, Unit};
use adeval_eval::ope::bounds::Limits;

/// Shares of effective rounds, and of one round in the sum of weights, from which on a warning is due.
const FEW: f64 = 0.01;
const HEAVY: f64 = 0.05;

pub(super) fn notes(
    found: &[PolicyResult],
    policies: &Policies,
    log: &Decisions<'_>,
    fit: Option<&CrossFit>,
    limits: &Limits,
    interval: Interval,
) -> Vec<String> {
    let mut notes: Vec<String> = found.iter().flat_map(of_policy).collect();
    notes.extend(of_model(found, policies, fit));
    notes.extend(of_weights(policies));
    notes.extend(of_bounds(limits, interval));
    let single = policies.without_choice();
    if single > 0 {
        notes.push(format!("{single} products have one creative only: nothing to choose there"));
    }
    notes.extend(of_units(log));
    if log.unchecked() > 0 {
        notes.push(format!(
            "{} ids came after 14.7 million others, and were not checked against each other for repetition",
            log.unchecked()
        ));
    }
    notes
}

fn of_policy(PolicyResult { policy, unlisted, report }: &PolicyResult) -> Vec<String> {
    let mut notes = Vec::new();
    let overlap = &report.overlap;
    if overlap.effective_sample_size < 100.0 || overlap.effective_share < FEW {
        notes.push(format!(
            "{policy}: few effective samples, {:.0} of {} rounds; the log says little about it",
            overlap.effective_sample_size, overlap.rounds
        ));
    }
    if overlap.suspicious {
        notes.push(format!(
            "{policy}: the mean weight is {}, and 1 is outside: propensities are wrong, or it shows what the log never could",
            text::number(&overlap.mean_weight)
        ));
    }
    if overlap.largest_share > HEAVY {
        notes
            .push(format!("{policy}: one round carries {:.1}% of all weight", 100.0 * overlap.largest_share));
    }
    if *unlisted > 0 {
        notes.push(format!("{policy}: {unlisted} rounds showed a creative that it does not list, and count as never shown by it"));
    }
    notes
}

fn of_model(found: &[PolicyResult], policies: &Policies, fit: Option<&CrossFit>) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(fit) = fit {
        let by = match fit.by() {
            FoldUnit::Cluster => "clusters",
            FoldUnit::Round => "rounds",
            FoldUnit::Product => {
                "products, since the log has neither clusters nor ids: a creative is known by its name on other products only"
            }
        };
        notes.push(format!(
            "DM and DR use means of the log itself, each round predicted from the other of {} folds of {by}",
            fit.folds()
        ));
    }
    if policies.modelled() {
        notes.push(
            "predictions must come from a model that did not see these rounds, or DM and DR flatter it"
                .into(),
        );
        if found.iter().any(|f| !f.report.estimates.iter().any(|row| row.estimator.needs_model())) {
            notes.push("some creatives that were shown have no prediction: DM and DR are left out for those policies".into());
        }
    }
    notes
}

fn of_weights(policies: &Policies) -> Vec<String> {
    let mut notes = Vec::new();
    if policies.balanced() {
        notes.push("Balanced IPW is as right as the classifier behind balanced_weight is calibrated".into());
    }
    if policies.embedded() && policies.logging().is_none() {
        notes.push(
            "MIPW needs the logging policy's chance of every creative: put that policy into the file, and name it with --logging"
                .into(),
        );
    }
    notes
}

fn of_bounds(limits: &Limits, interval: Interval) -> Option<String> {
    if !matches!(interval, Interval::Bernstein | Interval::Hoeffding) {
        return None;
    }
    Some(match (limits.reward, limits.weight) {
        (None, _) => "Hoeffding and Bernstein need the range that rewards can have: give it with --reward-range LOW,HIGH".into(),
        (_, None) => {
            "Hoeffding and Bernstein take the largest weight that occurred for the largest that can be; if larger ones can, give --largest-weight"
                .into()
        }
        _ => return None,
    })
}

fn of_units(log: &Decisions<'_>) -> Vec<String> {
    let (unit, units) = log.unit();
    let mut notes = Vec::new();
    match unit {
        Unit::Round => notes.push("the log has one product: rounds are resampled each on its own; give a column \"cluster\" for users".into()),
        _ if units < 30 => notes.push(format!("{units} clusters are few: intervals are rough below some 30")),
        _ => {}
    }
    if log.grouped() {
        notes.push(format!(
            "there are more {} than are resampled each on its own: they are resampled in {units} groups",
            super::page::plural(unit)
        ));
    }
    notes
}
