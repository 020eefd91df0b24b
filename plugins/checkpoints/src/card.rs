//! What a model's card says of its licence.

use std::path::Path;

/// The licence in the front matter of a folder's `README.md`, with the name that stands behind `other`.
pub fn license(folder: &Path) -> Option<String> {
    let text = std::fs::read_to_string(folder.join("README.md")).ok()?;
    let mut lines = text.lines();
    if lines.next()?.trim() != "---" {
        return None;
    }
    let front: Vec<&str> = lines.take_while(|line| line.trim() != "---").collect();
    let field = |key: &str| {
        let value = front.iter().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
        let value = value.trim().trim_matches(['"', '\'']);
        (!value.is_empty()).then(|| value.to_owned())
    };
    match (field("license")?, field("license_name")) {
        (license, Some(name)) if license == "other" => Some(name),
        (license, _) => Some(license),
    }
}
