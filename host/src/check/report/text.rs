//! The report for a terminal.

use super::{Attempt, CheckReport, Status};
use anstyle::{AnsiColor, Style};
use std::fmt::Write;

/// Every attempt in a line, its message below when there is something to know, and a summary. With `verbose`, passed
/// rules say what was seen, too.
pub fn to_text(report: &CheckReport, verbose: bool) -> String {
    let mut text = String::new();
    let name = report.name.as_deref().unwrap_or("not a plugin that can be loaded");
    let _ = writeln!(text, "{} ({name})", report.library.display());
    let mut last = None;
    for attempt in &report.attempts {
        if last != Some(&attempt.component) {
            last = Some(&attempt.component);
            let title = match &attempt.component {
                Some(id) => {
                    report.components.iter().find(|c| c.id == *id).map(|c| format!("{id}, a {}", c.kind))
                }
                None => Some("the library".into()),
            };
            let bold = Style::new().bold();
            let _ = writeln!(text, "\n{bold}{}{bold:#}", title.unwrap_or_default());
        }
        line(&mut text, attempt, verbose);
    }
    let _ = writeln!(text, "\n{}", summary(report));
    text
}

fn line(text: &mut String, attempt: &Attempt, verbose: bool) {
    let (word, style) = match attempt.status {
        Status::Passed => ("passed", AnsiColor::Green.on_default()),
        Status::Skipped => ("skipped", AnsiColor::BrightBlack.on_default()),
        Status::Warning => ("warning", AnsiColor::Yellow.on_default()),
        Status::Failed => ("FAILED", AnsiColor::Red.on_default().bold()),
        Status::Crashed => ("CRASHED", AnsiColor::Red.on_default().bold()),
        Status::TimedOut => ("TIMED OUT", AnsiColor::Red.on_default().bold()),
    };
    let _ = writeln!(text, "  {style}{word:<9}{style:#} {:<34} {:>7.2} s", attempt.rule, attempt.seconds);
    if !attempt.message.is_empty() && (verbose || attempt.status != Status::Passed) {
        let _ = writeln!(text, "            {}", attempt.message);
    }
    if attempt.status.is_bad() && !attempt.stderr.is_empty() {
        for words in attempt.stderr.lines().rev().take(6).collect::<Vec<_>>().iter().rev() {
            let _ = writeln!(text, "            | {words}");
        }
    }
}

fn summary(report: &CheckReport) -> String {
    let count = |status, word: &str| match report.count(status) {
        0 => None,
        n => Some(format!("{n} {word}")),
    };
    let parts: Vec<String> = [
        count(Status::Passed, "passed"),
        count(Status::Failed, "failed"),
        count(Status::Crashed, "crashed"),
        count(Status::TimedOut, "timed out"),
        count(Status::Warning, "with a warning"),
        count(Status::Skipped, "skipped"),
    ]
    .into_iter()
    .flatten()
    .collect();
    let verdict = if report.conforms() { "conforms" } else { "does not conform" };
    let first_bad = report.attempts.iter().find(|attempt| attempt.status.is_bad());
    let help = first_bad.map(|bad| {
        format!("\n`adeval plugin check --explain {}` says why it matters and how to mend it.", bad.rule)
    });
    format!(
        "The plugin {verdict} at this level: {} in {:.1} s (seed {}).{}",
        parts.join(", "),
        report.seconds,
        report.seed,
        help.unwrap_or_default()
    )
}
