//! `adeval merge`: the shards of a suite in, the leaderboard of one run out.

use super::bench::{board, places, tell_failures};
use super::exit::{Finish, Stop};
use super::progress::Report;
use super::{Session, interrupt, output};
use crate::bench::{self, MergeOptions, MergeOutcome};
use serde_json::json;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  for i in 1 2 3; do adeval bench my.toml --shard $i/3; done
  adeval merge runs/my-*-of-3                       the board of one run, byte for byte
  adeval merge node1/runs/* node2/runs/* --out all  from several machines
  adeval merge runs/my-*-of-3 --json | jq '.board.rows[] | [.entry, .rank]'

All shards must be there, finished, and of the same suite, products and plugins. They are left as they are; the merged
run shares their files where the disk allows it. `adeval bench my.toml` finds it, and computes nothing again.";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct MergeArgs {
    /// The folders of all shards, in any order.
    #[arg(required = true, value_name = "DIR")]
    shards: Vec<PathBuf>,
    /// Folder of all runs; the merged run gets the folder in it that a run in one call has.
    #[arg(long, value_name = "DIR", default_value = "runs")]
    runs: PathBuf,
    /// Folder of the merged run itself.
    #[arg(long, short, value_name = "DIR", conflicts_with = "runs")]
    out: Option<PathBuf>,
}

pub fn run(args: &MergeArgs, session: Session) -> Result<Finish, Stop> {
    let options = MergeOptions { runs: args.runs.clone(), run_dir: args.out.clone() };
    let cancel = interrupt::listen()?;
    let report = Report::new(session.quiet);
    let outcome = bench::merge(&args.shards, &options, &report, cancel);
    report.finish();
    let outcome = outcome?;
    if session.json {
        output::print_json(&as_json(&outcome)?)?;
    } else {
        output::print(&page(&outcome))?;
    }
    for shard in &outcome.shards {
        for unopened in &shard.unopened {
            output::warn(&format!(
                "shard {}: {}: {}; its results are missing on the board: adeval runs resume {}, and merge again",
                shard.shard,
                unopened.user,
                unopened.error,
                shard.dir.display()
            ));
        }
    }
    let failed = tell_failures(outcome.result.failures(), &outcome.run_dir.join("result.json"));
    Ok(Finish::with_failures(failed || outcome.unusable_products > 0))
}

fn as_json(outcome: &MergeOutcome) -> Result<serde_json::Value, Stop> {
    let mut value = serde_json::to_value(&outcome.result)
        .map_err(|error| Stop::new(format!("the result cannot be written as JSON: {error}")))?;
    value["run_dir"] = json!(outcome.run_dir);
    value["shards"] = json!(outcome.shards);
    value["results"] = json!(outcome.results);
    Ok(value)
}

fn page(outcome: &MergeOutcome) -> String {
    format!(
        "{}\n{} results of {} shards.\n{}",
        board(&outcome.result),
        outcome.results,
        outcome.shards.len(),
        places(&outcome.result, &outcome.run_dir)
    )
}
