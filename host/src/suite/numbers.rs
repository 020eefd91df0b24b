//! Numbers that are none: TOML can say `nan` and `inf`, parameters cross as JSON, which cannot, and would arrive as "not given".

use toml::{Table, Value};

/// Refuses the first number of a file's table that is not finite.
///
/// # Errors
/// One sentence that names the key, within its tables, and what it says.
pub fn must_be_finite(table: &Table) -> Result<(), String> {
    table.iter().try_for_each(|(key, value)| look(key, value))
}

fn look(name: &str, value: &Value) -> Result<(), String> {
    match value {
        Value::Float(number) if !number.is_finite() => {
            let said = value.to_string();
            Err(format!("{name} = {said}: a number must be finite"))
        }
        Value::Array(items) => {
            items.iter().enumerate().try_for_each(|(at, item)| look(&member(name, at, item), item))
        }
        Value::Table(table) => {
            table.iter().try_for_each(|(key, inner)| look(&format!("{name}.{key}"), inner))
        }
        _ => Ok(()),
    }
}

/// A member of a list: by its id, where it has one.
fn member(name: &str, at: usize, item: &Value) -> String {
    match item.get("id").and_then(Value::as_str) {
        Some(id) => format!("{name} \"{id}\""),
        None => format!("{name}[{at}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_named_within_tables_and_lists() {
        let refusal = |text: &str| must_be_finite(&toml::from_str(text).unwrap()).unwrap_err();
        assert_eq!(refusal("level = nan"), "level = nan: a number must be finite");
        assert_eq!(
            refusal("[[entry]]\na = 1.0\n[[entry]]\nbackground = { parameters = { light = -inf } }"),
            "entry[1].background.parameters.light = -inf: a number must be finite"
        );
        assert_eq!(
            refusal("[[entry]]\nid = \"e\"\nlight = nan"),
            "entry \"e\".light = nan: a number must be finite"
        );
        assert_eq!(must_be_finite(&toml::from_str("a = [1e308, \"nan\"]").unwrap()), Ok(()));
    }
}
