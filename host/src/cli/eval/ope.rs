//! `adeval eval ope`: what other policies would have earned, and which to ship.

mod notes;
mod page;
mod result;

pub use result::OpeResult;

use super::super::Session;
use super::super::exit::{Finish, Stop};
use super::source::{self, IntervalArgs, SourceArgs};
use crate::records::{CrossFit, Decisions, Fitting, Policies, RecordError};
use adeval_eval::Bootstrap;
use adeval_eval::ope::bounds::{Limits, Range};
use adeval_eval::ope::{Estimator, Tally};
use result::{Comparison, CrossFitted, PolicyResult, Verdict};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Columns of the log: product, creative (what was shown), propensity (its chance to be), clicked (0 or 1)
or reward; id, cluster (what to resample together, otherwise products) if there are any.
Columns of policies: product, creative, and probability, or score for a policy that shows the best;
policy names several in one file; predicted is a reward model's expected reward; balanced_weight (for
Balanced IPW) and embedding (for MIPW, with --logging). docs/logs.md has more.

Examples:
  adeval eval ope fixtures/logs/decisions.csv --policy fixtures/logs/policies.csv
  adeval eval ope log.parquet --policy scores.csv --epsilon 0.05   # the best score, 5% any creative
  adeval eval ope log.csv --policy ab.csv --cross-fit 5            # DM and DR without a reward model
  adeval eval ope log.csv --policy ab.csv --interval hoeffding --largest-weight 20
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
    /// The policy of the file that made the log: propensities are held to it, and MIPW becomes possible.
    #[arg(long, value_name = "NAME")]
    logging: Option<String>,
    /// Fit the reward model of DM and DR on the log itself, each round predicted from the other of so many folds, 2 to 100.
    #[arg(long, value_name = "FOLDS")]
    cross_fit: Option<usize>,
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    intervals: IntervalArgs,
    /// Which interval the tables show; JSON has all of them.
    #[arg(long, value_enum, default_value_t = Interval::Bca, help_heading = "Intervals")]
    interval: Interval,
    /// Smallest and largest reward that can be, for Hoeffding and Bernstein [default: 0,1 where the log has clicks].
    #[arg(long, value_name = "LOW,HIGH", value_parser = range, allow_hyphen_values = true, help_heading = "Intervals")]
    reward_range: Option<Range>,
    /// Largest importance weight that can be, for the same [default: the largest that occurred].
    #[arg(long, value_name = "W", help_heading = "Intervals")]
    largest_weight: Option<f64>,
}

/// Ways to an interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Interval {
    /// BCa bootstrap over clusters.
    Bca,
    /// Student's t over clusters.
    StudentT,
    /// Empirical Bernstein bound, for any number of rounds.
    Bernstein,
    /// Hoeffding's bound, for any number of rounds.
    Hoeffding,
}

/// `0,1`.
fn range(text: &str) -> Result<Range, String> {
    let ends = text.split_once(',').and_then(|(low, high)| {
        let [low, high] = [low, high].map(|end| end.trim().parse::<f64>().ok());
        Some(Range { low: low?, high: high? })
    });
    ends.ok_or_else(|| "write two numbers with a comma between, as in 0,1".into())
}

/// A policy at work: its name and what its rounds add up to.
struct Entrant<'a> {
    number: u32,
    name: String,
    tally: &'a Tally,
}

pub fn run(args: &OpeArgs, session: Session) -> Result<Finish, Stop> {
    let bootstrap = args.intervals.bootstrap()?;
    args.check()?;
    let mut policies = Policies::default();
    let policy_rows = args.source.read(&args.policy, false, &mut policies, session)?;
    let file = args.policy.display().to_string();
    let together = |message| RecordError::Together { file, message };
    policies.complete(args.epsilon, args.logging.as_deref()).map_err(together)?;
    let fit = args.cross_fit.map(|folds| args.fit(folds, &policies, session)).transpose()?;
    let mut log = Decisions::new(&policies, fit.as_ref());
    let rows = args.source.read(&args.log, true, &mut log, session)?;
    log.settle();
    let limits = args.limits(log.clicks());
    let entrants = entrants(&policies, &log)?;
    let found = entrants.iter().map(|Entrant { number, name, tally }| {
        let (policy, unlisted) = (name.clone(), log.unlisted(*number));
        Ok(PolicyResult { policy, unlisted, report: tally.report(&bootstrap, &limits)? })
    });
    let found = found.collect::<Result<Vec<_>, Stop>>()?;
    let comparisons = compare(&entrants, &bootstrap)?;
    let notes = notes::notes(&found, &policies, &log, fit.as_ref(), &limits, args.interval);
    let (unit, units) = log.unit();
    let result = OpeResult {
        rows,
        policy_rows,
        level: bootstrap.level,
        resamples: bootstrap.resamples,
        seed: bootstrap.seed,
        unit,
        units,
        cross_fit: fit.map(|fit| CrossFitted { folds: fit.folds(), by: fit.by() }),
        policies: found,
        comparisons,
        notes,
    };
    source::show(&result, |result| page::page(result, args.interval), session)?;
    Ok(source::finish([&result.rows, &result.policy_rows]))
}

impl OpeArgs {
    fn check(&self) -> Result<(), Stop> {
        if !(0.0..=1.0).contains(&self.epsilon) {
            return Err(Stop::new(format!("--epsilon is {}; it must lie in [0, 1]", self.epsilon)));
        }
        if let Some(folds) = self.cross_fit.filter(|folds| !(2..=100).contains(folds)) {
            return Err(Stop::new(format!("--cross-fit is {folds}; it must be 2 to 100")));
        }
        if let Some(weight) = self.largest_weight.filter(|w| !(*w > 0.0 && w.is_finite())) {
            return Err(Stop::new(format!("--largest-weight is {weight}; it must be above 0 and finite")));
        }
        Ok(())
    }

    /// Reads the log for the first time, to fit the regression of each fold.
    fn fit(&self, folds: usize, policies: &Policies, session: Session) -> Result<CrossFit, Stop> {
        if policies.modelled() {
            let message =
                "the policies have predictions (column \"predicted\"), and --cross-fit would fit others";
            return Err(Stop::new(message).help("take the column out of the file, or leave --cross-fit out"));
        }
        let mut fitting = Fitting::new(policies, folds);
        self.source.peek(&self.log, &mut fitting, session)?;
        Ok(fitting.finish()?)
    }

    fn limits(&self, clicks: bool) -> Limits {
        let click = clicks.then_some(Range { low: 0.0, high: 1.0 });
        Limits { reward: self.reward_range.or(click), weight: self.largest_weight }
    }
}

/// The policies to evaluate: all but the one that made the log.
fn entrants<'a>(policies: &Policies, log: &'a Decisions<'_>) -> Result<Vec<Entrant<'a>>, Stop> {
    let numbers = (0..policies.names.len() as u32).filter(|number| Some(*number) != policies.logging());
    let entrants = numbers.map(|number| {
        let name = match policies.names.name(number) {
            "" => "policy".to_owned(),
            name => name.to_owned(),
        };
        Entrant { number, name, tally: log.tally(number) }
    });
    let entrants: Vec<_> = entrants.collect();
    if entrants.is_empty() {
        return Err(Stop::new(
            "the policy file holds the logging policy only; what is to be compared with the log?",
        ));
    }
    Ok(entrants)
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
            verdict: Verdict::of(&difference),
            difference,
        })
        .collect())
}
