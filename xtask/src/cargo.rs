//! Running cargo and other programs.

use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use std::ffi::{OsStr, OsString};
use std::process::Command;

/// The cargo that runs xtask.
pub fn program() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// A cargo command in the workspace's folder. `arguments` are words with spaces between them.
pub fn command(workspace: &Workspace, arguments: &str) -> Command {
    let mut command = Command::new(program());
    command.args(arguments.split_whitespace()).current_dir(workspace.root());
    command
}

/// Runs a program to its end; it must succeed. Its output is the user's to read.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("{} cannot be started", name(command)))?;
    if !status.success() {
        bail!("{} failed ({status})", name(command));
    }
    Ok(())
}

/// Runs a program quietly: whether it could be started and succeeded, and what it wrote to stdout.
pub fn probe(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// A command as one would type it, without its folder.
pub fn name(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let words = program.file_stem().into_iter().chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}
