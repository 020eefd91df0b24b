//! The checkpoint, and what is trained of it.

use std::collections::BTreeMap;
use std::path::Path;

use adeval_candle::eyes::{Eyes, Seen};
use adeval_candle::llava::{Place, names};
use adeval_candle::policy::{Learner, Names, read_adapter};
use adeval_candle::training::Train;
use adeval_candle::whole::{self, Origin};
use adeval_candle::{plugin_error, unsaved};
use adeval_models::llava::grid::Extent;
use adeval_models::llava::reward::{
    HeadSource, Judgement, Label, Learning, LlavaReward as Judge, Losses, Orders, Pair, Questions, SIDE,
};
use adeval_models::llava::{Llava, LoadOptions};
use adeval_models::lora::{LoraAdapter, LoraConfig};
use adeval_sdk::prelude::*;
use candle_core::{Tensor, Var};

use crate::parameters::Parameters;

/// The heads, beside an adapter's files.
pub const HEADS: &str = "heads.safetensors";

/// Bytes a value, float32: the weight, its fast form, the gradient, AdamW's two moments.
const BYTES: u64 = 20;

/// A LLaVA with heads, what is trained of it, and what turns gradients into steps.
pub struct Model {
    pub judge: Judge,
    /// What was seen, while the tower stays as it is.
    eyes: Option<Eyes>,
    pub trained: Trained,
    pub learner: Learner,
    /// Values of the checkpoint.
    values: u64,
}

/// What is trained, beside the heads.
pub enum Trained {
    /// An adapter of the language model.
    Adapter(Box<Adapted>),
    /// Everything.
    All(Origin),
}

/// How an adapter is made, and the adapter. There is none until it is needed: it takes memory.
pub struct Adapted {
    config: LoraConfig,
    pub names: Names,
    pub adapter: Option<LoraAdapter>,
}

impl Adapted {
    /// The adapter, made and put on if there is none yet.
    pub fn adapter(&mut self, judge: &mut Judge) -> Result<&LoraAdapter> {
        let Self { config, adapter, .. } = self;
        match adapter {
            Some(adapter) => Ok(adapter),
            none => {
                let decoder = judge.llava_mut().decoder_mut();
                let made = LoraAdapter::new(config.clone(), decoder, 0).map_err(plugin_error)?;
                decoder.attach(&made).map_err(plugin_error)?;
                Ok(none.insert(made))
            }
        }
    }

    /// Takes the adapter and the heads of a folder that [`Model::save`] wrote; everything stays as it was if that fails.
    fn read(&mut self, folder: &Path, judge: &mut Judge) -> Result<()> {
        let decoder = judge.llava_mut().decoder_mut();
        let adapter = read_adapter(&self.names, folder, decoder)?;
        let (file, heads) = (folder.join(HEADS), judge.heads().variables());
        let tensors = whole::read(&file)?;
        whole::check(&heads, &tensors, &file)?;
        judge.llava_mut().decoder_mut().attach(&adapter).map_err(plugin_error)?;
        self.adapter = Some(adapter);
        whole::set(&heads, &tensors)
    }
}

impl Model {
    /// Loads what the parameters or the host name, and tells what it takes.
    pub fn load(
        parameters: &Parameters,
        environment: &Environment,
        place: &Place,
        questions: Questions,
        cx: &CallContext<'_>,
    ) -> Result<Self> {
        let opened = place.open(parameters.precision, parameters.vision_tower.as_deref(), environment, cx)?;
        let options = opened.options(parameters.template.as_deref());
        let Place { checkpoint: path, adapter } = place;
        let values = Llava::values(path).map_err(plugin_error)?;
        match parameters.train {
            Train::All => {
                if let Some(adapter) = adapter {
                    return Err(whole::no_adapter(adapter));
                }
                cx.progress(0.0, &whole::plan(values, opened.dtype, BYTES, "weights, gradient and moments")?);
                Self::whole(path, &options, parameters, questions, values)
            }
            Train::Adapter => {
                Self::adapted(path, &options, adapter.as_deref(), parameters, questions, values)
            }
        }
    }

    fn whole(
        path: &Path,
        options: &LoadOptions<'_>,
        parameters: &Parameters,
        questions: Questions,
        values: u64,
    ) -> Result<Self> {
        let judge = Judge::load_trainable(path, options, questions, parameters.head_source());
        let (judge, trained) = (judge.map_err(plugin_error)?, Trained::All(Origin::new(path)));
        Ok(Self { judge, eyes: None, trained, learner: Learner::default(), values })
    }

