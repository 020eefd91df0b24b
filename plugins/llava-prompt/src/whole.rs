//! Training of a whole small model: tower, projector, language model and head, with a frozen copy as the reference.

use std::path::Path;

use adeval_candle::eyes::Eyes;
use adeval_candle::plugin_error;
use adeval_candle::policy::Learner;
use adeval_candle::whole::{self, Origin, WEIGHTS, copies};
use adeval_models::llava::Llava;
use adeval_sdk::prelude::*;
use candle_core::{DType, Tensor};

/// Bytes a value, float32: the weight, its fast form, the same two of the reference, the gradient, AdamW's two moments.
const BYTES: u64 = 28;

const REFERENCE: &str = "reference";

/// The reference, and what turns gradients into steps.
pub struct WholePolicy {
    pub reference: Llava,
    pub reference_eyes: Eyes,
    pub learner: Learner,
    origin: Origin,
}

impl WholePolicy {
    /// What training so many values takes, in words.
    ///
    /// # Errors
    /// As [`whole::plan`].
    pub fn plan(values: u64, dtype: DType) -> Result<String> {
        whole::plan(values, dtype, BYTES, "weights, a reference, gradient and moments")
    }

    /// With the model as it is as the reference.
    pub fn new(llava: &Llava, origin: &Path) -> Result<Self> {
        let (reference, learner) = (copy(llava)?, Learner::default());
        Ok(Self { reference, reference_eyes: Eyes::default(), learner, origin: Origin::new(origin) })
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
        whole::write(llava.variables(), &directory.join(WEIGHTS))?;
        whole::write(self.reference.variables(), &reference.join(WEIGHTS))?;
        self.learner.save(directory)?;
        self.origin.describe(directory)
    }

    /// Reads what [`WholePolicy::save`] wrote; everything stays as it was if that fails.
    pub fn load(&mut self, llava: &mut Llava, directory: &Path) -> Result<()> {
        self.origin.check(directory)?;
        let (weights, reference) =
            (whole::read(&directory.join(WEIGHTS))?, whole::read(&directory.join(REFERENCE).join(WEIGHTS))?);
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
    llava.of_weights(copies(llava.variables())?).map_err(plugin_error)
}
