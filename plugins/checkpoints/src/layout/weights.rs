//! Which files of a folder hold a model's weights.

use super::Options;
use crate::format::{is_index, shards};
use crate::{CheckpointError, Result};
use std::path::{Path, PathBuf};

/// Endings of weight files that are read here, the preferred ones first.
pub(crate) const ENDINGS: [&str; 5] = ["safetensors", "bin", "ckpt", "pth", "pt"];

/// What people and libraries call a model's weights, without ending.
pub(crate) const STEMS: [&str; 5] =
    ["diffusion_pytorch_model", "model", "pytorch_model", "open_clip_model", "open_clip_pytorch_model"];

/// Whether a file's name says that it has OpenCLIP's names. Its repositories often hold the same weights in those of transformers.
pub(super) fn is_open_clip(file: &Path) -> bool {
    file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("open_clip_"))
}

/// The weight file, or the index of shards, of a model's folder; and what is odd about the choice.
///
/// # Errors
/// For a folder without weights, with the names that were looked for, and for missing shards.
pub(super) fn choose(folder: &Path, options: &Options) -> Result<(Vec<PathBuf>, Option<String>)> {
    let files = listed(folder)?;
    let Some((name, note)) = pick(&files, options.variant.as_deref()) else {
        let looked = "diffusion_pytorch_model.safetensors, model.safetensors, open_clip_model.safetensors, or the same as .bin";
        let message = format!("{} holds no weights: looked for {looked}", folder.display());
        return Err(CheckpointError::missing(message, "download the folder once more, or mend its name"));
    };
    let path = folder.join(name);
    if is_index(&path) {
        shards(&path)?;
    }
    Ok((vec![path], note))
}

/// The best of a folder's file names. Safetensors before pickles, the wanted variant before the plain file, and a variant
/// where nothing else is there.
pub(crate) fn pick(files: &[String], variant: Option<&str>) -> Option<(String, Option<String>)> {
    for ending in ["safetensors", "bin"] {
        let exact = |variant: Option<&str>| {
            let names = STEMS.iter().flat_map(|stem| spellings(stem, variant, ending));
            names.into_iter().find(|name| files.contains(name))
        };
        if let Some(name) = exact(variant) {
            return Some((name, None));
        }
        if let Some(name) = variant.and_then(|_| exact(None)) {
            let note =
                format!("there are no files of variant {}; {name} is taken", variant.unwrap_or_default());
            return Some((name, Some(note)));
        }
        let any = files.iter().find(|name| is_variant(name, ending));
        if let Some(name) = any {
            return Some((name.clone(), Some(format!("the only weights are a variant: {name}"))));
        }
    }
    None
}

fn spellings(stem: &str, variant: Option<&str>, ending: &str) -> Vec<String> {
    match variant {
        None => vec![format!("{stem}.{ending}"), format!("{stem}.{ending}.index.json")],
        Some(v) => vec![
            format!("{stem}.{v}.{ending}"),
            format!("{stem}.{ending}.index.{v}.json"),
            format!("{stem}.{v}.{ending}.index.json"),
        ],
    }
}

fn is_variant(name: &str, ending: &str) -> bool {
    let inner = STEMS.iter().find_map(|stem| name.strip_prefix(stem)?.strip_prefix('.'));
    let Some(inner) = inner.and_then(|rest| rest.strip_suffix(ending)) else { return false };
    let variant = inner.trim_end_matches('.');
    // A shard is no variant: it is reached by its index.
    !variant.is_empty() && !variant.contains("-of-")
}

/// Names of the files in a folder, sorted.
pub(super) fn listed(folder: &Path) -> Result<Vec<String>> {
    let entries = std::fs::read_dir(folder).map_err(|error| CheckpointError::io(folder, &error))?;
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok())
        .filter(|entry| entry.path().is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    Ok(names)
}

/// Whether a name ends as weights do.
pub(crate) fn is_weights(name: &str) -> bool {
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    ENDINGS.contains(&ending) && !["training_args.bin", "optimizer.bin", "scheduler.bin"].contains(&name)
}
