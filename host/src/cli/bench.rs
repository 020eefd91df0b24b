//! `adeval bench`: a suite in, a leaderboard out.

use super::exit::{Finish, Stop};
use super::open::PluginArgs;
use super::progress::Report;
use super::{Session, interrupt, output};
use crate::bench::{self, BenchOptions, BenchOutcome, Services};
use crate::products::CutOutNetwork;
use crate::suite::{self, Suite};
use serde_json::json;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  adeval bench                        the default suite
  adeval bench my.toml --limit 8      a first look at one's own
  adeval bench my.toml --rescore      after a change of judges or metrics: no creative is made again
  adeval bench my.toml --json | jq '.board.rows[] | [.entry, .rank]'

A run is kept in a folder of its own in --runs: creatives by content hash, records, result.json, LEADERBOARD.md and a
contact sheet for each entry. The same command goes on where an interrupted one ended, and computes nothing twice.";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct BenchArgs {
    /// A suite's file; `default` is the suite that comes with adeval.
    #[arg(default_value = "default")]
    suite: PathBuf,
    /// Folder of all runs.
    #[arg(long, value_name = "DIR", default_value = "runs")]
    runs: PathBuf,
    /// Only the first products.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Compute metrics from the creatives that are there; make none.
    #[arg(long)]
    rescore: bool,
    /// Try once more what failed in an earlier call.
    #[arg(long)]
    retry_failed: bool,
    #[command(flatten)]
    plugins: PluginArgs,
}

pub fn run(args: &BenchArgs, session: Session) -> Result<Finish, Stop> {
    let suite = load(&args.suite)?;
    let options = BenchOptions {
        runs: args.runs.clone(),
        limit: args.limit,
        rescore: args.rescore,
        retry_failed: args.retry_failed,
        run_dir: None,
    };
    go(&suite, &options, &args.plugins, session)
}

fn load(path: &std::path::Path) -> Result<Suite, Stop> {
    if path.as_os_str() != "default" || path.exists() {
        return Ok(Suite::load(path)?);
    }
    let file = suite::find_default().ok_or_else(|| {
        Stop::new("the default suite was not found: there is no fixtures/suites/default.toml above this folder or the program")
            .help("run adeval from a clone, or name a suite's file")
    })?;
    Ok(Suite::load(&file)?)
}

/// Runs a suite, or what is missing of it, and shows the board.
pub fn go(
    suite: &Suite,
    options: &BenchOptions,
    plugins: &PluginArgs,
    session: Session,
) -> Result<Finish, Stop> {
    let cancel = interrupt::listen()?;
    let installed = plugins.open(cancel)?;
    let matting = CutOutNetwork::default();
    let report = Report::new(session.quiet);
    let services = Services { plugins: &installed, matting: &matting, progress: &report, cancel };
    let outcome = bench::run(suite, options, &services);
    report.finish();
    let outcome = outcome?;
    if session.json {
        output::print_json(&as_json(&outcome)?)?;
    } else {
        output::print(&page(&outcome))?;
    }
    tell_failures(&outcome);
    let failed = outcome.result.failures().next().is_some();
    Ok(Finish::with_failures(failed || outcome.unusable_products > 0))
}

/// Failures told after a board, at most; the rest is in its files.
const FAILURES_TOLD: usize = 5;

fn tell_failures(outcome: &BenchOutcome) {
    let failures: Vec<_> = outcome.result.failures().collect();
    for (entry, product, message) in failures.iter().take(FAILURES_TOLD) {
        let of = product.map_or_else(String::new, |product| format!(", product \"{product}\""));
        output::warn(&format!("{entry}{of}: {message}"));
    }
    if let Some(more) = failures.len().checked_sub(FAILURES_TOLD).filter(|more| *more > 0) {
        output::warn(&format!("{more} more failures are in {}/result.json", outcome.run_dir.display()));
    }
}

fn as_json(outcome: &BenchOutcome) -> Result<serde_json::Value, Stop> {
    let mut value = serde_json::to_value(&outcome.result)
        .map_err(|error| Stop::new(format!("the result cannot be written as JSON: {error}")))?;
    value["run_dir"] = json!(outcome.run_dir);
    value["computed"] = json!(outcome.computed);
    value["wall_seconds"] = json!(outcome.wall_seconds);
    value["share_outside_plugins"] = json!(outcome.share_outside_plugins);
    Ok(value)
}

fn page(outcome: &BenchOutcome) -> String {
    let board = outcome.result.to_table(output::width(), output::colour());
    let dir = outcome.run_dir.display();
    let spent = if outcome.computed == 0 {
        format!("Everything was there; nothing was computed ({:.1} s).", outcome.wall_seconds)
    } else {
        format!(
            "{} results in {:.1} s, {:.1}% of it outside plugins.",
            outcome.computed,
            outcome.wall_seconds,
            100.0 * outcome.share_outside_plugins
        )
    };
    let sheets =
        if outcome.board.rows.is_empty() { String::new() } else { format!("Contact sheets: {dir}/sheets\n") };
    format!("{board}\n{spent}\n{sheets}All of the run: {dir}\n")
}
