//! Steps in a row: each is timed, the first failure ends them, a summary closes.

use crate::workspace::Workspace;
use anstream::eprintln;
use anstyle::{AnsiColor, Style};
use std::process::ExitCode;
use std::time::{Duration, Instant};

const TITLE: Style = Style::new().bold();
const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const NOTE: Style = AnsiColor::Yellow.on_default();

/// One thing to check or to make.
pub struct Step {
    /// A word or two, for the summary.
    pub name: &'static str,
    /// What to do when it fails, in one sentence.
    pub mend: &'static str,
    /// Does it; what could not be checked, or should be known, comes back as notices.
    pub run: fn(&Workspace) -> anyhow::Result<Notices>,
}

/// Sentences that must not be overlooked although nothing failed.
pub type Notices = Vec<String>;

struct Outcome {
    name: &'static str,
    took: Duration,
    notices: Notices,
}

/// Runs `steps` until one fails; the exit code says whether one did.
pub fn run(workspace: &Workspace, steps: &[Step]) -> ExitCode {
    let mut done = Vec::new();
    for step in steps {
        eprintln!("{TITLE}==> {}{TITLE:#}", step.name);
        let start = Instant::now();
        let result = (step.run)(workspace);
        let took = start.elapsed();
        match result {
            Ok(notices) => {
                notices.iter().for_each(|notice| eprintln!("{NOTE}notice:{NOTE:#} {notice}"));
                eprintln!("{GOOD}ok{GOOD:#} {} ({})\n", step.name, seconds(took));
                done.push(Outcome { name: step.name, took, notices });
            }
            Err(error) => {
                if !done.is_empty() {
                    summarise(&done);
                }
                eprintln!("  {BAD}failed{BAD:#}  {:<12} {:>8}", step.name, seconds(took));
                not_run(steps.get(done.len() + 1..).unwrap_or_default());
                report_error(&error);
                eprintln!("help: {}", step.mend);
                return ExitCode::FAILURE;
            }
        }
    }
    if steps.len() > 1 {
        summarise(&done);
    }
    ExitCode::SUCCESS
}

/// One message for what went wrong and why.
pub fn report_error(error: &anyhow::Error) {
    eprintln!("{BAD}error:{BAD:#} {error:#}");
}

fn summarise(done: &[Outcome]) {
    eprintln!("{TITLE}Summary{TITLE:#}");
    for outcome in done {
        eprintln!("  {GOOD}ok{GOOD:#}      {:<12} {:>8}", outcome.name, seconds(outcome.took));
    }
    for notice in done.iter().flat_map(|outcome| &outcome.notices) {
        eprintln!("  {NOTE}notice:{NOTE:#} {notice}");
    }
    let total: Duration = done.iter().map(|outcome| outcome.took).sum();
    eprintln!("  {} passed in {}", done.len(), seconds(total));
}

fn not_run(steps: &[Step]) {
    if !steps.is_empty() {
        let names: Vec<_> = steps.iter().map(|step| step.name).collect();
        eprintln!("  not run: {}", names.join(", "));
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
