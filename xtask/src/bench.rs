//! `cargo xtask bench`: from a clone to a leaderboard.

use crate::cargo;
use crate::code;
use crate::workspace::Workspace;
use anyhow::{Context, Result};
use std::ffi::OsString;
use std::process::{Command, ExitCode};

/// Builds what a bench needs and becomes `adeval bench`, in the caller's folder.
pub fn run(workspace: &Workspace, args: &[OsString]) -> Result<ExitCode> {
    cargo::run(&mut code::build(workspace)).context("adeval and its plugins cannot be built")?;
    let mut adeval = Command::new(workspace.binary("adeval"));
    adeval.arg("bench").args(args);
    become_command(adeval)
}

/// Ctrl-C and the exit code have to reach adeval and its caller without anyone between.
#[cfg(unix)]
fn become_command(mut command: Command) -> Result<ExitCode> {
    let error = std::os::unix::process::CommandExt::exec(&mut command);
    Err(error).with_context(|| format!("{} cannot be started", cargo::name(&command)))
}

#[cfg(not(unix))]
fn become_command(mut command: Command) -> Result<ExitCode> {
    let status = command.status().with_context(|| format!("{} cannot be started", cargo::name(&command)))?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}
