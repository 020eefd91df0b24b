//! What a command line changes in a recipe, and where recipes are.

use crate::cli::exit::Stop;
use crate::suite::find_shipped;
use std::path::{Path, PathBuf};

/// Numbers that were given, as changes.
pub fn numbers<const N: usize>(given: [(&str, Option<u64>); N]) -> impl Iterator<Item = (String, String)> {
    given.into_iter().filter_map(|(key, n)| Some((key.to_owned(), n?.to_string())))
}

/// `KEY=VALUE`.
pub fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("it must be KEY=VALUE")?;
    Ok((key.trim().to_owned(), value.trim().to_owned()))
}

/// A TOML string.
pub fn text(value: &str) -> String {
    toml::Value::String(value.to_owned()).to_string()
}

/// A path of the command line starts at this folder, not at the recipe's.
pub fn path(key: &str, path: Option<&Path>) -> Result<Option<(String, String)>, Stop> {
    let Some(path) = path else { return Ok(None) };
    let whole = std::path::absolute(path).map_err(|e| Stop::new(format!("{}: {e}", path.display())))?;
    Ok(Some((key.to_owned(), text(&whole.to_string_lossy()))))
}

/// A recipe's file; `default` is the one that comes with adeval.
pub fn find(recipe: &Path, shipped: &str) -> Result<PathBuf, Stop> {
    if recipe.as_os_str() != "default" || recipe.exists() {
        return Ok(recipe.to_owned());
    }
    find_shipped(shipped).ok_or_else(|| {
        Stop::new(format!(
            "the default recipe was not found: there is no {shipped} above this folder or the program"
        ))
        .help("run adeval from a clone, or name a recipe's file")
    })
}
