//! Recipes as files: TOML, with keys that the command line changes.

use super::TrainError;
use crate::suite::must_be_finite;
use serde::de::DeserializeOwned;
use std::path::Path;

/// Reads a recipe and sets `changes` (a dotted key and a TOML value, or else text).
///
/// # Errors
/// [`TrainError::Recipe`], naming the file and the key.
pub fn read<T: DeserializeOwned>(file: &Path, changes: &[(String, String)]) -> Result<T, TrainError> {
    let wrong = |message: String| TrainError::Recipe(format!("{}: {message}", file.display()));
    let text = std::fs::read_to_string(file)
        .map_err(|e| wrong(format!("the recipe cannot be read: {e}; check the path")))?;
    let mut table: toml::Table = toml::from_str(&text).map_err(|e| wrong(e.message().to_owned()))?;
    for (key, value) in changes {
        set(&mut table, key, value).map_err(wrong)?;
    }
    must_be_finite(&table).map_err(wrong)?;
    table.try_into().map_err(|e: toml::de::Error| wrong(e.message().to_owned()))
}

/// Sets a dotted key of a table.
fn set(table: &mut toml::Table, key: &str, value: &str) -> Result<(), String> {
    let mut parts: Vec<&str> = key.split('.').collect();
    let last = parts.pop().unwrap_or_default();
    let mut at = table;
    for part in parts {
        let inside = at.entry(part).or_insert_with(|| toml::Value::Table(toml::Table::new()));
        at = inside.as_table_mut().ok_or_else(|| format!("{key}: {part} is a value, not a table"))?;
    }
    let parsed: Option<toml::Table> = toml::from_str(&format!("value = {value}")).ok();
    let parsed = parsed.and_then(|mut one| one.remove("value"));
    at.insert(last.to_owned(), parsed.unwrap_or_else(|| toml::Value::String(value.to_owned())));
    Ok(())
}

/// Names that become folders.
pub fn plain_name(key: &str, name: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || name.starts_with('.') || !name.chars().all(plain) {
        return Err(format!("{key} = \"{name}\": it must be one word of letters, digits, '-', '_' and '.'"));
    }
    Ok(())
}
