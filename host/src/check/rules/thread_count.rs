//! As many threads as a machine has processors: a result must not follow them.

use super::super::exercise::{Case, Exercise, Reply, working_size};
use super::super::process;
use super::super::report::Status;
use super::super::rule::{Finding, Rule, Scope, Verdict};
use super::super::subject::{Aside, Subject};
use super::rule;
use adeval_sdk::{Determinism, PluginError};
use std::path::Path;

pub static RULES: [Rule; 1] =
    [rule!("thread-count", Strict, Scope::Any, "one thread gives what several give", thread_count)];

/// How many threads the two processes may start; a pool of neither size comes from this machine's processors.
const THREADS: [u32; 2] = [1, 3];
const CASES: usize = 3;

/// A pool of threads lives as long as its process, so that each number has a process of its own beside the rule's.
fn thread_count(subject: &Subject) -> Verdict {
    if let Some(aside) = subject.aside() {
        return replies(subject).and_then(|replies| write(&aside.replies, &replies));
    }
    let determinism = subject.component()?.info.determinism;
    if determinism == Determinism::None {
        return Err(Finding::Skipped("the component does not promise to repeat itself".into()));
    }
    let [alone, together] = THREADS.map(|threads| asked_aside(subject, threads));
    for (number, (alone, together)) in alone?.iter().zip(&together?).enumerate() {
        alone.same(together, determinism).map_err(|difference| {
            let [one, several] = THREADS;
            Finding::Failed(format!("request {number}: {one} thread against {several}: {difference}"))
        })?;
    }
    Ok(format!("{CASES} requests with 1 thread and with {}", THREADS[1]))
}

fn replies(subject: &Subject) -> Result<Vec<Reply>, Finding> {
    let exercise = Exercise::new(subject.component()?.kind, subject.create()?)?;
    let size = working_size(&exercise, subject.seed())?;
    let cases = (0..CASES).map(|number| Case::new(subject.seed(), number, size));
    Ok(cases.map(|case| exercise.one(&case)).collect::<Result<_, _>>()?)
}

fn write(file: &Path, replies: &[Reply]) -> Verdict {
    let bytes = rmp_serde::to_vec(replies).map_err(|error| PluginError::violation(error.to_string()))?;
    std::fs::write(file, bytes).map_err(PluginError::from)?;
    Ok(String::new())
}

/// What the component answers in a process with so many threads.
fn asked_aside(subject: &Subject, threads: u32) -> Result<Vec<Reply>, Finding> {
    let scratch = subject.scratch().join(format!("threads-{threads}"));
    let aside = Aside { threads, replies: scratch.join("replies") };
    let attempt = process::in_process_of_its_own(&subject.task_aside(aside.clone(), scratch));
    match attempt.status {
        Status::Passed => {}
        Status::Skipped => return Err(Finding::Skipped(attempt.message)),
        _ => {
            let message = format!("with {threads} threads: {}; {}", attempt.message, attempt.stderr);
            return Err(Finding::Failed(message.trim_end_matches("; ").to_owned()));
        }
    }
    let bytes = std::fs::read(&aside.replies).map_err(PluginError::from)?;
    rmp_serde::from_slice(&bytes)
        .map_err(|error| Finding::Skipped(format!("the replies of the process aside: {error}")))
}
