//! Where two JSON values differ, with a tolerance for numbers.

use adeval_sdk::testkit::NumberTolerance;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A value that changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JsonChange {
    /// A JSON pointer.
    pub path: String,
    /// What was there; absent when there was nothing.
    pub old: Option<Value>,
    /// What is there now.
    pub new: Option<Value>,
}

/// The changes from `old` to `new`, in the order of the values.
pub fn changes(old: &Value, new: &Value, tolerance: &NumberTolerance) -> Vec<JsonChange> {
    let mut found = Vec::new();
    visit("", Some(old), Some(new), tolerance, &mut found);
    found
}

fn visit(
    path: &str,
    old: Option<&Value>,
    new: Option<&Value>,
    tolerance: &NumberTolerance,
    found: &mut Vec<JsonChange>,
) {
    match (old, new) {
        (Some(Value::Object(a)), Some(Value::Object(b))) => {
            let keys = a.keys().chain(b.keys().filter(|key| !a.contains_key(*key)));
            for key in keys {
                let escaped = key.replace('~', "~0").replace('/', "~1");
                visit(&format!("{path}/{escaped}"), a.get(key), b.get(key), tolerance, found);
            }
        }
        (Some(Value::Array(a)), Some(Value::Array(b))) => {
            for at in 0..a.len().max(b.len()) {
                visit(&format!("{path}/{at}"), a.get(at), b.get(at), tolerance, found);
            }
        }
        (Some(Value::Number(a)), Some(Value::Number(b))) if near(a, b, tolerance) => {}
        _ if old == new => {}
        _ => found.push(JsonChange { path: path.into(), old: old.cloned(), new: new.cloned() }),
    }
}

fn near(a: &serde_json::Number, b: &serde_json::Number, tolerance: &NumberTolerance) -> bool {
    // Counts are exact; what was computed is not.
    let counted = |n: &serde_json::Number| n.is_i64() || n.is_u64();
    match (a.as_f64(), b.as_f64()) {
        (Some(x), Some(y)) if !(counted(a) && counted(b)) => tolerance.admits(x, y),
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_have_a_tolerance_counts_and_texts_have_none() {
        let tolerance = NumberTolerance { relative: 0.01, absolute: 0.0 };
        let old = json!({ "a": 1.0, "b": [1.0, 2.0], "n": 1000, "t": "x", "c/d": 1.5 });
        let near = json!({ "a": 1.009, "b": [1.0, 1.99], "n": 1000, "t": "x", "c/d": 1.5 });
        assert_eq!(changes(&old, &near, &tolerance), []);
        let far = json!({ "a": 1.02, "b": [1.0], "n": 1001, "t": "y", "e": null });
        let paths: Vec<String> = changes(&old, &far, &tolerance).into_iter().map(|c| c.path).collect();
        let mut sorted = paths.clone();
        sorted.sort();
        assert_eq!(sorted, ["/a", "/b/1", "/c~1d", "/e", "/n", "/t"]);
    }
}
