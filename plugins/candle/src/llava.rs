//! Where a LLaVA and an adapter of it are, and what it is loaded with.

use std::path::{Path, PathBuf};

use adeval_models::llava::config::ImageToken;
use adeval_models::llava::{Llava, LoadOptions};
use adeval_sdk::{CallContext, Environment, ErrorKind, PluginError, Result};
use candle_core::{DType, Device};

use crate::policy::Names;
use crate::{Precision, checkpoint, device};

/// What PEFT calls the layers of the language model: within transformers from 4.52 on, within older ones, within the original code.
const OF_TRANSFORMERS: &[&str] = &[
    "base_model.model.model.language_model.",
    "base_model.model.language_model.model.",
    "base_model.model.model.",
];
const OF_ORIGINAL: &[&str] = &["base_model.model.model.", "base_model.model.model.language_model."];

/// What files of adapters call the layers of a model, and the model.
///
/// # Errors
/// `Io` for a path without a place.
pub fn names(llava: &Llava, path: &Path) -> Result<Names> {
    let prefixes = match llava.config().image_token {
        ImageToken::Id(_) => OF_TRANSFORMERS,
        ImageToken::Word { .. } => OF_ORIGINAL,
    };
    Ok(Names { prefixes, base: std::path::absolute(path)?.display().to_string() })
}

/// Where a checkpoint is, and an adapter of it.
#[derive(Debug)]
pub struct Place {
    /// The model's folder.
    pub checkpoint: PathBuf,
    /// The adapter's.
    pub adapter: Option<PathBuf>,
}

/// What a LLaVA is loaded with, once it was told what that takes.
pub struct Opened {
    device: Device,
    /// The type of the weights.
    pub dtype: DType,
    tower: Option<PathBuf>,
}

impl Opened {
    /// For a model whose chat template may be another than its checkpoint's.
    pub fn options<'a>(&'a self, template: Option<&'a str>) -> LoadOptions<'a> {
        LoadOptions { device: self.device.clone(), dtype: self.dtype, tower: self.tower.as_deref(), template }
    }
}

impl Place {
    /// Opens the device, finds the tower of a checkpoint that only names it, and tells what loading both takes.
    ///
    /// # Errors
    /// As [`checkpoint::announce`], `InvalidParameters` for a precision that the device does not have, `Cancelled`.
    pub fn open(
        &self,
        precision: Precision,
        tower: Option<&str>,
        environment: &Environment,
        cx: &CallContext<'_>,
    ) -> Result<Opened> {
        let device = device::open(&environment.device)?;
        let dtype = precision.on(&device)?;
        let tower = tower.map(checkpoint::find).transpose()?;
        let paths = std::iter::once(self.checkpoint.as_path()).chain(tower.as_deref());
        checkpoint::announce(paths, None, &environment.device, dtype, cx)?;
        cx.check()?;
        Ok(Opened { device, dtype, tower })
    }

    /// What the parameters `checkpoint` and `adapter` name, or the weights of the host; `wanted` says what that should be. An adapter's
    /// folder in place of a checkpoint's says itself what it is an adapter of.
    ///
    /// # Errors
    /// `MissingWeights` and `BadWeights`, naming what is not there.
    pub fn find(
        plugin: &str,
        wanted: &str,
        checkpoint: Option<&str>,
        adapter: Option<&str>,
        environment: &Environment,
    ) -> Result<Self> {
        let path = checkpoint::checkpoint(plugin, wanted, checkpoint, environment)?;
        let adapter = adapter.map(checkpoint::find).transpose()?;
        let config = path.join("adapter_config.json");
        if adapter.is_some() || path.join("config.json").is_file() || !config.is_file() {
            return Ok(Self { checkpoint: path, adapter });
        }
        let facts: serde_json::Value = serde_json::from_slice(&std::fs::read(&config)?)
            .map_err(|e| PluginError::new(ErrorKind::BadWeights, format!("{}: {e}", config.display())))?;
        let base = facts["base_model_name_or_path"].as_str().unwrap_or_default();
        let checkpoint = checkpoint::find(base).map_err(|error| {
            let message = format!("{} is an adapter of \"{base}\": {}", path.display(), error.message);
            PluginError::new(error.kind, message)
                .with_hint("name the model with the parameter checkpoint, and this folder with adapter")
        })?;
        Ok(Self { checkpoint, adapter: Some(path) })
    }
}
