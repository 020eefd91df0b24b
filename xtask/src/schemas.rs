//! Schemas of files: made from the host's types, committed so that editors and other programs can use them.

use crate::cargo;
use crate::steps::{Notices, Step};
use crate::workspace::Workspace;
use anyhow::{Context, Result, ensure};
use std::process::Stdio;

/// The host's own test knows all schemas and how they are written; it is the single place that does.
const TEST: &str = "cli::schema::tests::committed_schemas_are_up_to_date";
/// Tells that test to write instead of comparing.
const WRITE_VARIABLE: &str = "UPDATE_SCHEMAS";

/// Compares.
pub const CHECK: Step = Step {
    name: "schemas",
    mend: "run `cargo xtask schemas --write`, look at the difference and commit it",
    run: |workspace| run(workspace, false),
};

/// Writes.
pub const WRITE: Step = Step {
    name: "write schemas",
    mend: "mend what the compiler names, and see that schemas/ can be written to",
    run: |workspace| run(workspace, true),
};

fn run(workspace: &Workspace, write: bool) -> Result<Notices> {
    let mut test = cargo::command(workspace, "test --release --workspace --lib -- --exact");
    test.arg(TEST).env_remove(WRITE_VARIABLE).stderr(Stdio::inherit());
    if write {
        test.env(WRITE_VARIABLE, "1");
    }
    let output = test.output().with_context(|| format!("{} cannot be started", cargo::name(&test)))?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "{}", reason(&said));
    // A test that was renamed would pass by not running.
    ensure!(said.contains(&format!("test {TEST} ... ok")), "the host has no test {TEST}");
    Ok(Notices::new())
}

/// The assertion's own words, out of a long comparison.
fn reason(said: &str) -> String {
    let sentence = said.lines().find(|line| line.contains("out of date"));
    sentence.map_or_else(|| format!("the test of the schemas failed:\n{said}"), |line| line.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_one_sentence_when_the_test_says_one() {
        let said = "running 1 test\n  suite.schema.json is out of date: cargo xtask schemas --write\n left: \"{...\"";
        assert_eq!(reason(said), "suite.schema.json is out of date: cargo xtask schemas --write");
        assert!(reason("cannot write").contains("cannot write"));
    }
}
