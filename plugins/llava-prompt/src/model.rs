//! The checkpoint, and what is trained of it.

use std::path::{Path, PathBuf};

use adeval_candle::policy::{LoraPolicy, Names};
use adeval_candle::{checkpoint, device, plugin_error};
use adeval_models::llava::config::ImageToken;
use adeval_models::llava::{Llava, LoadOptions};
use adeval_models::lora::LoraConfig;
use adeval_sdk::prelude::*;
use candle_core::DType;

use crate::eyes::Eyes;
use crate::instructions::Instructions;
use crate::parameters::{Parameters, Train};
use crate::whole::WholePolicy;

/// What PEFT calls the layers of the language model: within transformers from 4.52 on, within older ones, within the original code.
const OF_TRANSFORMERS: &[&str] = &[
    "base_model.model.model.language_model.",
    "base_model.model.language_model.model.",
    "base_model.model.model.",
];
const OF_ORIGINAL: &[&str] = &["base_model.model.model.", "base_model.model.model.language_model."];

/// A LLaVA, what it has seen, and what is trained of it.
pub struct Model {
    pub llava: Llava,
    pub eyes: Eyes,
    pub trained: Trained,
}

/// What is trained.
pub enum Trained {
    /// An adapter of the language model.
    Adapter(Box<Adapted>),
    /// Everything.
    All(Box<WholePolicy>),
}

/// How an adapter is made, and the adapter. There is none until it is needed: it takes memory.
pub struct Adapted {
    config: LoraConfig,
    names: Names,
    pub policy: Option<LoraPolicy>,
}

impl Adapted {
    /// The adapter, made if there is none yet.
    pub fn policy(&mut self, llava: &Llava) -> Result<&mut LoraPolicy> {
        let Self { config, names, policy } = self;
        match policy {
            Some(policy) => Ok(policy),
            none => Ok(none.insert(LoraPolicy::new(config.clone(), llava.decoder(), names.clone())?)),
        }
    }
}

impl Model {
    /// Loads what the parameters or the host name, and tells what it takes.
    pub fn load(
        parameters: &Parameters,
        environment: &Environment,
        places: &Places,
        cx: &CallContext<'_>,
    ) -> Result<Self> {
        let device = device::open(&environment.device)?;
        let dtype = parameters.precision.on(&device)?;
        let Places { checkpoint: path, adapter } = places;
        let tower = parameters.vision_tower.as_deref().map(checkpoint::find).transpose()?;
        let paths = std::iter::once(path.as_path()).chain(tower.as_deref());
        checkpoint::announce(paths, None, &environment.device, dtype, cx)?;
        cx.check()?;
        let template = parameters.template.as_deref();
        let options = LoadOptions { device, dtype, tower: tower.as_deref(), template };
        match parameters.train {
            Train::All => Self::whole(path, &options, adapter.as_deref(), cx),
            Train::Adapter => Self::adapted(path, &options, adapter.as_deref(), parameters),
        }
    }

    fn whole(
        path: &Path,
        options: &LoadOptions<'_>,
        adapter: Option<&Path>,
        cx: &CallContext<'_>,
    ) -> Result<Self> {
        if let Some(adapter) = adapter {
            let adapter = adapter.display();
            let message = format!("train is all, and {adapter} is an adapter: train one or the other");
            return Err(PluginError::invalid_parameters(message));
        }
        if options.dtype != DType::F32 {
            let message = "train is all, which needs precision f32: steps are smaller than the steps of f16";
            return Err(PluginError::invalid_parameters(message));
        }
        let plan = WholePolicy::plan(Llava::values(path).map_err(plugin_error)?)?;
        cx.progress(0.0, &plan);
        let llava = Llava::load_trainable(path, options).map_err(plugin_error)?;
        let trained = Trained::All(Box::new(WholePolicy::new(&llava, path)?));
        Ok(Self { llava, eyes: Eyes::default(), trained })
    }

    fn adapted(
        path: &Path,
        options: &LoadOptions<'_>,
        adapter: Option<&Path>,
        parameters: &Parameters,
    ) -> Result<Self> {
        let mut llava = Llava::load(path, options).map_err(plugin_error)?;
        let prefixes = match llava.config().image_token {
            ImageToken::Id(_) => OF_TRANSFORMERS,
            ImageToken::Word { .. } => OF_ORIGINAL,
        };
        let base = std::path::absolute(path)?.display().to_string();
        let names = Names { prefixes, base };
        let mut adapted = Adapted { config: parameters.lora(), names, policy: None };
        if let Some(folder) = adapter {
            adapted.policy(&llava)?.begin_with(folder, llava.decoder_mut())?;
        }
        Ok(Self { llava, eyes: Eyes::default(), trained: Trained::Adapter(Box::new(adapted)) })
    }
}

/// The file in a checkpoint's folder that holds what it was taught to be asked.
const INSTRUCTIONS: &str = "instructions.json";

/// Where a checkpoint is, and an adapter of it.
pub struct Places {
    checkpoint: PathBuf,
    adapter: Option<PathBuf>,
}

impl Places {
    /// The pool that the parameters name, or the checkpoint's own, or the plugin's.
    pub fn instructions(&self, named: Option<&Path>) -> Result<Instructions> {
        let own = self.checkpoint.join(INSTRUCTIONS);
        match named.or_else(|| own.is_file().then_some(own.as_path())) {
            Some(path) => Instructions::read(path),
            None => Instructions::own(),
        }
    }

    /// An adapter's folder in place of a checkpoint's says itself what it is an adapter of.
    pub fn find(parameters: &Parameters, environment: &Environment) -> Result<Self> {
        let named = parameters.checkpoint.as_deref();
        let path = checkpoint::checkpoint("llava-prompt", "a LLaVA", named, environment)?;
        let adapter = parameters.adapter.as_deref().map(checkpoint::find).transpose()?;
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
