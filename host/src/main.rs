//! The adeval command line.

use adeval_host::{bench, plugin, products::CutOutNetwork, suite::Suite};
use clap::{Parser, Subcommand};
use std::{path::PathBuf, process::ExitCode, sync::atomic::AtomicBool};

/// Render and evaluate advertising images with plugins.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a suite and print its leaderboard; the same command resumes an interrupted run.
    Bench {
        /// The suite to run.
        #[arg(long, default_value = "fixtures/suites/default.toml")]
        suite: PathBuf,
        /// Where runs are kept.
        #[arg(long, default_value = "runs")]
        runs: PathBuf,
        /// Only the first products.
        #[arg(long)]
        limit: Option<usize>,
        /// Further folders with plugins.
        #[arg(long)]
        plugins: Vec<PathBuf>,
    },
}

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("__worker") {
        return plugin::serve();
    }
    let Command::Bench { suite, runs, limit, plugins } = Cli::parse().command;
    match run(&suite, runs, limit, plugins) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            anstream::eprintln!("adeval: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(suite: &std::path::Path, runs: PathBuf, limit: Option<usize>, plugins: Vec<PathBuf>) -> anyhow::Result<()> {
    let suite = Suite::load(suite)?;
    let options = plugin::DiscoveryOptions { directories: plugins, ..Default::default() };
    let catalogue = plugin::Discovery::new(options).scan();
    let installed = bench::Installed { catalogue, loader: plugin::Loader::default() };
    let matting = CutOutNetwork::default();
    let cancel = AtomicBool::new(false);
    let services =
        bench::Services { plugins: &installed, matting: &matting, progress: &bench::Silent, cancel: &cancel };
    let options = bench::BenchOptions { runs, limit, ..Default::default() };
    let outcome = bench::run(&suite, &options, &services)?;
    anstream::println!("{}", adeval_eval::leaderboard::to_table(&outcome.board, 100, false));
    anstream::println!("{}", outcome.run_dir.display());
    Ok(())
}
