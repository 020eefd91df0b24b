//! `cargo xtask sanitize`: the code that the compiler cannot prove safe, run under tools that see what it does to memory.

use crate::cargo;
use crate::workspace::Workspace;
use anstream::println;
use anyhow::{Context, Result};
use std::path::Path;
use std::process::Command;

/// What holds `unsafe`, and which of its tests run through it: the frontier with libraries loaded into the process (examples of
/// the sdk, built first) and buffers that cross it, the memory that host and worker share, mapped files, and the models' vector kernels.
const ADDRESS: [&str; 5] = [
    "build --release --package adeval-sdk --examples",
    "test --release --package adeval-sdk --lib --test contract --test frontier --test loading --test warm_up",
    "test --release --package adeval-host --lib plugin::",
    "test --release --package adeval-checkpoints --lib format::",
    "test --release --package adeval-models --lib -- cpu:: efficientnet::",
];

/// The detector's runtime is in the program; libraries that it loads find it there only if it is exported.
const FLAGS: &str =
    "-Zsanitizer=address -Cdebuginfo=line-tables-only -Cdebug-assertions=on -Clink-arg=-Wl,--export-dynamic";

/// What Miri can interpret of the frontier: it loads no libraries.
const INTERPRETED: &str = "--package adeval-sdk --lib abi::";

/// AddressSanitizer with its leak detector, then Miri where it is installed.
///
/// # Errors
/// If there is no nightly compiler, or a tool found something.
pub fn run(workspace: &Workspace) -> Result<()> {
    let host =
        cargo::probe(Command::new("rustup").args(["run", "nightly", "rustc", "--print", "host-tuple"]))
            .context("sanitizers need a nightly compiler: run `rustup toolchain install nightly`")?;
    let target = workspace.target().join("sanitize");
    for arguments in ADDRESS {
        cargo::run(&mut address(workspace, &target, &host, arguments))
            .context("AddressSanitizer or a test ended it")?;
    }
    if cargo::probe(Command::new("rustup").args(["run", "nightly", "cargo", "miri", "--version"])).is_none() {
        println!("notice: Miri is not installed (`rustup component add miri --toolchain nightly`): not run");
        return Ok(());
    }
    cargo::run(&mut miri(workspace, &target)).context("Miri or a test ended it")
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
