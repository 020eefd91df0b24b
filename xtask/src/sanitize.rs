//! `cargo xtask sanitize`: the code that the compiler cannot prove safe, run under tools that see what it does to memory.

use crate::cargo;
use crate::workspace::Workspace;
use anstream::println;
use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::process::Command;

/// What holds `unsafe`, and which of its tests run through it: the frontier with libraries loaded into the process and buffers
/// that cross it, the memory that host and worker share, mapped files, and the models' vector kernels.
const ADDRESS: [&str; 4] = [
    "--package adeval-sdk --lib --test contract --test frontier --test loading --test warm_up",
    "--package adeval-host --lib plugin::",
    "--package adeval-checkpoints --lib format::",
    "--package adeval-models --lib -- cpu:: efficientnet::",
];

/// What Miri can interpret of the frontier: it loads no libraries.
const INTERPRETED: &str = "--package adeval-sdk --lib abi::";

/// AddressSanitizer with its leak detector, then Miri where it is installed.
///
/// # Errors
/// If there is no nightly compiler, or a tool found something.
pub fn run(workspace: &Workspace) -> Result<()> {
    ensure!(
        cargo::probe(Command::new("rustup").args(["run", "nightly", "rustc", "--version"])).is_some(),
        "sanitizers need a nightly compiler: run `rustup toolchain install nightly`"
    );
    let target = workspace.target().join("sanitize");
    for tests in ADDRESS {
        cargo::run(&mut address(workspace, &target, tests))
            .with_context(|| format!("AddressSanitizer ended the tests of {tests}"))?;
    }
    if cargo::probe(Command::new("rustup").args(["run", "nightly", "cargo", "miri", "--version"])).is_none() {
        println!("notice: Miri is not installed (`rustup component add miri --toolchain nightly`): not run");
        return Ok(());
    }
    cargo::run(&mut miri(workspace, &target)).context("Miri found undefined behaviour")
}

/// With `--target`, build scripts and macros stay as they are; only what is tested is instrumented.
fn address(workspace: &Workspace, target: &Path, tests: &str) -> Command {
    let mut command = nightly(workspace, target);
    command.args(["test", "--release", "--target", TRIPLE]).args(tests.split_whitespace());
    command
        .env("RUSTFLAGS", "-Zsanitizer=address -Cdebuginfo=line-tables-only -Cdebug-assertions=on")
        .env("ASAN_OPTIONS", "detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1");
    command
}

fn miri(workspace: &Workspace, target: &Path) -> Command {
    let mut command = nightly(workspace, target);
    command.args(["miri", "test"]).args(INTERPRETED.split_whitespace());
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

const TRIPLE: &str = match (cfg!(target_arch = "aarch64"), cfg!(target_os = "macos")) {
    (false, false) => "x86_64-unknown-linux-gnu",
    (true, false) => "aarch64-unknown-linux-gnu",
    (true, true) => "aarch64-apple-darwin",
    (false, true) => "x86_64-apple-darwin",
};
