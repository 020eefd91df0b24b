//! `adeval eval ope`: what other policies would have earned, and which to ship.

use super::super::exit::{Finish, Stop};
use super::super::{Session, output};
use super::source::{self, IntervalArgs, SourceArgs};
use super::text;
use crate::records::{Decisions, Policies, RecordError, RowReport, Unit};
use adeval_eval::ope::{Estimator, OpeReport, Tally};
use adeval_eval::{Bootstrap, Estimate};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Columns of the log: product, creative (what was shown), propensity (its chance to be), clicked (0 or 1)
or reward; id, cluster (what to resample together, otherwise products) if there are any.
Columns of policies: product, creative, and probability, or score for a policy that shows the best;
policy names several in one file; predicted is a reward model's expected reward. docs/logs.md has more.

Examples:
  adeval eval ope fixtures/logs/decisions.csv --policy fixtures/logs/policies.csv
  adeval eval ope log.parquet --policy scores.csv --epsilon 0.05   # the best score, 5% any creative
  adeval eval ope log.jsonl.gz --policy ab.csv --json | jq '.comparisons[] | [.policy, .verdict]'";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct OpeArgs {
    /// The log, a row a decision: .csv, .tsv, .jsonl or .parquet.
    log: PathBuf,
    /// The policies to evaluate: a row for each product and creative.
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// Policies given by scores show the best-scored creative, but any with this chance.
    #[arg(long, value_name = "P", default_value_t = 0.0)]
    epsilon: f64,
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    intervals: IntervalArgs,
}

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

/// A policy at work: its name and what its rounds add up to.
struct Entrant<'a> {
    number: u32,
    name: String,
    tally: &'a Tally,
}

pub fn run(args: &OpeArgs, session: Session) -> Result<Finish, Stop> {
    let bootstrap = args.intervals.bootstrap()?;
    if !(0.0..=1.0).contains(&args.epsilon) {
        return Err(Stop::new(format!("--epsilon is {}; it must lie in [0, 1]", args.epsilon)));
    }
    let mut policies = Policies::default();
    let policy_rows = args.source.read(&args.policy, false, &mut policies, session)?;
    let file = args.policy.display().to_string();
    policies.complete(args.epsilon).map_err(|message| RecordError::Together { file, message })?;
    let mut log = Decisions::new(&policies);
    let rows = args.source.read(&args.log, true, &mut log, session)?;
    let mut entrants = Vec::new();
    for number in 0..policies.names.len() as u32 {
        let name = match policies.names.name(number) {
            "" => "policy".to_owned(),
            name => name.to_owned(),
        };
        entrants.push(Entrant { number, name, tally: log.tally(number) });
    }
    let found = entrants.iter().map(|Entrant { number, name, tally }| {
        let (policy, unlisted) = (name.clone(), log.unlisted(*number));
        Ok(PolicyResult { policy, unlisted, report: tally.report(&bootstrap)? })
    });
    let found = found.collect::<Result<Vec<_>, Stop>>()?;
    let comparisons = compare(&entrants, &bootstrap)?;
    let (unit, units) = log.unit();
    let mut notes = notes(&found, &policies, unit, units);
    if log.grouped() {
        let many = match unit {
            Unit::Cluster => "clusters",
            Unit::Product => "products",
            Unit::Round => "rounds",
        };
        notes.push(format!(
            "there are more {many} than are resampled each on its own: they are resampled in {units} groups"
        ));
    }
    if log.unchecked() > 0 {
        notes.push(format!(
            "{} ids came after 14.7 million others, and were not checked against each other for repetition",
            log.unchecked()
        ));
    }
    let result = OpeResult {
        rows,
        policy_rows,
        level: bootstrap.level,
        resamples: bootstrap.resamples,
        seed: bootstrap.seed,
        unit,
        units,
        policies: found,
        comparisons,
        notes,
    };
    source::show(&result, page, session)?;
    Ok(source::finish([&result.rows, &result.policy_rows]))
}

