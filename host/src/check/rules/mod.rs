//! All rules, by theme.

mod gradients;
mod inputs;
mod judging;
mod library;
mod optimizing;
mod parameters;
mod policies;
mod prompting;
mod repeatability;
mod resources;
mod stopwatch;
mod thread_count;
mod training;
mod wild;

use super::rule::{Finding, Rule};
use adeval_sdk::{ErrorKind, PluginError};
use std::sync::LazyLock;

/// A rule with the page of its id.
macro_rules! rule {
    ($id:literal, $level:ident, $scope:expr, $summary:literal, $attempt:expr) => {
        $crate::check::rule::Rule {
            id: $id,
            level: $crate::check::rule::Level::$level,
            scope: $scope,
            summary: $summary,
            page: include_str!(concat!("../pages/", $id, ".md")),
            attempt: $attempt,
        }
    };
}
use rule;

static ALL: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    let mut all = [
        &library::RULES[..],
        &parameters::RULES[..],
        &repeatability::RULES[..],
        &inputs::RULES[..],
        &judging::RULES[..],
        &optimizing::RULES[..],
        &prompting::RULES[..],
        &policies::RULES[..],
        &training::RULES[..],
        &gradients::RULES[..],
        &resources::RULES[..],
        &thread_count::RULES[..],
        &wild::RULES[..],
    ]
    .concat();
    // What needs little comes first, so that a broken plugin shows itself early.
    all.sort_by_key(|rule| rule.level);
    all
});

/// All rules, the basic ones first.
pub fn all() -> &'static [Rule] {
    &ALL
}

/// The rule of this id.
pub fn find(id: &str) -> Option<&'static Rule> {
    ALL.iter().find(|rule| rule.id == id)
}

/// Whether an odd request was served; refusing it with an error that says so is as good. Anything else is a breach.
fn served_or_refused<T>(what: &str, result: Result<T, PluginError>) -> Result<Option<T>, Finding> {
    match result {
        Ok(reply) => Ok(Some(reply)),
        Err(error) => match error.kind {
            ErrorKind::InvalidRequest | ErrorKind::Unsupported | ErrorKind::OutOfMemory => Ok(None),
            _ => Err(Finding::Failed(format!(
                "{what}: {error}; serve it, or refuse it as an invalid request that names what is wrong"
            ))),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn ids_are_unique_and_every_page_explains() {
        let mut seen = BTreeSet::new();
        for rule in all() {
            assert!(seen.insert(rule.id), "{} is there twice", rule.id);
            assert!(rule.id.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{}", rule.id);
            for part in ["## Why", "## What is tried", "## How to mend it"] {
                assert!(rule.page.contains(part), "the page of {} lacks \"{part}\"", rule.id);
            }
        }
    }

    #[test]
    fn every_page_belongs_to_a_rule() {
        let pages = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/check/pages");
        for page in std::fs::read_dir(pages).unwrap() {
            let path = page.unwrap().path();
            assert!(find(path.file_stem().unwrap().to_str().unwrap()).is_some(), "{}", path.display());
        }
    }
}
