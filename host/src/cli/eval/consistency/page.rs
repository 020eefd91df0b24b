//! The result as a page for people.

use super::super::super::output;
use super::super::text;
use super::{ConsistencyResult, EntryConsistency};
use adeval_eval::Estimate;
use adeval_eval::consistency::{Reason, WEIGHTS};

/// How many of the worst creatives are named.
const WORST: usize = 10;

pub fn page(result: &ConsistencyResult) -> String {
    let rows = result.entries.iter().map(|entry| {
        let reasons = entry.reasons.iter().map(|(reason, count)| format!("{} {count}", name(*reason)));
        let reasons = reasons.collect::<Vec<_>>().join(", ");
        [
            entry.entry.clone(),
            entry.creatives.to_string(),
            text::number(&entry.score),
            text::percent(&entry.available),
            if reasons.is_empty() { "-".into() } else { reasons },
        ]
    });
    let mut page = output::table(["entry", "creatives", "consistency ↑", "available ↑", "reasons"], rows);
    page += "\nMeans of the parts, each 0 to 1:\n";
    let parts = WEIGHTS.iter().map(|(name, weight)| {
        let of = |entry: &EntryConsistency| {
            let value = entry.parts.get(*name).map_or_else(|| "-".into(), |part| format!("{part:.3}"));
            format!("{}: {value}", entry.entry)
        };
        [(*name).into(), format!("{weight:.2}"), result.entries.iter().map(of).collect::<Vec<_>>().join("  ")]
    });
    page += &output::table(["part", "weight", "mean"], parts);
    page += &asked(result);
    page += &worst(result);
    page + &format!("\nBrackets are {}% intervals over products.\n", 100.0 * result.level)
}

/// What BRISQUE, the encoder and the judge say; nothing where nobody could.
fn asked(result: &ConsistencyResult) -> String {
    let encoder = result.encoder.as_ref().map_or("the encoder", |encoder| encoder.name.as_str());
    let mut lines = String::new();
    for entry in &result.entries {
        let mut line = |what: &str, value: Option<String>| {
            lines += &value.map_or(String::new(), |value| format!("{}: {what} {value}\n", entry.entry));
        };
        let number = |estimate: &Option<Estimate>| estimate.as_ref().map(text::number);
        line("BRISQUE of the whole pictures ↓", number(&entry.brisque));
        line(&format!("{encoder} on the product ↓"), number(&entry.perceptual));
        line(&format!("similarity of product and scene by {encoder}"), number(&entry.scene_similarity));
        line("product and scene match, by the judge ↑", entry.match_rate.as_ref().map(text::percent));
    }
    if lines.is_empty() { lines } else { format!("\n{lines}") }
}

/// The creatives that cannot be used, the lowest scores first.
fn worst(result: &ConsistencyResult) -> String {
    let mut refused: Vec<_> = result.creatives.iter().filter(|one| !one.found.verdict.available).collect();
    if refused.is_empty() {
        return "\nNothing speaks against any creative.\n".into();
    }
    refused.sort_by(|a, b| a.found.score.total_cmp(&b.found.score));
    let mut page = format!("\n{} of {} creatives cannot be used", refused.len(), result.creatives.len());
    page += &if refused.len() > WORST { format!("; the {WORST} lowest scores:\n") } else { ":\n".into() };
    for one in refused.iter().take(WORST) {
        page += &format!("  {}  {:.3}\n", one.image.display(), one.found.score);
        for fault in &one.found.verdict.reasons {
            page += &format!("    {}: {}\n", name(fault.reason), fault.because);
        }
    }
    page
}

const fn name(reason: Reason) -> &'static str {
    match reason {
        Reason::Changed => "changed",
        Reason::Space => "space",
        Reason::Size => "size",
        Reason::Indistinct => "indistinct",
        Reason::Shape => "shape",
        Reason::Seam => "seam",
    }
}
