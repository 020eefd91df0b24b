//! `adeval bench`: a suite in, a leaderboard out.

use super::exit::{Finish, Stop};
use super::open::PluginArgs;
use super::progress::Report;
use super::{Session, interrupt, output};
use crate::bench::{self, BenchOptions, BenchOutcome, RunResult, Services, Shard, ShardOutcome};
use crate::products::CutOutNetwork;
use crate::suite::{self, Suite};
use serde_json::json;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  adeval bench                        the default suite
  adeval bench my.toml --limit 8      a first look at one's own
  adeval bench my.toml --rescore      after a change of judges or metrics: no creative is made again
  adeval bench my.toml --json | jq '.board.rows[] | [.entry, .rank]'
  adeval bench my.toml --shard 3/7    the third of seven parts, on any machine; adeval merge makes the board
  adeval bench my.toml --shard auto/7 the same in a Slurm array of tasks 1-7 or a Kubernetes indexed Job

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
    /// Run one part of the suite, as in 3/7, and make no board; in a Slurm array or a Kubernetes indexed Job, auto/7 takes the
    /// task's number.
    #[arg(long, value_name = "I/N", value_parser = shard)]
    shard: Option<Shard>,
    /// Compute metrics from the creatives that are there; make none.
    #[arg(long)]
    rescore: bool,
    /// Try once more what failed in an earlier call.
    #[arg(long)]
    retry_failed: bool,
    #[command(flatten)]
    plugins: PluginArgs,
}

fn shard(text: &str) -> Result<Shard, String> {
    Shard::parse(text, |variable| std::env::var(variable).ok())
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
    go(&suite, args.shard, &options, &args.plugins, session)
}

/// A suite's file; `default` is the one that comes with adeval.
pub fn load(path: &Path) -> Result<Suite, Stop> {
    if path.as_os_str() != "default" || path.exists() {
        return Ok(Suite::load(path)?);
    }
    let file = suite::find_default().ok_or_else(|| {
        Stop::new("the default suite was not found: there is no fixtures/suites/default.toml above this folder or the program")
            .help("run adeval from a clone, or name a suite's file")
    })?;
    Ok(Suite::load(&file)?)
}

/// Runs a suite or a shard of it, or what is missing of it, and shows the board or what the shard holds.
pub fn go(
    suite: &Suite,
    shard: Option<Shard>,
    options: &BenchOptions,
    plugins: &PluginArgs,
    session: Session,
) -> Result<Finish, Stop> {
    let cancel = interrupt::listen()?;
    let installed = plugins.open(cancel)?;
    let matting = CutOutNetwork::default();
    let report = Report::new(session.quiet);
    let services = Services { plugins: &installed, matting: &matting, progress: &report, cancel };
    if let Some(shard) = shard {
        let outcome = bench::run_shard(suite, shard, options, &services);
        report.finish();
        return show_shard(&outcome?, session);
    }
    let outcome = bench::run(suite, options, &services);
    report.finish();
    let outcome = outcome?;
    if session.json {
        output::print_json(&as_json(&outcome)?)?;
    } else {
        output::print(&page(&outcome))?;
    }
    let failed = tell_failures(outcome.result.failures(), &outcome.run_dir.join("result.json"));
    Ok(Finish::with_failures(failed || outcome.unusable_products > 0))
}

fn show_shard(outcome: &ShardOutcome, session: Session) -> Result<Finish, Stop> {
    if session.json {
        output::print_json(outcome)?;
    } else {
        output::print(&shard_page(outcome))?;
    }
    let failures = outcome.failures.iter().map(|f| (f.of.as_str(), f.product.as_deref(), f.message.as_str()));
    let failed = tell_failures(failures, &outcome.run_dir.join("records.jsonl"));
    Ok(Finish::with_failures(failed || outcome.unusable_products > 0 || !outcome.report.unopened.is_empty()))
}

/// Failures told after a board, at most; the rest is in its files.
const FAILURES_TOLD: usize = 5;

/// Tells failures: the entry or optimizer, the product where there is one, and a sentence. Whether there was one.
pub fn tell_failures<'a>(
    failures: impl Iterator<Item = (&'a str, Option<&'a str>, &'a str)>,
    file: &Path,
) -> bool {
    let failures: Vec<_> = failures.collect();
    for (entry, product, message) in failures.iter().take(FAILURES_TOLD) {
        let of = product.map_or_else(String::new, |product| format!(", product \"{product}\""));
        output::warn(&format!("{entry}{of}: {message}"));
    }
    if let Some(more) = failures.len().checked_sub(FAILURES_TOLD).filter(|more| *more > 0) {
        output::warn(&format!("{more} more failures are in {}", file.display()));
    }
    !failures.is_empty()
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
    let spent = spent(outcome.computed, outcome.wall_seconds, outcome.share_outside_plugins);
    format!("{}\n{spent}\n{}", board(&outcome.result), places(&outcome.result, &outcome.run_dir))
}

/// A board as wide as the terminal.
pub fn board(result: &RunResult) -> String {
    result.to_table(output::width(), output::colour())
}

/// Where to look further.
pub fn places(result: &RunResult, dir: &Path) -> String {
    let dir = dir.display();
    let sheets =
        if result.board.rows.is_empty() { String::new() } else { format!("Contact sheets: {dir}/sheets\n") };
    format!("{sheets}All of the run: {dir}\n")
}

fn spent(computed: usize, seconds: f64, share_outside_plugins: f64) -> String {
    if computed == 0 {
        return format!("Everything was there; nothing was computed ({seconds:.1} s).");
    }
    let share = 100.0 * share_outside_plugins;
    format!("{computed} results in {seconds:.1} s, {share:.1}% of it outside plugins.")
}

fn shard_page(outcome: &ShardOutcome) -> String {
    let shard = outcome.report.shard;
    let spent = spent(outcome.computed, outcome.wall_seconds, outcome.share_outside_plugins);
    let unusable = match outcome.unusable_products {
        0 => String::new(),
        unusable => format!(", of which {unusable} cannot be used"),
    };
    format!(
        "Shard {shard}, {} products{unusable}. {spent}\nAll of it: {}\nThe board of all {}: adeval merge {}\n",
        outcome.products,
        outcome.run_dir.display(),
        shard.count,
        all_shards(&outcome.run_dir, shard),
    )
}

/// The folders of a shard and its siblings, as a shell finds them.
pub fn all_shards(dir: &Path, shard: Shard) -> String {
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    let end = format!("-{}-of-{}", shard.index, shard.count);
    match name.strip_suffix(&end) {
        Some(start) => dir.with_file_name(format!("{start}-*-of-{}", shard.count)).display().to_string(),
        None => "DIR...".into(),
    }
}
