//! `adeval runs`: what was run, and how two runs differ.

use super::bench::{all_shards, board};
use super::exit::{Finish, Stop};
use super::open::PluginArgs;
use super::{Session, output};
use crate::bench::{BenchOptions, Difference, compare};
use crate::store::{self, Run, RunSummary};
use crate::suite::Suite;
use clap::Subcommand;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Where runs are.
#[derive(Debug, Clone, clap::Args)]
pub struct RunsArgs {
    /// Folder of all runs.
    #[arg(long, value_name = "DIR", default_value = "runs")]
    runs: PathBuf,
}

#[derive(Subcommand)]
pub enum RunsCommand {
    /// List the runs of a folder, newest first.
    List {
        #[command(flatten)]
        folder: RunsArgs,
    },
    /// Show a run: its suite, its components, its leaderboard.
    Show {
        /// A run's folder, its name, or the start of its name.
        run: PathBuf,
        #[command(flatten)]
        folder: RunsArgs,
    },
    /// Go on with a run that was interrupted, with the suite as it was.
    Resume {
        /// A run's folder, its name, or the start of its name.
        run: PathBuf,
        /// Try once more what failed.
        #[arg(long)]
        retry_failed: bool,
        #[command(flatten)]
        folder: RunsArgs,
        #[command(flatten)]
        plugins: PluginArgs,
    },
    /// Put the numbers of two runs side by side.
    Compare {
        /// The first run.
        a: PathBuf,
        /// The second run.
        b: PathBuf,
        #[command(flatten)]
        folder: RunsArgs,
    },
}

pub fn run(command: &RunsCommand, session: Session) -> Result<Finish, Stop> {
    match command {
        RunsCommand::List { folder } => list(&folder.runs, session),
        RunsCommand::Show { run, folder } => show(&folder.find(run)?, session),
        RunsCommand::Resume { run, retry_failed, folder, plugins } => {
            resume(&folder.find(run)?, *retry_failed, plugins, session)
        }
        RunsCommand::Compare { a, b, folder } => differences(&folder.find(a)?, &folder.find(b)?, session),
    }
}

impl RunsArgs {
    /// The run of this path, of this name, or the only one whose name starts so.
    pub fn find(&self, run: &Path) -> Result<Run, Stop> {
        if run.join("run.json").exists() || run.components().count() > 1 {
            return Ok(store::open_read(run)?);
        }
        let wanted = run.to_string_lossy();
        let runs = store::list(&self.runs)?;
        let alike: Vec<&RunSummary> = match runs.iter().find(|summary| summary.name == wanted) {
            Some(same) => vec![same],
            None => runs.iter().filter(|summary| summary.name.starts_with(&*wanted)).collect(),
        };
        let folder = self.runs.display();
        match alike.as_slice() {
            [one] => Ok(store::open_read(&one.dir)?),
            [] => Err(Stop::new(format!("there is no run \"{wanted}\" in {folder}"))
                .help("`adeval runs list` shows the runs; --runs names another folder")),
            several => {
                let names: Vec<&str> = several.iter().map(|summary| summary.name.as_str()).collect();
                Err(Stop::new(format!("\"{wanted}\" is the start of {}", names.join(", ")))
                    .help("write more of the name"))
            }
        }
    }
}

fn list(folder: &Path, session: Session) -> Result<Finish, Stop> {
    let runs = store::list(folder)?;
    if session.json {
        return output::print_json(&runs);
    }
    if runs.is_empty() {
        return output::print(&format!("no run in {}; `adeval bench` makes one", folder.display()));
    }
    let row = |run: &RunSummary| {
        let state = if run.finished { "finished" } else { "unfinished" };
        let leader = match (run.shard, &run.leader) {
            (Some(shard), _) => format!("(shard {shard})"),
            (None, leader) => leader.clone().unwrap_or_else(|| "-".into()),
        };
        [run.name.clone(), state.into(), run.records.to_string(), leader, age(run.modified)]
    };
    output::print(&output::table(
        ["RUN", "STATE", "RESULTS", "FIRST ON THE BOARD", "CHANGED"],
        runs.iter().map(row),
    ))
}

