//! All about one component, for people and for programs.

use super::summary;
use crate::cli::output;
use crate::plugin::{CatalogueEntry, parameters};
use adeval_sdk::{Determinism, Kind};
use serde_json::{Value, json};
use std::fmt::Write;

/// The summary of a list, and all the rest.
pub fn json(entry: &CatalogueEntry) -> Value {
    let mut value = summary(entry);
    let info = &entry.component.info;
    value["features"] = json!(entry.manifest.features);
    value["devices"] = json!(info.devices);
    value["determinism"] = json!(info.determinism);
    value["weights"] = json!(info.weights);
    value["parameters"] = entry.component.parameters.clone();
    value["defaults"] = entry.component.defaults.clone();
    value
}

/// A page for a terminal.
pub fn text(entry: &CatalogueEntry) -> String {
    let (manifest, component) = (&entry.manifest, &entry.component);
    let info = &component.info;
    let bold = anstyle::Style::new().bold();
    let mut page = format!("{bold}{}{bold:#}, a {}\n{}\n\n", info.id, component.kind, info.summary);
    let trained = if component.trainable { "yes" } else { "no" };
    let facts = [
        ("library", format!("{} {} (contract {})", manifest.library, manifest.version, manifest.contract)),
        ("file", entry.path.display().to_string()),
        ("licence", info.license.clone()),
        ("devices", info.devices.join(", ")),
        ("repeats", repeats(info.determinism)),
        ("weights", info.weights.clone().unwrap_or_else(|| "none".into())),
        ("trainable", trained.into()),
    ];
    for (name, fact) in facts {
        let _ = writeln!(page, "  {name:<10} {fact}");
    }
    page.push_str("\nParameters:");
    let described = parameters::describe(component);
    if described.is_empty() {
        page.push_str(" none\n");
    } else {
        page.push_str("\n\n");
        let rows = described.into_iter().map(|p| [p.name, p.allowed, p.default, p.description]);
        page.push_str(&output::table(["NAME", "VALUES", "DEFAULT", "MEANING"], rows));
    }
    if let Some(line) = in_a_suite(component.kind, &info.id) {
        let _ = write!(page, "\nIn a suite:\n\n{line}\n");
    }
    page
}

fn repeats(determinism: Determinism) -> String {
    match determinism {
        Determinism::Bitwise => "the same bytes for the same request on one machine".into(),
        Determinism::Tolerance(tolerance) => {
            format!("the same within {tolerance} (relative) for the same request")
        }
        Determinism::None => "no promise: the same request may give another result".into(),
    }
}

fn in_a_suite(kind: Kind, id: &str) -> Option<String> {
    match kind {
        Kind::PromptGenerator => Some(format!("  prompt = {{ plugin = \"{id}\", parameters = {{ }} }}")),
        Kind::BackgroundGenerator => {
            Some(format!("  background = {{ plugin = \"{id}\", parameters = {{ }} }}"))
        }
        Kind::RewardModel => Some(format!("  [[judge]]\n  id = \"{id}\"\n  plugin = \"{id}\"")),
        Kind::ImageEmbedder => Some(format!("  [embedder]\n  plugin = \"{id}\"")),
        Kind::RlOptimizer => None,
    }
}
