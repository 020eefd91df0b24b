//! `adeval eval slates`: what other policies would have earned with several positions shown at once.

use super::super::exit::{Finish, Stop};
use super::super::{Session, output};
use super::source::{self, IntervalArgs, SourceArgs};
use super::text;
use crate::records::{RecordError, RowReport, SlateRows};
use adeval_eval::ope::Overlap;
use adeval_eval::ope::slate::{SlateEstimator, SlateReport, SlateRow};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

const EXAMPLES: &str = "\
A row for each position of each slate: slate, position (from 1), creative, propensity (its chance, given the
creatives above it), clicked (0 or 1) or reward; for the policy probability, the same chance under it. More
estimators need more: item_propensity and item_probability, the chance of the creative at its position
whatever is above (IIPS); predicted and mean_predicted, the expected reward from this position on of the
creative and on average over the policy (cascade DR). Several policies: probability_NAME and so on. cluster
is what to resample together, such as users, otherwise slates. docs/logs.md has more.

Examples:
  adeval eval slates fixtures/logs/slates.csv
  adeval eval slates log.parquet --json | jq '.policies[0].report.estimates[] | [.estimator, .value.value]'";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct SlatesArgs {
    /// The log, a row for each position of each slate: .csv, .tsv, .jsonl or .parquet.
    log: PathBuf,
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    intervals: IntervalArgs,
}

/// What `adeval eval slates --json` prints.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SlatesResult {
    /// What became of the log's rows.
    pub rows: RowReport,
    /// Confidence level of intervals.
    pub level: f64,
    /// Bootstrap resamples.
    pub resamples: u32,
    /// Seed.
    pub seed: u64,
    /// Slates that are whole.
    pub slates: usize,
    /// Slates without some position, since rows were left out.
    pub incomplete: usize,
    /// Positions of a slate.
    pub positions: usize,
    /// Whether the values of column `cluster` are resampled, and not slates.
    pub clustered: bool,
    /// Each policy's value.
    pub policies: Vec<SlatePolicy>,
    /// What to mind.
    pub notes: Vec<String>,
}

/// A policy's value by every estimator.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SlatePolicy {
    /// Its name.
    pub policy: String,
    /// What the log says about it.
    pub report: SlateReport,
}

pub fn run(args: &SlatesArgs, session: Session) -> Result<Finish, Stop> {
    let bootstrap = args.intervals.bootstrap()?;
    let mut table = SlateRows::default();
    let rows = args.source.read(&args.log, true, &mut table, session)?;
    let ([slates, incomplete], positions) = (table.slates(), table.positions());
    if incomplete > 0 && rows.missing() == 0 {
        let file = args.log.display().to_string();
        let message = table.holes().unwrap_or_default();
        return Err(RecordError::Together { file, message }.into());
    }
    let (mut policies, mut notes) = (Vec::new(), Vec::new());
    for (number, name) in table.policies().enumerate() {
        let log = table.log(number);
        notes.extend(lacking(name, log.item.is_some(), log.model.is_some(), table.items()));
        policies.push(SlatePolicy { policy: name.to_owned(), report: log.report(&bootstrap)? });
    }
    if incomplete > 0 {
        notes
            .push(format!("{incomplete} slates lack a position, since rows were left out, and are not used"));
    }
    notes.extend(policies.iter().flat_map(thin));
    notes.push(
        "which estimator is right depends on how users look: docs/metrics.md says what each assumes".into(),
    );
    let clustered = table.clustered();
    let slates = slates - incomplete;
    let (level, resamples, seed) = (bootstrap.level, bootstrap.resamples, bootstrap.seed);
    let result = SlatesResult {
        rows,
        level,
        resamples,
        seed,
        slates,
        incomplete,
        positions,
        clustered,
        policies,
        notes,
    };
    source::show(&result, page, session)?;
    Ok(source::finish([&result.rows]))
}

/// What a policy lacks for some estimators.
fn lacking(policy: &str, item: bool, model: bool, logged: bool) -> Vec<String> {
    let mut notes = Vec::new();
    if !item {
        let column = if logged { "item_probability" } else { "item_propensity" };
        notes.push(format!("{policy}: IIPS is left out, which needs both policies' chances of a creative at its position (\"{column}\" is missing)"));
    }
    if !model {
        notes.push(format!(
            "{policy}: cascade DR is left out, which needs a model (\"predicted\" and \"mean_predicted\")"
        ));
    }
    notes
}

/// Warnings about weights.
fn thin(SlatePolicy { policy, report }: &SlatePolicy) -> Vec<String> {
    let kinds = [
        ("whole slates (SIPS)", Some(&report.overlap)),
        ("cascades (RIPS, cascade DR)", Some(&report.cascade_overlap)),
    ];
    let kinds = kinds.into_iter().chain([("items (IIPS)", report.item_overlap.as_ref())]);
    let warn = |(kind, overlap): (&str, Option<&Overlap>)| {
        let overlap = overlap?;
        if overlap.suspicious {
            let mean = text::number(&overlap.mean_weight);
            return Some(format!(
                "{policy}: the mean weight of {kind} is {mean}, and 1 is outside: the chances are wrong, or the policy shows what the log never could"
            ));
        }
        let few = overlap.effective_share < FEW;
        few.then(|| {
            format!(
                "{policy}: {kind} have few effective rows, {:.0} of {}",
                overlap.effective_sample_size, overlap.rounds
            )
        })
    };
    kinds.filter_map(warn).collect()
}

/// Share of effective rows below which a warning is due.
const FEW: f64 = 0.01;

fn page(result: &SlatesResult) -> String {
    let unit = if result.clustered { "clusters" } else { "slates" };
    let mut page = format!(
        "{} slates of {} positions, {:.0}% intervals over {unit}\n",
        result.slates,
        result.positions,
        100.0 * result.level
    );
    if let Some(first) = result.policies.first() {
        page += &format!("The log itself earned {} a slate.\n", text::number(&first.report.logged));
    }
    for SlatePolicy { policy, report } in &result.policies {
        let rows = report.estimates.iter().map(|row: &SlateRow| {
            let assumes = assumption(row.estimator).to_owned();
            [row.estimator.to_string(), text::number(&row.value), text::signed(&row.over_log), assumes]
        });
        let head = [&format!("VALUE OF {policy}"), "REWARD A SLATE", "MORE THAN THE LOG", "ASSUMES"];
        page += &format!("\n{}", output::table(head, rows));
        let share = |overlap: &Overlap| format!("{:.1}%", 100.0 * overlap.effective_share);
        let items = report.item_overlap.as_ref().map(|o| format!(", {} by items", share(o)));
        page += &format!(
            "Effective rows: {} by whole slates, {} by cascades{}\n",
            share(&report.overlap),
            share(&report.cascade_overlap),
            items.unwrap_or_default()
        );
    }
    page + &text::notes(&result.notes)
}

fn assumption(estimator: SlateEstimator) -> &'static str {
    match estimator {
        SlateEstimator::Sips | SlateEstimator::Snsips => "nothing",
        SlateEstimator::Iips | SlateEstimator::Sniips => "items alone",
        SlateEstimator::Rips | SlateEstimator::Snrips | SlateEstimator::CascadeDr => "top down",
    }
}