fn age(modified: u64) -> String {
    let then = SystemTime::UNIX_EPOCH + Duration::from_secs(modified);
    let seconds = SystemTime::now().duration_since(then).unwrap_or_default().as_secs();
    match seconds {
        0..120 => format!("{seconds} s ago"),
        120..7200 => format!("{} min ago", seconds / 60),
        7200..172_800 => format!("{} h ago", seconds / 3600),
        _ => format!("{} days ago", seconds / 86400),
    }
}

fn show(run: &Run, session: Session) -> Result<Finish, Stop> {
    let manifest = &run.manifest;
    if session.json {
        return output::print_json(&json!({
            "dir": run.dir, "manifest": manifest, "records": run.records, "result": run.result,
            "shard": run.shard,
        }));
    }
    let mut page = format!(
        "Run      {}\nSuite    {} ({})\nResults  {}, by adeval {}\nProducts {}",
        run.dir.display(),
        manifest.suite,
        manifest.suite_file.display(),
        run.records,
        manifest.adeval_version,
        manifest.products.len()
    );
    match manifest.unusable_products.len() {
        0 => page.push('\n'),
        unusable => page += &format!(", and {unusable} that cannot be used\n"),
    }
    if let Some(shard) = manifest.shard {
        page += &format!("Shard    {shard}\n");
    }
    let row = |(user, used): (&String, &store::ComponentUse)| {
        [
            user.clone(),
            used.component.clone(),
            format!("{} {}", used.library, used.version),
            used.license.clone(),
        ]
    };
    let components = manifest.components.iter().map(row);
    page = page + "\n" + &output::table(["USED FOR", "COMPONENT", "LIBRARY", "LICENCE"], components) + "\n";
    match (&run.result, &run.shard) {
        (Some(result), _) => page += &board(result),
        (None, Some(report)) => {
            page += &format!(
                "It is a finished shard: `adeval merge {}` makes the board of all {}.\n",
                all_shards(&run.dir, report.shard),
                report.shard.count
            );
        }
        (None, None) => page += "It is unfinished: `adeval runs resume` goes on with it.\n",
    }
    output::print(&page)
}

fn resume(run: &Run, retry_failed: bool, plugins: &PluginArgs, session: Session) -> Result<Finish, Stop> {
    let suite = Suite::parse(&run.manifest.suite_text, &run.manifest.suite_file)?;
    let options = BenchOptions {
        run_dir: Some(run.dir.clone()),
        limit: run.manifest.limit,
        retry_failed,
        ..BenchOptions::default()
    };
    super::bench::go(&suite, run.manifest.shard, &options, plugins, session)
}

fn differences(a: &Run, b: &Run, session: Session) -> Result<Finish, Stop> {
    let board = |run: &Run| {
        run.result.clone().ok_or_else(|| {
            if let Some(shard) = run.manifest.shard {
                let all = all_shards(&run.dir, shard);
                return Stop::new(format!("{} is a shard, which has no board to compare", run.dir.display()))
                    .help(format!("adeval merge {all}, and compare the merged run"));
            }
            Stop::new(format!("{} is unfinished, so it has no numbers to compare", run.dir.display()))
                .help(format!("adeval runs resume {}", run.dir.display()))
        })
    };
    let differences = compare(&board(a)?, &board(b)?);
    if session.json {
        return output::print_json(&differences);
    }
    if differences.is_empty() {
        return output::print("the two runs share no entry and metric");
    }
    let row = |d: &Difference| {
        let estimate = |e: &adeval_eval::Estimate| match (e.low, e.high) {
            (Some(low), Some(high)) => format!("{:.4}\n[{low:.4}, {high:.4}]", e.value),
            _ => format!("{:.4}", e.value),
        };
        [d.entry.clone(), d.column.clone(), estimate(&d.a), estimate(&d.b), format!("{:+.4}", d.difference)]
    };
    output::print(&output::table(["ENTRY", "METRIC", "A", "B", "B - A"], differences.iter().map(row)))?;
    output::print(
        "\nIntervals are each run's own, over its products; a difference within them is no evidence of a change.",
    )
}
