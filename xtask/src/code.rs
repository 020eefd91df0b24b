//! Steps that cargo does: format, lints, reference, build, tests.
//!
//! All of them take the whole workspace and the release profile, so that they share one set of compiled dependencies.

use crate::cargo::{command, run};
use crate::steps::{Notices, Step};
use crate::workspace::Workspace;
use anstream::eprintln;
use anyhow::Result;
use std::process::Command;

/// rustfmt.
pub const FORMAT: Step = Step {
    name: "format",
    mend: "run `cargo fmt --all`",
    run: |workspace| passed(workspace, "fmt --all --check"),
};

/// clippy, on tests, examples and benches too.
pub const CLIPPY: Step = Step {
    name: "clippy",
    mend: "mend what clippy names, or allow it at that place with a reason",
    run: |workspace| passed(workspace, "clippy --release --workspace --all-targets -- -D warnings"),
};

/// rustdoc of our own crates.
pub const DOCS: Step = Step {
    name: "docs",
    mend: "mend what rustdoc names, mostly a link to something that is private or gone",
    run: docs,
};

/// The program and every plugin.
pub const BUILD: Step = Step {
    name: "build",
    mend: "mend what the compiler names",
    run: |workspace| run(&mut build(workspace)).map(|()| Notices::new()),
};

/// Unit tests, end-to-end tests, examples and doctests.
pub const TESTS: Step = Step {
    name: "tests",
    mend: "mend the code or the test named above; `cargo test --release --workspace NAME` runs it alone",
    run: |workspace| passed(workspace, "test --release --workspace"),
};

/// Builds the workspace's default members: what people use, and nothing that only tests or developers need.
pub fn build(workspace: &Workspace) -> Command {
    command(workspace, "build --release")
}

fn passed(workspace: &Workspace, arguments: &str) -> Result<Notices> {
    run(&mut command(workspace, arguments))?;
    Ok(Notices::new())
}

fn docs(workspace: &Workspace) -> Result<Notices> {
    let flags = std::env::var("RUSTDOCFLAGS").unwrap_or_default();
    let mut doc = command(workspace, "doc --release --workspace --no-deps");
    run(doc.env("RUSTDOCFLAGS", format!("{flags} -D warnings")))?;
    eprintln!("to be read from {}", workspace.target().join("doc/adeval_sdk/index.html").display());
    Ok(Notices::new())
}
