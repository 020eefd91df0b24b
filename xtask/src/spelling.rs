//! Spelling, by `typos`; its exceptions are in typos.toml.

use crate::cargo;
use crate::steps::{Notices, Step};
use crate::tools::{self, Tool};
use crate::workspace::Workspace;
use anyhow::Result;
use std::process::Command;

/// The checker.
pub const STEP: Step = Step { name: "typos", mend: "mend the words, or add names to typos.toml", run: check };

const TYPOS: Tool = Tool { program: "typos", version: "1.52.0", package: "typos-cli", wheel: Some("typos") };

fn check(workspace: &Workspace) -> Result<Notices> {
    let program = match TYPOS.locate_or_install(workspace.target()) {
        Ok(program) => program,
        Err(error) => return tools::without("the spelling", &error),
    };
    cargo::run(Command::new(program).current_dir(workspace.root()))?;
    Ok(Notices::new())
}
