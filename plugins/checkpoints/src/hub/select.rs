//! Which of a repository's files a model needs: a repository often holds the same weights five times.

use crate::layout::{is_weights, pick};
use crate::{CheckpointError, ErrorKind, Result};
use std::collections::BTreeSet;

/// What is wanted of a repository.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Folders (`unet`, `models/image_encoder`) or files; all that a pipeline needs when empty.
    pub components: Vec<String>,
    /// The variant of weights, `fp16`.
    pub variant: Option<String>,
}

impl Selection {
    /// The files to fetch out of all names of a repository, sorted: configurations, and of each model's weights one
    /// spelling, safetensors before pickles. Safety checkers are left out unless they are named: nothing here loads one.
    ///
    /// # Errors
    /// For a component that is not there, and for a repository of several weight files that are no pipeline, unless some
    /// are named.
    pub fn of(&self, files: &[String]) -> Result<Vec<String>> {
        let mut chosen: BTreeSet<String> = files.iter().filter(|name| is_card(name)).cloned().collect();
        if !self.components.is_empty() {
            for component in &self.components {
                chosen.extend(self.component(files, component.trim_end_matches('/'))?);
            }
            chosen.extend(files.iter().filter(|name| *name == "model_index.json").cloned());
        } else if files.iter().any(|name| name == "model_index.json") {
            chosen.insert("model_index.json".into());
            for folder in folders(files).into_iter().filter(|folder| folder != "safety_checker") {
                chosen.extend(self.folder(files, &folder));
            }
        } else if files.iter().any(|name| name == "config.json" || name == "open_clip_config.json") {
            chosen.extend(self.folder(files, ""));
        } else {
            chosen.insert(only_weights(files)?);
        }
        Ok(chosen.into_iter().collect())
    }

    fn component(&self, files: &[String], name: &str) -> Result<Vec<String>> {
        if files.iter().any(|file| file == name) {
            return Ok(vec![name.to_owned()]);
        }
        let chosen = self.folder(files, name);
        if !chosen.is_empty() {
            return Ok(chosen);
        }
        let known: Vec<String> = folders(files).into_iter().collect();
        let message = format!("the repository has no component {name}");
        let mend = match known.is_empty() {
            true => format!("name one of its files: {}", weights(files).join(", ")),
            false => format!("it has {}", known.join(", ")),
        };
        Err(CheckpointError::missing(message, mend))
    }

    /// Configurations and the best weights of one folder, without the folders in it.
    fn folder(&self, files: &[String], folder: &str) -> Vec<String> {
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let names: Vec<String> = files
            .iter()
            .filter_map(|file| file.strip_prefix(&prefix))
            .filter(|name| !name.contains('/'))
            .map(str::to_owned)
            .collect();
        let mut chosen: Vec<String> = names.iter().filter(|name| is_configuration(name)).cloned().collect();
        if let Some((weights, _)) = pick(&names, self.variant.as_deref()) {
            if weights.contains(".index.") {
                chosen.extend(names.iter().filter(|name| is_shard_of(name, &weights)).cloned());
            }
            chosen.push(weights);
        }
        chosen.into_iter().map(|name| format!("{prefix}{name}")).collect()
    }
}

/// Folders at the root.
fn folders(files: &[String]) -> BTreeSet<String> {
    files.iter().filter_map(|file| file.split_once('/')).map(|(folder, _)| folder.to_owned()).collect()
}

fn weights(files: &[String]) -> Vec<&str> {
    files.iter().map(String::as_str).filter(|file| is_weights(file)).collect()
}

fn only_weights(files: &[String]) -> Result<String> {
    let all = weights(files);
    match all.as_slice() {
        [one] => Ok((*one).to_owned()),
        [] => Err(CheckpointError::missing(
            "the repository holds no weights that are read here",
            "choose another one",
        )),
        several => {
            let shown: Vec<&str> = several.iter().take(12).copied().collect();
            let more = if several.len() > shown.len() { ", ..." } else { "" };
            let message = format!("the repository is no pipeline, and holds {} weight files", several.len());
            let mend = format!("name one with --component: {}{more}", shown.join(", "));
            Err(CheckpointError::new(ErrorKind::Missing, message, mend))
        }
    }
}

fn is_card(name: &str) -> bool {
    name == "README.md"
}

fn is_configuration(name: &str) -> bool {
    let tokenizer = [".txt", ".model", ".jinja"].iter().any(|ending| name.ends_with(ending));
    tokenizer || (name.ends_with(".json") && !name.contains(".index."))
}

/// Whether a file is a shard of an index, by their names alone: `model-00001-of-00002.safetensors`.
fn is_shard_of(name: &str, index: &str) -> bool {
    let Some((stem, rest)) = index.split_once('.') else { return false };
    let parts: Vec<&str> = rest.split('.').filter(|part| !["index", "json"].contains(part)).collect();
    let Some((counted, ending)) = name.rsplit_once('.') else { return false };
    let variant = parts.iter().find(|part| !["safetensors", "bin"].contains(part));
    let has_variant = |variant: &str| counted.split(['.', '-']).any(|part| part == variant);
    let plain = || !counted.trim_start_matches(stem).contains('.');
    name.starts_with(stem)
        && counted.contains("-of-")
        && parts.contains(&ending)
        && variant.map_or_else(plain, |variant| has_variant(variant))
}

#[cfg(test)]
mod tests;
