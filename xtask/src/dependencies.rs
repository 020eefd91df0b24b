//! Licences, sources and known weaknesses of all dependencies, by cargo-deny; what is allowed is in deny.toml.

use crate::cargo;
use crate::steps::{Notices, Step};
use crate::tools::{self, Tool};
use crate::workspace::Workspace;
use anyhow::Result;
use std::path::Path;
use std::process::Command;

/// All of it.
pub const STEP: Step = Step {
    name: "deny",
    mend: "take another crate or version, or allow this one in deny.toml with the reason",
    run: check,
};

const CARGO_DENY: Tool =
    Tool { program: "cargo-deny", version: "0.20.2", package: "cargo-deny", wheel: None };

fn check(workspace: &Workspace) -> Result<Notices> {
    let program = match CARGO_DENY.locate_or_install(workspace.target()) {
        Ok(program) => program,
        Err(error) => return tools::without("licences, sources and advisories of the dependencies", &error),
    };
    cargo::run(deny(&program, workspace).args(["check", "licenses", "bans", "sources"]))?;
    advisories(&program, workspace)
}

/// The database is a git repository elsewhere; a machine that cannot reach it can still check the rest.
fn advisories(program: &Path, workspace: &Workspace) -> Result<Notices> {
    if cargo::probe(deny(program, workspace).args(["fetch", "db"])).is_none() {
        return Ok(vec![
            "known weaknesses of the dependencies were NOT checked: the RustSec advisory database cannot be reached \
             (`cargo-deny fetch db` says why)"
                .to_owned(),
        ]);
    }
    cargo::run(deny(program, workspace).args(["check", "--disable-fetch", "advisories"]))?;
    Ok(Notices::new())
}

fn deny(program: &Path, workspace: &Workspace) -> Command {
    let mut command = Command::new(program);
    command.current_dir(workspace.root()).args(["--log-level", "error", "--locked"]);
    command
}
