//! The report as JUnit XML, which CI systems show beside a build.

use super::{Attempt, CheckReport, Status};
use std::fmt::Write;

/// One `testsuite` a component, one `testcase` an attempt. Warnings pass, with their message in `system-out`.
pub fn to_junit(report: &CheckReport) -> String {
    let bad = report.attempts.iter().filter(|attempt| attempt.status.is_bad()).count();
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(
        xml,
        "<testsuites name=\"adeval plugin check\" tests=\"{}\" failures=\"{bad}\" time=\"{:.3}\">",
        report.attempts.len(),
        report.seconds
    );
    for group in report.attempts.chunk_by(|a, b| a.component == b.component) {
        let name = group[0].component.as_deref().unwrap_or("library");
        let count = |wanted: fn(&Attempt) -> bool| group.iter().filter(|attempt| wanted(attempt)).count();
        let _ = writeln!(
            xml,
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" skipped=\"{}\" time=\"{:.3}\">",
            escape(name),
            group.len(),
            count(|attempt| attempt.status.is_bad()),
            count(|attempt| attempt.status == Status::Skipped),
            group.iter().map(|attempt| attempt.seconds).sum::<f64>()
        );
        group.iter().for_each(|attempt| case(&mut xml, name, attempt));
        xml.push_str("  </testsuite>\n");
    }
    xml.push_str("</testsuites>\n");
    xml
}

fn case(xml: &mut String, suite: &str, attempt: &Attempt) {
    let message = escape(&attempt.message);
    let stderr = escape(&attempt.stderr);
    let _ = write!(
        xml,
        "    <testcase classname=\"{}\" name=\"{}\" time=\"{:.3}\"",
        escape(suite),
        escape(&attempt.rule),
        attempt.seconds
    );
    let kind = match attempt.status {
        Status::Failed => "failed",
        Status::Crashed => "crashed",
        Status::TimedOut => "timed out",
        Status::Skipped => {
            let _ = writeln!(xml, "><skipped message=\"{message}\"/></testcase>");
            return;
        }
        Status::Passed | Status::Warning => {
            let _ = writeln!(xml, "><system-out>{message}</system-out></testcase>");
            return;
        }
    };
    let _ = writeln!(xml, "><failure type=\"{kind}\" message=\"{message}\">{stderr}</failure></testcase>");
}

/// XML's own characters as entities; characters that XML does not admit as the replacement character.
fn escape(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '&' => "&amp;".to_owned(),
            '<' => "&lt;".to_owned(),
            '>' => "&gt;".to_owned(),
            '"' => "&quot;".to_owned(),
            '\n' | '\t' => c.to_string(),
            c if c.is_control() || c == '\u{fffe}' || c == '\u{ffff}' => '\u{fffd}'.to_string(),
            c => c.to_string(),
        })
        .collect()
}
