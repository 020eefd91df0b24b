//! The command line: each command in a module of its own, with what they share beside them.

mod bench;
mod data;
mod eval;
mod exit;
mod interrupt;
mod market;
mod merge;
mod models;
mod open;
mod output;
mod plugin;
mod power;
mod progress;
mod render;
mod runs;
mod schema;
mod snapshot;
mod train;

use clap::{CommandFactory, Parser, Subcommand};
use exit::{Finish, Stop};
use std::process::ExitCode;

const AFTER_HELP: &str = "\
Exit codes:
  0    done
  1    it could not be done; the message says what is wrong and how to mend it
  2    the command line is wrong
  3    done, but some items failed: the board or the files are there, without them
  130  interrupted (Ctrl-C); what was done is kept, and the same command goes on from there

Start with `adeval bench`, which runs the default suite and ends in a leaderboard.";

/// Render and evaluate advertising images with plugins.
#[derive(Parser)]
#[command(name = "adeval", version, after_help = AFTER_HELP, max_term_width = 100)]
pub struct Cli {
    /// Print one JSON document to stdout in place of text for people.
    #[arg(long, global = true)]
    json: bool,
    /// Show no progress; warnings and errors stay.
    #[arg(long, short, global = true)]
    quiet: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List the installed plugins, or show all of one.
    #[command(subcommand)]
    Plugin(plugin::PluginCommand),
    /// Make creatives of a product or a folder of products: a PNG and a JSON sidecar each.
    Render(render::RenderArgs),
    /// Run a suite and print its leaderboard; the same command resumes an interrupted run.
    Bench(bench::BenchArgs),
    /// Make a SYNTHETIC market: creatives by real plugins, simulated shoppers, logs with propensities, and the truth.
    Market(market::MarketArgs),
    /// Merge the shards of a suite into one run, and print its leaderboard.
    Merge(merge::MergeArgs),
    /// List, show, resume and compare runs.
    #[command(subcommand)]
    Runs(runs::RunsCommand),
    /// Is what a suite gives still what was accepted? Prompts, pixels, embeddings and metrics.
    #[command(subcommand)]
    Snapshot(snapshot::SnapshotCommand),
    /// Checkpoints on this machine and on the Hugging Face hub: list, download, check, and tell what they are.
    #[command(subcommand)]
    Models(models::ModelsCommand),
    /// Numbers from a team's own logs: reward models, off-policy value, selection of creatives.
    #[command(subcommand)]
    Eval(eval::EvalCommand),
    /// Public data sets into tables, tables checked, tables split without leaks.
    #[command(subcommand)]
    Data(data::DataCommand),
    /// How large must a study be, and what can one of this size see? Products, impressions, pairs of a reward model.
    #[command(subcommand)]
    Power(power::PowerCommand),
    /// Train prompt generators with what a judge prefers.
    #[command(subcommand)]
    Train(train::TrainCommand),
    /// Print the JSON schema of a file that adeval reads or writes.
    Schema(schema::SchemaArgs),
    /// Print a completion script for a shell, e.g. `adeval completions bash > /etc/bash_completion.d/adeval`.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// What every command needs to know of how it was called.
#[derive(Debug, Clone, Copy)]
struct Session {
    json: bool,
    quiet: bool,
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let Cli { json, quiet, command } = Cli::parse();
    let session = Session { json, quiet };
    match run(command, session) {
        Ok(finish) => finish.code(),
        Err(stop) => stop.report(session),
    }
}

fn run(command: Command, session: Session) -> Result<Finish, Stop> {
    match command {
        Command::Plugin(command) => plugin::run(&command, session),
        Command::Render(args) => render::run(&args, session),
        Command::Bench(args) => bench::run(&args, session),
        Command::Market(args) => market::run(&args, session),
        Command::Merge(args) => merge::run(&args, session),
        Command::Runs(command) => runs::run(&command, session),
        Command::Snapshot(command) => snapshot::run(&command, session),
        Command::Models(command) => models::run(&command, session),
        Command::Eval(command) => eval::run(&command, session),
        Command::Data(command) => data::run(&command, session),
        Command::Power(command) => power::run(&command, session),
        Command::Train(command) => train::run(&command, session),
        Command::Schema(args) => schema::run(&args),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "adeval", &mut script);
            output::print(&String::from_utf8_lossy(&script))
        }
    }
}

#[cfg(test)]
mod tests;
