//! `cargo xtask sanitize` and `cargo xtask miri`: the code that the compiler cannot prove safe, run under tools that see what
//! it does to memory.

use crate::cargo;
use crate::workspace::Workspace;
use anstream::println;
use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::process::Command;

/// What holds `unsafe`, and which of its tests run through it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// The frontier with libraries loaded into the process (examples of the sdk, built first), and buffers that cross it.
    Sdk,
    /// The memory that host and worker share.
    Host,
    /// Mapped files.
    Checkpoints,
    /// The models' vector kernels.
    Models,
}

impl Part {
    const ALL: [Self; 4] = [Self::Sdk, Self::Host, Self::Checkpoints, Self::Models];

    /// Cargo's arguments, one command after the other.
    fn commands(self) -> &'static [&'static str] {
        match self {
            Self::Sdk => &[
                "build --release --package adeval-sdk --examples",
                "test --release --package adeval-sdk --lib --test contract --test frontier --test loading --test warm_up",
            ],
            Self::Host => &["test --release --package adeval-host --lib plugin::"],
            Self::Checkpoints => &[
                "test --release --package adeval-checkpoints --lib --test format --test check --test layout",
            ],
            Self::Models => &["test --release --package adeval-models --lib -- cpu:: efficientnet::"],
        }
    }
}

/// The detector's runtime is in the program; libraries that it loads find it there only if it is exported.
const FLAGS: &str =
    "-Zsanitizer=address -Cdebuginfo=line-tables-only -Cdebug-assertions=on -Clink-arg=-Wl,--export-dynamic";

/// What Miri can interpret of the frontier: both of its sides in one program, since it loads no libraries. It maps no files
/// either, so shared memory and weights are left to AddressSanitizer.
const INTERPRETED: &str = "--package adeval-sdk --lib abi::";

/// AddressSanitizer with its leak detector, on some parts or (none named) on all.
///
/// # Errors
/// If there is no nightly compiler, or a tool found something.
pub fn run(workspace: &Workspace, parts: &[Part]) -> Result<()> {
    let host =
        cargo::probe(Command::new("rustup").args(["run", "nightly", "rustc", "--print", "host-tuple"]))
            .context("sanitizers need a nightly compiler: run `rustup toolchain install nightly`")?;
    let target = workspace.target().join("sanitize");
    for part in if parts.is_empty() { &Part::ALL[..] } else { parts } {
        for arguments in part.commands() {
            cargo::run(&mut address(workspace, &target, &host, arguments))
                .with_context(|| format!("AddressSanitizer or a test ended the part {part:?}"))?;
        }
    }
    Ok(())
}

/// Miri on the frontier.
///
/// # Errors
/// If Miri is not installed, or it or a test found something.
pub fn miri(workspace: &Workspace) -> Result<()> {
    let installed =
        cargo::probe(Command::new("rustup").args(["run", "nightly", "cargo", "miri", "--version"]));
    ensure!(
        installed.is_some(),
        "Miri is not installed: run `rustup toolchain install nightly --component miri --component rust-src`"
    );
    let mut command = nightly(workspace, &workspace.target().join("miri"));
    command.args(["miri", "test"]).args(INTERPRETED.split_whitespace());
    cargo::run(&mut command).context("Miri or a test ended it")?;
    println!("Miri found nothing in the frontier's tests");
    Ok(())
}

/// With a target named, build scripts and macros stay as they are; only what is tested is instrumented.
fn address(workspace: &Workspace, target: &Path, host: &str, arguments: &str) -> Command {
    let mut command = nightly(workspace, target);
    command.args(arguments.split_whitespace());
    let known = workspace.root().join("xtask/src/leaks.supp");
    command
        .env("CARGO_BUILD_TARGET", host)
        .env("LSAN_OPTIONS", format!("suppressions={}", known.display()))
        .env("RUSTFLAGS", FLAGS)
        // Half the time to compile, and nearer to what was written.
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
        .env("ASAN_OPTIONS", "detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1");
    command
}

/// A folder of its own: instrumented dependencies would evict all that is built.
fn nightly(workspace: &Workspace, target: &Path) -> Command {
    let mut command = Command::new("rustup");
    command.args(["run", "nightly", "cargo"]).current_dir(workspace.root()).env("CARGO_TARGET_DIR", target);
    // The cargo that runs xtask names its own compiler to all that it starts.
    for variable in ["CARGO", "RUSTC", "RUSTDOC", "RUSTUP_TOOLCHAIN"] {
        command.env_remove(variable);
    }
    command
}
