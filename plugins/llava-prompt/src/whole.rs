//! Training of a whole small model: tower, projector, language model and head, with a frozen copy as the reference.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use adeval_candle::plugin_error;
use adeval_candle::policy::Learner;
use adeval_models::ModelError;
use adeval_models::llava::Llava;
use adeval_sdk::prelude::*;
use candle_core::{Device, Tensor};

use crate::eyes::Eyes;

/// The most values of a model that is trained as a whole.
const MOST_VALUES: u64 = 50_000_000;

/// Bytes a value, float32: the weight, its fast form, the same two of the reference, the gradient, AdamW's two moments.
const BYTES: u64 = 28;

const WEIGHTS: &str = "model.safetensors";
const REFERENCE: &str = "reference";

/// The reference, and what turns gradients into steps.
pub struct WholePolicy {
    pub reference: Llava,
    pub reference_eyes: Eyes,
    pub learner: Learner,
    /// The checkpoint that training began with.
    origin: PathBuf,
}

impl WholePolicy {
    /// What training so many values takes, in words.
    ///
    /// # Errors
    /// `InvalidParameters` above a bound.
    pub fn plan(values: u64) -> Result<String> {
        let memory = (values * BYTES) as f64 / f64::from(1 << 30);
        let plan = format!("training all {values} values takes {memory:.2} GiB, {BYTES} bytes a value");
        if values <= MOST_VALUES {
            return Ok(plan);
        }
        let message = format!(
            "train is all: {plan} (weights, a reference, gradient and moments), and at most {MOST_VALUES} values are taken"
        );
        Err(PluginError::invalid_parameters(message)
            .with_hint("set train to adapter, or take a smaller checkpoint"))
    }

    /// With the model as it is as the reference.
    pub fn new(llava: &Llava, origin: &Path) -> Result<Self> {
        let (reference, learner) = (copy(llava)?, Learner::default());
        Ok(Self { reference, reference_eyes: Eyes::default(), learner, origin: origin.to_owned() })
    }

    /// Makes the model as it is the reference.
    pub fn set_reference(&mut self, llava: &Llava) -> Result<()> {
        self.reference = copy(llava)?;
        self.reference_eyes.close();
        Ok(())
    }

    /// A LLaVA in the layout of transformers, float32, its reference's weights below it, and the optimizer's state.
    pub fn save(&self, llava: &Llava, directory: &Path) -> Result<()> {
        let reference = directory.join(REFERENCE);
        std::fs::create_dir_all(&reference)?;
        write(llava, directory)?;
        write(&self.reference, &reference)?;
        self.learner.save(directory)?;
        for (path, name) in described(&self.origin)? {
            std::fs::copy(path, directory.join(name))?;
        }
        Ok(())
    }

    /// Whether a folder was saved by the training of the same checkpoint, and whole.
    fn check(&self, directory: &Path) -> Result<()> {
        for (path, name) in described(&self.origin)? {
            let saved = directory.join(name);
            if std::fs::read(&saved).ok() != Some(std::fs::read(&path)?) {
                let message = format!("{} is not as {}", saved.display(), path.display());
                return Err(PluginError::new(ErrorKind::BadWeights, message)
                    .with_hint("the save is damaged, or of the training of another checkpoint"));
            }
        }
        Ok(())
    }

    /// Reads what [`WholePolicy::save`] wrote; everything stays as it was if that fails.
    pub fn load(&mut self, llava: &mut Llava, directory: &Path) -> Result<()> {
        self.check(directory)?;
        let (weights, reference) = (read(directory)?, read(&directory.join(REFERENCE))?);
        let reference = llava.of_weights(reference).map_err(plugin_error)?;
        // Names and shapes are checked where a model is made of them.
        llava.of_weights(weights.clone()).map_err(plugin_error)?;
        let learner = self.learner.saved(directory)?;
        let set = |(name, weight): (&String, &Tensor)| llava.variables()[name].set(weight);
        weights.iter().try_for_each(set).map_err(|error| plugin_error(error.into()))?;
        llava.refresh().map_err(plugin_error)?;
        (self.reference, self.learner) = (reference, learner);
        self.reference_eyes.close();
        Ok(())
    }
}

fn copy(llava: &Llava) -> Result<Llava> {
    let weights = weights(llava).map_err(plugin_error)?;
    llava.of_weights(weights).map_err(plugin_error)
}

/// Copies: a detached tensor would change with its variable.
fn weights(llava: &Llava) -> adeval_models::Result<BTreeMap<String, Tensor>> {
    let all = llava.variables().iter();
    all.map(|(name, variable)| Ok((name.clone(), variable.as_detached_tensor().copy()?))).collect()
}

fn write(llava: &Llava, directory: &Path) -> Result<()> {
    let weights: HashMap<String, Tensor> = weights(llava).map_err(plugin_error)?.into_iter().collect();
    candle_core::safetensors::save(&weights, directory.join(WEIGHTS))
        .map_err(|error| PluginError::new(ErrorKind::Io, error.to_string()))
}

fn read(directory: &Path) -> Result<BTreeMap<String, Tensor>> {
    let path = directory.join(WEIGHTS);
    let bytes = std::fs::read(&path);
    let bytes = bytes.map_err(|source| plugin_error(ModelError::Read { path: path.clone(), source }))?;
    let tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu);
    let unreadable = |e: candle_core::Error| ModelError::Weights {
        label: path.display().to_string(),
        reason: e.to_string(),
    };
    Ok(tensors.map_err(|error| plugin_error(unreadable(error)))?.into_iter().collect())
}

/// The files of a checkpoint that say what its weights are, with their names.
fn described(folder: &Path) -> Result<Vec<(PathBuf, std::ffi::OsString)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if describes(&entry.path()) {
            found.push((entry.path(), entry.file_name()));
        }
    }
    Ok(found)
}

/// Whether a checkpoint's file says what its weights are.
fn describes(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let kinds = [".json", ".jinja", ".txt", ".model"];
    kinds.iter().any(|kind| name.ends_with(kind)) && !name.ends_with(".index.json") && path.is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_model_is_refused_with_what_it_would_take() {
        let error = WholePolicy::plan(7_063_427_072).expect_err("too large");
        let message = error.to_string();
        assert!(message.contains("184.19 GiB") && message.contains("at most 50000000"), "{message}");
        assert!(WholePolicy::plan(3_000_000).is_ok_and(|plan| plan.contains("0.08 GiB")));
    }
}
