//! The result for people.

use super::Interval;
use super::result::{OpeResult, PolicyResult, Verdict};
use crate::cli::eval::text;
use crate::cli::output;
use crate::records::Unit;
use adeval_eval::ope::{OpeReport, OpeRow};
use adeval_eval::{Estimate, Method};

/// Names of what is resampled together.
pub(super) fn plural(unit: Unit) -> &'static str {
    match unit {
        Unit::Cluster => "clusters",
        Unit::Product => "products",
        Unit::Round => "rounds",
    }
}

pub(super) fn page(result: &OpeResult, interval: Interval) -> String {
    let kind = match interval {
        Interval::Bca => "",
        Interval::StudentT => " by Student's t",
        Interval::Bernstein => " by the empirical Bernstein bound",
        Interval::Hoeffding => " by Hoeffding's bound",
    };
    let (level, units) = (100.0 * result.level, result.units);
    let unit = plural(result.unit);
    let mut page = format!("{} rounds, {level:.0}% intervals{kind} over {units} {unit}\n", result.rows.used);
    if let Some(first) = result.policies.first() {
        page += &format!("The log itself earned {} a round.\n", text::number(&first.report.logged));
    }
    for PolicyResult { policy, report, .. } in &result.policies {
        page += &format!("\n{}", estimates(policy, report, interval));
        let overlap = &report.overlap;
        page += &format!(
            "Overlap: {:.0} effective rounds ({:.1}%), mean weight {}, largest {:.1}, {:.1}% of rounds never shown\n",
            overlap.effective_sample_size,
            100.0 * overlap.effective_share,
            text::number(&overlap.mean_weight),
            overlap.largest_weight,
            100.0 * overlap.zero_share
        );
    }
    page + &format!("\n{}", comparisons(result)) + &text::notes(&result.notes)
}

fn estimates(policy: &str, report: &OpeReport, interval: Interval) -> String {
    let rows = report.estimates.iter().map(|row| {
        let chosen = if row.tuned { "chosen by SLOPE" } else { "" };
        [row.estimator.to_string(), text::number(&shown(row, interval)), chosen.to_owned()]
    });
    output::table([&format!("VALUE OF {policy}"), "REWARD A ROUND", ""], rows)
}

/// A row's value with the interval that was asked for, or without one.
fn shown(row: &OpeRow, interval: Interval) -> Estimate {
    let method = match interval {
        Interval::Bca => return row.value,
        Interval::StudentT => Method::StudentT,
        Interval::Bernstein => Method::EmpiricalBernstein,
        Interval::Hoeffding => Method::Hoeffding,
    };
    let found = row.intervals.iter().find(|interval| interval.method == method);
    found.copied().unwrap_or(Estimate::plain(row.value.value, row.value.n))
}

fn comparisons(result: &OpeResult) -> String {
    let rows = result.comparisons.iter().map(|c| {
        let verdict = match c.verdict {
            Verdict::Higher => format!("ship {}", c.policy),
            Verdict::Lower => format!("keep {}", c.against.as_deref().unwrap_or("the log's policy")),
            Verdict::Undecided => "the log cannot tell".to_owned(),
        };
        let against = c.against.clone().unwrap_or_else(|| "the log".into());
        [format!("{} - {against}", c.policy), text::signed(&c.difference), verdict]
    });
    output::table(["DIFFERENCE (SNIPW)", "REWARD A ROUND", "VERDICT"], rows)
}
