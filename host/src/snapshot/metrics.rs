//! The metrics layer: the board, without what another run of the same suite would say otherwise.

use crate::bench::RunResult;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// Selectors of what is not kept: `*` is any key or index. Times and memory are outside [`RunResult::board`] already.
const REDACTIONS: [(&str, &str); 2] = [("*.cost", "[cost]"), ("*.description", "[description]")];

/// The rows by entry, and under `board` what is of no one entry.
pub fn metrics(result: &RunResult, run_dir: &Path) -> BTreeMap<String, Value> {
    let board = serde_json::to_value(&result.board).unwrap_or_default();
    let mut kept = Map::new();
    for row in board["rows"].as_array().into_iter().flatten() {
        if let Some(entry) = row["entry"].as_str() {
            kept.insert(entry.to_owned(), row.clone());
        }
    }
    let ids: Vec<&str> = result.board.columns.iter().map(|column| column.id.as_str()).collect();
    let of_all = ["products", "primary_column", "pairwise", "judges", "notes"];
    let mut rest: Map<String, Value> = of_all.iter().map(|key| ((*key).into(), board[key].clone())).collect();
    rest.insert("columns".into(), json!(ids));
    kept.insert("board".into(), Value::Object(rest));
    let mut kept = Value::Object(kept);
    for (selector, instead) in REDACTIONS {
        redact(&mut kept, &selector.split('.').collect::<Vec<_>>(), instead);
    }
    // Failures and notes may name files of the run.
    for text in [run_dir.display().to_string(), absolute(run_dir)] {
        replace(&mut kept, &text, "[run]");
    }
    match kept {
        Value::Object(map) => map.into_iter().collect(),
        _ => BTreeMap::new(),
    }
}

fn absolute(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
}

/// Puts a word in place of what a selector leads to.
fn redact(value: &mut Value, selector: &[&str], instead: &str) {
    let Some((first, rest)) = selector.split_first() else {
        *value = instead.into();
        return;
    };
    match value {
        Value::Object(map) => map
            .iter_mut()
            .filter(|(key, _)| *first == "*" || key == first)
            .for_each(|(_, inner)| redact(inner, rest, instead)),
        Value::Array(items) if *first == "*" => {
            items.iter_mut().for_each(|inner| redact(inner, rest, instead));
        }
        _ => {}
    }
}

/// Replaces a piece of every text.
fn replace(value: &mut Value, piece: &str, with: &str) {
    match value {
        Value::String(text) if text.contains(piece) => *text = text.replace(piece, with),
        Value::Array(items) => items.iter_mut().for_each(|inner| replace(inner, piece, with)),
        Value::Object(map) => map.iter_mut().for_each(|(_, inner)| replace(inner, piece, with)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_reach_through_objects_and_lists() {
        let mut value = json!({ "a": { "cost": 1, "x": { "cost": 2 } }, "b": [{ "cost": 3 }] });
        redact(&mut value, &["*", "cost"], "[c]");
        assert_eq!(value, json!({ "a": { "cost": "[c]", "x": { "cost": 2 } }, "b": [{ "cost": 3 }] }));
        redact(&mut value, &["b", "*", "cost"], "[c]");
        assert_eq!(value["b"][0]["cost"], "[c]");
        replace(&mut value, "[c]", "gone");
        assert_eq!(value["b"][0]["cost"], "gone");
    }
}