/// Every policy against the log, then later ones against earlier ones, at a level that holds for all together.
fn compare(entrants: &[Entrant<'_>], bootstrap: &Bootstrap) -> Result<Vec<Comparison>, Stop> {
    let count = entrants.len() * (entrants.len() + 1) / 2;
    let bootstrap = Bootstrap { level: 1.0 - (1.0 - bootstrap.level) / count as f64, ..*bootstrap };
    let against_log = entrants.iter().map(|a| (a, None));
    let earlier = |at: usize| entrants[..at].iter().map(move |b| (&entrants[at], Some(b)));
    let pairs: Vec<_> = against_log.chain((0..entrants.len()).flat_map(earlier)).collect();
    let tallies: Vec<_> = pairs.iter().map(|(a, b)| (a.tally, b.map(|b| b.tally))).collect();
    let found = Tally::differences(&tallies, &bootstrap)?.into_iter().zip(pairs);
    Ok(found
        .map(|(difference, (a, b))| Comparison {
            policy: a.name.clone(),
            against: b.map(|b| b.name.clone()),
            // The logging policy's mean needs no model.
            estimator: Estimator::Snipw,
            verdict: verdict(&difference),
            difference,
        })
        .collect())
}

fn verdict(difference: &Estimate) -> Verdict {
    match (difference.low, difference.high) {
        (Some(low), _) if low > 0.0 => Verdict::Higher,
        (_, Some(high)) if high < 0.0 => Verdict::Lower,
        _ => Verdict::Undecided,
    }
}

/// Shares of effective rounds, and of one round in the sum of weights, from which on a warning is due.
const FEW: f64 = 0.01;
const HEAVY: f64 = 0.05;

fn notes(found: &[PolicyResult], policies: &Policies, unit: Unit, units: usize) -> Vec<String> {
    let mut notes = Vec::new();
    for PolicyResult { policy, unlisted, report } in found {
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
            notes.push(format!(
                "{policy}: one round carries {:.1}% of all weight",
                100.0 * overlap.largest_share
            ));
        }
        if *unlisted > 0 {
            notes.push(format!("{policy}: {unlisted} rounds showed a creative that it does not list, and count as never shown by it"));
        }
    }
    if policies.modelled() {
        let partial = found.iter().any(|f| !f.report.estimates.iter().any(|row| row.estimator.needs_model()));
        notes.push(
            "predictions must come from a model that did not see these rounds, or DM and DR flatter it"
                .into(),
        );
        if partial {
            notes.push("some creatives that were shown have no prediction: DM and DR are left out for those policies".into());
        }
    }
    let single = policies.without_choice();
    if single > 0 {
        notes.push(format!("{single} products have one creative only: nothing to choose there"));
    }
    match unit {
        Unit::Round => notes.push("the log has one product: rounds are resampled each on its own; give a column \"cluster\" for users".into()),
        _ if units < 30 => notes.push(format!("{units} clusters are few: intervals are rough below some 30")),
        _ => {}
    }
    notes
}

fn page(result: &OpeResult) -> String {
    let unit = match result.unit {
        Unit::Cluster => "clusters",
        Unit::Product => "products",
        Unit::Round => "rounds",
    };
    let mut page = format!(
        "{} rounds, {:.0}% intervals over {} {unit}\n",
        result.rows.used,
        100.0 * result.level,
        result.units
    );
    if let Some(first) = result.policies.first() {
        page += &format!("The log itself earned {} a round.\n", text::number(&first.report.logged));
    }
    for PolicyResult { policy, report, .. } in &result.policies {
        page += &format!("\n{}", estimates(policy, report));
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

fn estimates(policy: &str, report: &OpeReport) -> String {
    let rows = report.estimates.iter().map(|row| {
        let chosen = if row.tuned { "chosen by SLOPE" } else { "" };
        [row.estimator.to_string(), text::number(&row.value), chosen.to_owned()]
    });
    output::table([&format!("VALUE OF {policy}"), "REWARD A ROUND", ""], rows)
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
