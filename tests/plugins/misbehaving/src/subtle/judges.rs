//! Reward models that look at the side, and trainable ones that learn or remember wrongly.

use crate::component::Nothing;
use adeval_sdk::prelude::*;
use adeval_sdk::{Library, TrainableRewardModel};
use std::collections::BTreeMap;
use std::path::Path;

pub fn add(library: &mut Library) {
    library.reward_model::<RefusesTheSwap>();
    library.reward_model::<LovesTheLeft>();
    add_pupil::<LEARNS_BACKWARDS>(library);
    add_pupil::<FORGETS_ITS_TRAINING>(library);
    add_pupil::<LOADS_ANYTHING>(library);
    add_pupil::<REPLACES_THE_GRADIENT>(library);
    add_pupil::<HALVES_ITS_GRADIENT>(library);
    add_pupil::<LEARNS_WELL>(library);
}

fn brightness(image: &Image) -> f64 {
    let sum: f64 = image.bytes().iter().map(|&byte| f64::from(byte)).sum();
    sum / (255.0 * image.bytes().len().max(1) as f64)
}

fn lead(pair: &PairRequest) -> f64 {
    brightness(&pair.left) - brightness(&pair.right)
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn tenth(request: &ScoreRequest) -> Result<PointScore> {
    Ok(PointScore { ctr: 0.1 * brightness(&request.creative), parts: BTreeMap::new() })
}

component!(RefusesTheSwap(Nothing), "refuses-the-swap", "Wants the brighter creative on the left");

impl RewardModel for RefusesTheSwap {
    fn compare(&self, pair: &PairRequest, _: &CallContext<'_>) -> Result<Preference> {
        if lead(pair) < 0.0 {
            return Err(PluginError::invalid_request("the better creative must be on the left"));
        }
        Ok(Preference { left: 0.9 })
    }
    fn score(&self, request: &ScoreRequest, _: &CallContext<'_>) -> Result<PointScore> {
        tenth(request)
    }
}

component!(LovesTheLeft(Nothing), "loves-the-left", "The left creative always wins");

impl RewardModel for LovesTheLeft {
    fn compare(&self, _: &PairRequest, _: &CallContext<'_>) -> Result<Preference> {
        Ok(Preference { left: 0.95 })
    }
    fn score(&self, request: &ScoreRequest, _: &CallContext<'_>) -> Result<PointScore> {
        tenth(request)
    }
}

const LEARNS_WELL: u8 = 0;
const LEARNS_BACKWARDS: u8 = 1;
const FORGETS_ITS_TRAINING: u8 = 2;
const LOADS_ANYTHING: u8 = 3;
const REPLACES_THE_GRADIENT: u8 = 4;
const HALVES_ITS_GRADIENT: u8 = 5;

/// P(left) = sigmoid(w * lead in brightness), with one fault; without one it is the control.
struct Pupil<const FAULT: u8> {
    weight: f64,
    gradient: f64,
}

fn add_pupil<const FAULT: u8>(library: &mut Library)
where
    Pupil<FAULT>: TrainableRewardModel,
{
    library.trainable_reward_model::<Pupil<FAULT>>();
}

impl<const FAULT: u8> Component for Pupil<FAULT> {
    type Parameters = Nothing;
    fn info() -> ComponentInfo {
        let (id, summary) = match FAULT {
            LEARNS_BACKWARDS => ("learns-backwards", "Steps along the gradient, not against it"),
            FORGETS_ITS_TRAINING => ("forgets-its-training", "Saves what it was born with"),
            LOADS_ANYTHING => ("loads-anything", "Takes a broken save for a whole one"),
            REPLACES_THE_GRADIENT => ("replaces-the-gradient", "Forgets the batch before"),
            HALVES_ITS_GRADIENT => ("halves-its-gradient", "Learns the half of what its loss says"),
            _ => ("learns-well", "A logistic judge of brightness"),
        };
        ComponentInfo::new(id, summary)
    }
    fn create(_: Nothing, _: &Environment) -> Result<Self> {
        Ok(Self { weight: 1.0, gradient: 0.0 })
    }
}

impl<const FAULT: u8> RewardModel for Pupil<FAULT> {
    fn compare(&self, pair: &PairRequest, _: &CallContext<'_>) -> Result<Preference> {
        Ok(Preference { left: sigmoid(self.weight * lead(pair)) })
    }
    fn score(&self, request: &ScoreRequest, _: &CallContext<'_>) -> Result<PointScore> {
        tenth(request)
    }
}

impl<const FAULT: u8> Trainable for Pupil<FAULT> {
    type Example = LabelledPair;

    fn accumulate_gradient(
        &mut self,
        examples: &[LabelledPair],
        options: &GradientOptions,
        _: &CallContext<'_>,
    ) -> Result<TrainingReport> {
        let (mut loss, mut gradient) = (0.0, 0.0);
        for example in examples {
            let lead = lead(&example.pair);
            let p = sigmoid(self.weight * lead);
            loss -= example.left * p.ln() + (1.0 - example.left) * (1.0 - p).ln();
            gradient += (p - example.left) * lead;
        }
        let factor = if FAULT == HALVES_ITS_GRADIENT { 0.5 } else { 1.0 };
        let share = factor * options.weight / examples.len().max(1) as f64;
        let before = if FAULT == REPLACES_THE_GRADIENT { 0.0 } else { self.gradient };
        self.gradient = before + share * gradient;
        let loss = Some(loss / examples.len().max(1) as f64);
        Ok(TrainingReport { loss, grad_norm: Some(self.gradient.abs()), metrics: BTreeMap::new() })
    }

    fn step(&mut self, options: &TrainingOptions, _: &CallContext<'_>) -> Result<TrainingReport> {
        let sign = if FAULT == LEARNS_BACKWARDS { 1.0 } else { -1.0 };
        self.weight += sign * options.learning_rate * std::mem::take(&mut self.gradient);
        Ok(TrainingReport::default())
    }

    fn clear_gradient(&mut self) -> Result<()> {
        self.gradient = 0.0;
        Ok(())
    }

    fn save(&self, directory: &Path, _: &CallContext<'_>) -> Result<()> {
        std::fs::create_dir_all(directory)?;
        let weight = if FAULT == FORGETS_ITS_TRAINING { 1.0 } else { self.weight };
        Ok(std::fs::write(directory.join("weight"), weight.to_le_bytes())?)
    }

    fn load(&mut self, directory: &Path, _: &CallContext<'_>) -> Result<()> {
        let bytes = std::fs::read(directory.join("weight"))
            .map_err(|error| PluginError::new(ErrorKind::MissingWeights, format!("weight: {error}")))?;
        let mut whole = [0; 8];
        if FAULT == LOADS_ANYTHING {
            whole.iter_mut().zip(&bytes).for_each(|(to, from)| *to = *from);
        } else {
            let message = format!("weight has {} bytes, not 8", bytes.len());
            whole = bytes.try_into().map_err(|_| PluginError::new(ErrorKind::BadWeights, message))?;
        }
        self.weight = f64::from_le_bytes(whole);
        self.gradient = 0.0;
        Ok(())
    }
}
