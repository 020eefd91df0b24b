//! What PEFT writes beside the matrices: alpha by layer, in `adapter_config.json` or in the header that diffusers writes.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::keys::Component;
use crate::tensors::read_config;
use crate::{ModelError, Result};

/// The header's key under which diffusers keeps the configuration of both components, names prefixed with the component.
const HEADER: &str = "lora_adapter_metadata";

/// By component; empty where a file says nothing, and alpha is the rank.
#[derive(Default)]
pub(super) struct PeftFacts {
    unet: Option<PeftConfig>,
    text_encoder: Option<PeftConfig>,
}

/// What a configuration says of alpha.
#[derive(Clone, Deserialize)]
#[serde(default)]
pub(super) struct PeftConfig {
    lora_alpha: f64,
    /// Alpha by the end of a layer's name.
    alpha_pattern: BTreeMap<String, f64>,
    /// Divide by the root of the rank (Kalajdzievski 2023).
    use_rslora: bool,
    use_dora: bool,
}

impl Default for PeftConfig {
    fn default() -> Self {
        // PEFT's own default.
        Self { lora_alpha: 8.0, alpha_pattern: BTreeMap::new(), use_rslora: false, use_dora: false }
    }
}

impl PeftFacts {
    /// From a file's header.
    pub(super) fn from_metadata(metadata: &BTreeMap<String, String>) -> std::result::Result<Self, String> {
        let Some(text) = metadata.get(HEADER) else { return Ok(Self::default()) };
        let unreadable = |e: serde_json::Error| format!("{HEADER} in its header cannot be read: {e}");
        let all: Map<String, Value> = serde_json::from_str(text).map_err(unreadable)?;
        let of = |component: Component| {
            let own = all
                .iter()
                .filter_map(|(k, v)| Some((k.strip_prefix(component.prefix())?.to_owned(), v.clone())));
            let own: Map<String, Value> = own.collect();
            if own.is_empty() { Ok(None) } else { serde_json::from_value(own.into()).map(Some) }
        };
        let facts = Self {
            unet: of(Component::Unet).map_err(unreadable)?,
            text_encoder: of(Component::TextEncoder).map_err(unreadable)?,
        };
        let is_dora = [&facts.unet, &facts.text_encoder].into_iter().flatten().any(|c| c.use_dora);
        if is_dora {
            return Err(format!("{HEADER} in its header says that it is a DoRA; convert the file to LoRA"));
        }
        Ok(facts)
    }

    /// From `adapter_config.json`, which is that of the file's only component.
    pub(super) fn from_config(path: &Path) -> Result<Self> {
        let config: PeftConfig = read_config(path)?;
        config.check().map_err(|reason| ModelError::Config { path: path.to_owned(), reason })?;
        Ok(Self { unet: Some(config.clone()), text_encoder: Some(config) })
    }

    /// What a layer's product is multiplied with. `name` is its weight's name in the network.
    pub(super) fn scale(&self, component: Component, name: &str, rank: usize) -> f64 {
        let config = match component {
            Component::Unet => &self.unet,
            Component::TextEncoder => &self.text_encoder,
        };
        let name = name.strip_suffix(".weight").unwrap_or(name);
        config.as_ref().map_or(1.0, |config| config.scale(name, rank))
    }
}

impl PeftConfig {
    /// Why it is not of a plain LoRA, if so.
    pub(super) fn check(&self) -> std::result::Result<(), String> {
        if self.use_dora {
            return Err("use_dora says that it is a DoRA; convert the file to LoRA".to_owned());
        }
        Ok(())
    }

    /// What the product of a layer, `module`, is multiplied with.
    pub(super) fn scale(&self, module: &str, rank: usize) -> f64 {
        let (alpha, rank) = (self.alpha(module), rank as f64);
        if self.use_rslora { alpha / rank.sqrt() } else { alpha / rank }
    }

    fn alpha(&self, module: &str) -> f64 {
        let module = module.strip_prefix("text_model.").unwrap_or(module);
        let is_of = |pattern: &str| {
            let pattern = pattern.strip_prefix('^').unwrap_or(pattern);
            let pattern = pattern.strip_prefix("text_model.").unwrap_or(pattern);
            module.strip_suffix(pattern).is_some_and(|before| before.is_empty() || before.ends_with('.'))
        };
        self.alpha_pattern.iter().find(|(p, _)| is_of(p)).map_or(self.lora_alpha, |(_, alpha)| *alpha)
    }
}
