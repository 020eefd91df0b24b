//! Steps in a row: each is timed, the first failure ends them, a summary closes.

use crate::workspace::Workspace;
use anstream::eprintln;
use anstyle::{AnsiColor, Style};
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

/// Runs `steps` until one fails; whether none did.
pub fn run(workspace: &Workspace, steps: &[Step]) -> bool {
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
                return false;
            }
        }
    }
    if steps.len() > 1 {
        summarise(&done);
    }
    true
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    static RUNS: AtomicU32 = AtomicU32::new(0);

    const GOES: Step = Step {
        name: "goes",
        mend: "",
        run: |_| {
            RUNS.fetch_add(1, Ordering::Relaxed);
            Ok(vec!["a notice is no failure".to_owned()])
        },
    };
    const FAILS: Step = Step { name: "fails", mend: "mend it", run: |_| anyhow::bail!("broken") };

    #[test]
    fn the_first_failure_ends_all() {
        let workspace = Workspace::find().unwrap();
        assert!(!run(&workspace, &[GOES, FAILS, GOES]));
        assert_eq!(RUNS.load(Ordering::Relaxed), 1);
        assert!(run(&workspace, &[GOES, GOES]));
        assert_eq!(RUNS.load(Ordering::Relaxed), 3);
    }
}
