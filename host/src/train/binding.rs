//! What a training's directory is of: written when it begins, and compared when it goes on.

use super::{TrainError, checkpoint};
use serde_json::Value;
use std::path::Path;

/// The most differences that are told.
const TOLD: usize = 8;

/// Writes a training's description into its directory, or compares it with what stands there. `parts` are keys of the
/// description in groups: when a group differs, the later ones are not told, since they follow from it.
///
/// # Errors
/// [`TrainError::Changed`] with the differences, [`TrainError::Save`].
pub fn bind(dir: &Path, description: &Value, parts: &[&[&str]]) -> Result<(), TrainError> {
    let path = dir.join("train.json");
    let text = serde_json::to_string_pretty(description).unwrap_or_default() + "\n";
    // Read back, as the other is: a number in decimals may be a neighbour of what was written.
    let now: Value = serde_json::from_str(&text).unwrap_or_default();
    let known = std::fs::read(&path).ok().and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
    let Some(known) = known else { return checkpoint::replace(&path, text.as_bytes()) };
    for group in parts {
        let mut differences = Vec::new();
        group.iter().for_each(|part| compare(part, &known[*part], &now[*part], &mut differences));
        if !differences.is_empty() {
            return Err(TrainError::Changed { dir: dir.to_owned(), differences });
        }
    }
    Ok(())
}

/// Notes where two values differ.
fn compare(key: &str, known: &Value, now: &Value, differences: &mut Vec<String>) {
    if known == now || differences.len() >= TOLD {
        return;
    }
    if let (Value::Object(a), Value::Object(b)) = (known, now) {
        let keys: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
        for name in keys {
            let inside = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
            let of = |table: &serde_json::Map<String, Value>| table.get(name).cloned().unwrap_or(Value::Null);
            compare(&inside, &of(a), &of(b), differences);
        }
        return;
    }
    let said = |value: &Value| match value {
        Value::Null => "nothing".to_owned(),
        other => other.to_string(),
    };
    differences.push(format!("{key}: {} there, {} now", said(known), said(now)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn differences_are_named_by_their_keys() {
        let known = json!({ "recipe": { "seed": 1, "training": { "batch": 4 } }, "same": [1, 2] });
        let now = json!({ "recipe": { "seed": 2, "training": { "batch": 4, "passes": 2 } }, "same": [1, 2] });
        let mut found = Vec::new();
        compare("", &known, &now, &mut found);
        assert_eq!(found, ["recipe.seed: 1 there, 2 now", "recipe.training.passes: nothing there, 2 now"]);
    }

    #[test]
    fn what_follows_from_a_difference_is_not_told() {
        let room = tempfile::tempdir().unwrap();
        let parts: [&[&str]; 2] = [&["recipe"], &["products"]];
        let bound = |seed: u64, products: &str| {
            bind(room.path(), &json!({ "recipe": { "seed": seed }, "products": products }), &parts)
        };
        bound(1, "a").unwrap();
        bound(1, "a").unwrap();
        let error = bound(2, "b").unwrap_err().to_string();
        assert!(error.contains("recipe.seed: 1 there, 2 now") && !error.contains("products"), "{error}");
        assert!(bound(1, "b").unwrap_err().to_string().contains("products"));
    }
}