    fn adapted(
        path: &Path,
        options: &LoadOptions<'_>,
        adapter: Option<&Path>,
        parameters: &Parameters,
        questions: Questions,
        values: u64,
    ) -> Result<Self> {
        // An adapter's folder has the heads.
        let source = match adapter {
            Some(_) => HeadSource::New(0),
            None => parameters.head_source(),
        };
        let mut judge = Judge::load(path, options, questions, source).map_err(plugin_error)?;
        let names = names(judge.llava(), path)?;
        let mut adapted = Adapted { config: parameters.lora().config(), names, adapter: None };
        if let Some(folder) = adapter {
            adapted.read(folder, &mut judge)?;
        }
        let (trained, learner) = (Trained::Adapter(Box::new(adapted)), Learner::default());
        Ok(Self { judge, eyes: Some(Eyes::default()), trained, learner, values })
    }

    /// Judges pairs.
    ///
    /// # Errors
    /// As [`Judge::compare`].
    pub fn compare(&mut self, pairs: &[Pair], orders: Orders) -> adeval_models::Result<Vec<Judgement>> {
        let Self { judge, eyes, .. } = self;
        judge.compare_with(pairs, orders, |pair| look(judge, eyes.as_mut(), pair))
    }

    /// Adds the gradient of pairs to the learner's.
    ///
    /// # Errors
    /// As [`Judge::accumulate`].
    pub fn accumulate(
        &mut self,
        pairs: &[(Pair, Label)],
        learning: &Learning,
    ) -> adeval_models::Result<Vec<Losses>> {
        let Self { judge, eyes, learner, .. } = self;
        let seen = |pair: &Pair| look(judge, eyes.as_mut(), pair);
        judge.accumulate(pairs, learning, seen, &mut learner.gradients)
    }

    /// Readies it for a gradient.
    pub fn begin(&mut self) -> Result<()> {
        match &mut self.trained {
            Trained::Adapter(adapted) => adapted.adapter(&mut self.judge).map(drop),
            Trained::All(_) => Ok(()),
        }
    }

    /// What an optimizer changes.
    pub fn variables(&self) -> BTreeMap<String, Var> {
        let mut variables = self.judge.variables();
        if let Trained::Adapter(adapted) = &self.trained {
            variables.extend(adapted.adapter.iter().flat_map(LoraAdapter::variables));
        }
        variables
    }

    /// Values that are trained, and all that a judgement takes.
    pub fn counts(&self) -> [u64; 2] {
        let count = |variables: &BTreeMap<String, Var>| {
            variables.values().map(|variable| variable.elem_count() as u64).sum::<u64>()
        };
        let trained = count(&self.variables());
        match &self.trained {
            Trained::All(_) => [trained, trained],
            Trained::Adapter(_) => [trained, trained + self.values],
        }
    }

    /// An adapter in PEFT's files with the heads beside it, or a whole LLaVA with heads, and the optimizer's state: either is a
    /// checkpoint that this plugin takes.
    pub fn save(&mut self, directory: &Path) -> Result<()> {
        std::fs::create_dir_all(directory)?;
        match &mut self.trained {
            Trained::Adapter(adapted) => {
                let (prefix, base) = (adapted.names.prefix(), adapted.names.base.clone());
                let adapter = adapted.adapter(&mut self.judge)?;
                adapter.save(directory, prefix, &base).map_err(unsaved)?;
                whole::write(&self.judge.heads().variables(), &directory.join(HEADS))?;
            }
            Trained::All(origin) => {
                whole::write(&self.judge.variables(), &directory.join(whole::WEIGHTS))?;
                origin.describe(directory)?;
            }
        }
        self.learner.save(directory)
    }

    /// Reads what [`Model::save`] wrote; everything stays as it was if that fails.
    pub fn read(&mut self, directory: &Path) -> Result<()> {
        let learner = self.learner.saved(directory)?;
        match &mut self.trained {
            Trained::Adapter(adapted) => adapted.read(directory, &mut self.judge)?,
            Trained::All(origin) => {
                origin.check(directory)?;
                let (file, variables) = (directory.join(whole::WEIGHTS), self.judge.variables());
                let tensors = whole::read(&file)?;
                whole::check(&variables, &tensors, &file)?;
                whole::set(&variables, &tensors)?;
                self.judge.llava_mut().refresh().map_err(plugin_error)?;
            }
        }
        self.learner = learner;
        Ok(())
    }
}

/// The embeddings of a pair: those that are kept, or new ones.
fn look(judge: &Judge, eyes: Option<&mut Eyes>, pair: &Pair) -> adeval_models::Result<Tensor> {
    let new = || judge.look(pair.left, pair.right);
    let Some(eyes) = eyes else { return new() };
    let key = [pair.left, pair.right].map(|side| Image::from(side.clone()).hash()).concat();
    eyes.look(key, || Ok(Seen { embeds: new()?, size: Extent { height: SIDE, width: 2 * SIDE } }))
        .map(|seen| seen.embeds)
}
