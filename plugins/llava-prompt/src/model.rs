//! The checkpoint, and what is trained of it.

use std::path::Path;

use adeval_candle::eyes::Eyes;
use adeval_candle::llava::{Place, names};
use adeval_candle::policy::{LoraPolicy, Names};
use adeval_candle::training::Train;
use adeval_candle::{plugin_error, whole};
use adeval_models::llava::{Llava, LoadOptions};
use adeval_models::lora::LoraConfig;
use adeval_sdk::prelude::*;

use crate::instructions::Instructions;
use crate::parameters::Parameters;
use crate::whole::WholePolicy;

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
        place: &Place,
        cx: &CallContext<'_>,
    ) -> Result<Self> {
        let opened = place.open(parameters.precision, parameters.vision_tower.as_deref(), environment, cx)?;
        let options = opened.options(parameters.template.as_deref());
        let Place { checkpoint: path, adapter } = place;
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
            return Err(whole::no_adapter(adapter));
        }
        let plan = WholePolicy::plan(Llava::values(path).map_err(plugin_error)?, options.dtype)?;
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
        let names = names(&llava, path)?;
        let mut adapted = Adapted { config: parameters.lora().config(), names, policy: None };
        if let Some(folder) = adapter {
            adapted.policy(&llava)?.begin_with(folder, llava.decoder_mut())?;
        }
        Ok(Self { llava, eyes: Eyes::default(), trained: Trained::Adapter(Box::new(adapted)) })
    }
}

/// The file in a checkpoint's folder that holds what it was taught to be asked.
const INSTRUCTIONS: &str = "instructions.json";

/// The pool that the parameters name, or the checkpoint's own, or the plugin's.
pub fn instructions(place: &Place, named: Option<&Path>) -> Result<Instructions> {
    let own = place.checkpoint.join(INSTRUCTIONS);
    match named.or_else(|| own.is_file().then_some(own.as_path())) {
        Some(path) => Instructions::read(path),
        None => Instructions::own(),
    }
}
