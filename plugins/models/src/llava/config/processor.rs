//! The image processor's settings: `preprocessor_config.json`, or a part of the `processor_config.json` that transformers 5 writes.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::part;
use crate::Result;
use crate::clip::preprocess::{Edges, ImageProcessor};
use crate::tensors::read_config;

/// What a file says, or what follows from the tower where there is none.
pub(super) struct Found {
    /// What is done with every tile.
    pub clip: ImageProcessor,
    /// The grids, where the file names them.
    pub pinpoints: Option<Vec<[u32; 2]>>,
    /// Whether pictures get bars.
    pub pads: bool,
    /// The file.
    pub path: PathBuf,
}

/// The settings in `dir`.
pub(super) fn read(dir: &Path, side: u32) -> Result<Found> {
    read_first(&[Some(dir)], side)
}

/// Those of the first folder that has any.
pub(super) fn read_first(dirs: &[Option<&Path>], side: u32) -> Result<Found> {
    for dir in dirs.iter().flatten() {
        let path = dir.join("preprocessor_config.json");
        if path.is_file() {
            let config = read_config(&path)?;
            return found(path, &config);
        }
        let path = dir.join("processor_config.json");
        if path.is_file() {
            let config: Value = read_config(&path)?;
            if config["image_processor"].is_object() {
                return found(path, &config["image_processor"]);
            }
        }
    }
    let clip = ImageProcessor {
        size: Edges::Shortest { shortest_edge: side },
        crop_size: Edges::Both { height: side, width: side },
        ..ImageProcessor::default()
    };
    Ok(Found { clip, pinpoints: None, pads: false, path: PathBuf::new() })
}

fn found(path: PathBuf, config: &Value) -> Result<Found> {
    let clip = part(&path, "the image processor", config)?;
    let pairs = &config["image_grid_pinpoints"];
    let pinpoints = if pairs.is_null() { None } else { Some(part(&path, "image_grid_pinpoints", pairs)?) };
    // In other classes the word means something else: tiles of a batch are filled up.
    let class = config["image_processor_type"].as_str().unwrap_or_default();
    let pads = class.starts_with("LlavaImageProcessor") && config["do_pad"] == true;
    Ok(Found { clip, pinpoints, pads, path })
}
