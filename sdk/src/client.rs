//! Typed calls of an [`Endpoint`], which trust nothing that comes back: counts, sizes and ranges are checked.

use crate::endpoint::{GradientRequest, LogProbsRequest, method};
use crate::{
    AnswerGradient, BackgroundRequest, CallContext, ConditionedAnswer, Creative, EmbedRequest, Embedding,
    EncoderInfo, Endpoint, FeatureMap, GradientOptions, Instruction, LabelledPair, LossAndGradient,
    OptimizerNeeds, PairRequest, PixelFormat, PluginError, PointScore, Policy, Preference, PreferenceBatch,
    PromptRequest, PromptSample, Result, ScoreRequest, TrainingOptions, TrainingReport, WarmUp, decode,
    encode,
};
use serde::{Serialize, de::DeserializeOwned};
use std::marker::PhantomData;
use std::path::Path;
use std::sync::Arc;

fn call<Q: Serialize + ?Sized, R: DeserializeOwned>(
    endpoint: &dyn Endpoint,
    name: &str,
    request: &Q,
    cx: &CallContext<'_>,
) -> Result<R> {
    decode(endpoint.call(name, encode(request)?, cx)?)
}

/// See [`crate::Component::warm_up`]; for components of every kind whose manifest has the feature [`crate::WARM_UP`].
///
/// # Errors
/// As there, and `Unsupported` from a component that was built before contract 1.1.
pub fn warm_up(endpoint: &dyn Endpoint, ahead: &WarmUp, cx: &CallContext<'_>) -> Result<()> {
    call(endpoint, method::WARM_UP, ahead, cx)
}

/// A batch call: as many answers as requests, each passed through `check`.
fn batch<Q: Serialize, R: DeserializeOwned>(
    endpoint: &dyn Endpoint,
    name: &str,
    requests: &[Q],
    cx: &CallContext<'_>,
    check: impl Fn(&Q, &R) -> Result<()>,
) -> Result<Vec<Result<R>>> {
    let replies: Vec<Result<R>> = call(endpoint, name, requests, cx)?;
    same_count(name, requests.len(), replies.len())?;
    let checked = requests.iter().zip(replies).map(|(q, r)| r.and_then(|r| check(q, &r).map(|()| r)));
    Ok(checked.collect())
}

fn same_count(name: &str, asked: usize, got: usize) -> Result<()> {
    if asked == got {
        return Ok(());
    }
    Err(PluginError::violation(format!("{name}: there must be {asked}, and {got} came back")))
}

fn in_unit_interval(name: &str, value: f64) -> Result<()> {
    if (0.0..=1.0).contains(&value) {
        return Ok(());
    }
    Err(PluginError::violation(format!("{name} is {value}; it must be in [0, 1]")))
}

fn finite(name: &str, values: impl IntoIterator<Item = f64>) -> Result<()> {
    match values.into_iter().find(|v| !v.is_finite()) {
        None => Ok(()),
        Some(value) => {
            Err(PluginError::violation(format!("{name} holds {value}; every value must be finite")))
        }
    }
}

/// How many values a map of this shape has; shapes beyond every memory count as the largest number.
fn values_of(map: &FeatureMap) -> usize {
    [map.channels, map.height, map.width].iter().fold(1_usize, |count, &n| count.saturating_mul(n as usize))
}

macro_rules! client {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name(Arc<dyn Endpoint>);

        impl $name {
            /// A client of this endpoint.
            pub fn new(endpoint: Arc<dyn Endpoint>) -> Self {
                Self(endpoint)
            }
        }
    };
}

client!(
    /// Calls a prompt generator.
    PromptClient
);
client!(
    /// Calls a background generator.
    BackgroundClient
);
client!(
    /// Calls a reward model.
    RewardClient
);
client!(
    /// Calls an RL optimizer.
    OptimizerClient
);
client!(
    /// Calls an image embedder.
    EmbedderClient
);

impl PromptClient {
    /// See [`crate::PromptGenerator::generate_batch`].
    ///
    /// # Errors
    /// Of the whole call; each item has its own result.
    pub fn generate(
        &self,
        requests: &[PromptRequest],
        cx: &CallContext<'_>,
    ) -> Result<Vec<Result<Vec<PromptSample>>>> {
        batch(&*self.0, method::PROMPT_GENERATE, requests, cx, |request, samples: &Vec<PromptSample>| {
            same_count("prompt samples", request.samples as usize, samples.len())?;
            for sample in samples {
                finite("a prompt's log-probs", sample.log_probs.iter().copied())?;
                if !sample.log_probs.is_empty() {
                    same_count("tokens and log-probs", sample.tokens.len(), sample.log_probs.len())?;
                }
            }
            Ok(())
        })
    }

    /// See [`crate::TrainablePromptGenerator::log_probs`].
    ///
    /// # Errors
    /// As there, and `ContractViolation` for a wrong shape or a value that is no log-probability.
    pub fn log_probs(
        &self,
        policy: Policy,
        answers: &[ConditionedAnswer],
        cx: &CallContext<'_>,
    ) -> Result<Vec<Vec<f64>>> {
        let request = LogProbsRequest { policy, answers };
        let replies: Vec<Vec<f64>> = call(&*self.0, method::PROMPT_LOG_PROBS, &request, cx)?;
        same_count(method::PROMPT_LOG_PROBS, answers.len(), replies.len())?;
        for (answer, reply) in answers.iter().zip(&replies) {
            same_count("tokens and log-probs", answer.tokens.len(), reply.len())?;
            finite("log-probs", reply.iter().copied())?;
        }
        Ok(replies)
    }

    /// See [`crate::TrainablePromptGenerator::set_reference`].
    ///
    /// # Errors
    /// As there.
    pub fn set_reference(&self, cx: &CallContext<'_>) -> Result<()> {
        call(&*self.0, method::PROMPT_SET_REFERENCE, &(), cx)
    }

    /// See [`crate::TrainablePromptGenerator::accumulate_instructions`].
    ///
    /// # Errors
    /// As there, and `Unsupported` from a component that was built before contract 1.1.
    pub fn accumulate_instructions(
        &self,
        examples: &[Instruction],
        options: &GradientOptions,
        cx: &CallContext<'_>,
    ) -> Result<TrainingReport> {
        let request = GradientRequest { examples, options: *options };
        call(&*self.0, method::PROMPT_ACCUMULATE_INSTRUCTIONS, &request, cx)
    }

    /// See [`crate::TrainablePromptGenerator::instruction_losses`].
    ///
    /// # Errors
    /// As there, `Unsupported` from a component that was built before contract 1.1, and `ContractViolation` for another number of
    /// losses or one that is no number.
    pub fn instruction_losses(&self, examples: &[Instruction], cx: &CallContext<'_>) -> Result<Vec<f64>> {
        let losses: Vec<f64> = call(&*self.0, method::PROMPT_INSTRUCTION_LOSSES, &examples, cx)?;
        same_count(method::PROMPT_INSTRUCTION_LOSSES, examples.len(), losses.len())?;
        finite("losses", losses.iter().copied())?;
        Ok(losses)
    }

    /// The calls of its trainable half.
    pub fn training(&self) -> TrainingClient<AnswerGradient> {
        TrainingClient::new(Arc::clone(&self.0))
    }
}

impl BackgroundClient {
    /// See [`crate::BackgroundGenerator::generate_batch`].
    ///
    /// # Errors
    /// Of the whole call; each item has its own result.
    pub fn generate(
        &self,
        requests: &[BackgroundRequest],
        cx: &CallContext<'_>,
    ) -> Result<Vec<Result<Creative>>> {
        batch(&*self.0, method::BACKGROUND_GENERATE, requests, cx, |request, creative: &Creative| {
            let (image, placement) = (&creative.image, &creative.placement);
            let size = (image.width(), image.height());
            if size != request.size() || image.format() != PixelFormat::Rgb8 {
                return Err(PluginError::violation(format!(
                    "a creative of {}x{} RGB pixels was asked for, and {}x{} {:?} came back",
                    request.width,
                    request.height,
                    size.0,
                    size.1,
                    image.format()
                )));
            }
            if placement.width == 0
                || placement.height == 0
                || placement.width.max(placement.height) > crate::MAX_SIDE
            {
                return Err(PluginError::violation(format!(
                    "a placement of an impossible size: {placement:?}"
                )));
            }
            Ok(())
        })
    }
}

impl RewardClient {
    /// See [`crate::RewardModel::compare_batch`].
    ///
    /// # Errors
    /// Of the whole call; each item has its own result.
    pub fn compare(&self, pairs: &[PairRequest], cx: &CallContext<'_>) -> Result<Vec<Result<Preference>>> {
        batch(&*self.0, method::REWARD_COMPARE, pairs, cx, |_, p: &Preference| {
            in_unit_interval("the probability of the left creative", p.left)
        })
    }

    /// See [`crate::RewardModel::score_batch`].
    ///
    /// # Errors
    /// Of the whole call; each item has its own result.
    pub fn score(&self, requests: &[ScoreRequest], cx: &CallContext<'_>) -> Result<Vec<Result<PointScore>>> {
        batch(&*self.0, method::REWARD_SCORE, requests, cx, |_, s: &PointScore| {
            in_unit_interval("a predicted CTR", s.ctr)?;
            finite("a score's parts", s.parts.values().copied())
        })
    }

    /// The calls of its trainable half.
    pub fn training(&self) -> TrainingClient<LabelledPair> {
        TrainingClient::new(Arc::clone(&self.0))
    }
}

/// Calls the trainable half of a component that learns from `E`.
pub struct TrainingClient<E> {
    endpoint: Arc<dyn Endpoint>,
    _learns_from: PhantomData<fn(E)>,
}

impl<E: Serialize> TrainingClient<E> {
    fn new(endpoint: Arc<dyn Endpoint>) -> Self {
        Self { endpoint, _learns_from: PhantomData }
    }

    /// See [`crate::Trainable::accumulate_gradient`].
    ///
    /// # Errors
    /// As there.
    pub fn accumulate_gradient(
        &self,
        examples: &[E],
        options: &GradientOptions,
        cx: &CallContext<'_>,
    ) -> Result<TrainingReport> {
        let request = GradientRequest { examples, options: *options };
        call(&*self.endpoint, method::TRAIN_ACCUMULATE, &request, cx)
    }

    /// See [`crate::Trainable::step`].
    ///
    /// # Errors
    /// As there.
    pub fn step(&self, options: &TrainingOptions, cx: &CallContext<'_>) -> Result<TrainingReport> {
        call(&*self.endpoint, method::TRAIN_STEP, options, cx)
    }

    /// See [`crate::Trainable::clear_gradient`].
    ///
    /// # Errors
    /// As there.
    pub fn clear_gradient(&self, cx: &CallContext<'_>) -> Result<()> {
        call(&*self.endpoint, method::TRAIN_CLEAR, &(), cx)
    }

    /// See [`crate::Trainable::save`]; a relative directory is taken from this process's.
    ///
    /// # Errors
    /// As there.
    pub fn save(&self, directory: &Path, cx: &CallContext<'_>) -> Result<()> {
        call(&*self.endpoint, method::TRAIN_SAVE, &std::path::absolute(directory)?, cx)
    }

    /// See [`crate::Trainable::load`]; a relative directory is taken from this process's.
    ///
    /// # Errors
    /// As there.
    pub fn load(&self, directory: &Path, cx: &CallContext<'_>) -> Result<()> {
        call(&*self.endpoint, method::TRAIN_LOAD, &std::path::absolute(directory)?, cx)
    }
}

impl OptimizerClient {
    /// See [`crate::RlOptimizer::needs`].
    ///
    /// # Errors
    /// Of the call.
    pub fn needs(&self, cx: &CallContext<'_>) -> Result<OptimizerNeeds> {
        call(&*self.0, method::OPTIMIZER_NEEDS, &(), cx)
    }

    /// See [`crate::RlOptimizer::loss`].
    ///
    /// # Errors
    /// As there, and `ContractViolation` for a gradient of another shape or a loss that is not finite.
    pub fn loss(&self, batch: &PreferenceBatch, cx: &CallContext<'_>) -> Result<LossAndGradient> {
        let reply: LossAndGradient = call(&*self.0, method::OPTIMIZER_LOSS, batch, cx)?;
        finite("the loss", [reply.loss])?;
        same_count("groups of gradients", batch.groups.len(), reply.groups.len())?;
        for (group, gradients) in batch.groups.iter().zip(&reply.groups) {
            same_count("gradients of a group", group.len(), gradients.len())?;
            for (sample, gradient) in group.iter().zip(gradients) {
                same_count("gradients of a sample", sample.clean.current.len(), gradient.clean.len())?;
                same_count("corrupted conditions", sample.corrupted.len(), gradient.corrupted.len())?;
                for (probs, by_probs) in sample.corrupted.iter().zip(&gradient.corrupted) {
                    same_count("gradients of a corrupted sample", probs.current.len(), by_probs.len())?;
                }
                finite(
                    "a gradient",
                    gradient.clean.iter().chain(gradient.corrupted.iter().flatten()).copied(),
                )?;
            }
        }
        Ok(reply)
    }
}

impl EmbedderClient {
    /// See [`crate::ImageEmbedder::describe`].
    ///
    /// # Errors
    /// Of the call.
    pub fn describe(&self, cx: &CallContext<'_>) -> Result<EncoderInfo> {
        call(&*self.0, method::EMBEDDER_DESCRIBE, &(), cx)
    }

    /// See [`crate::ImageEmbedder::embed_batch`].
    ///
    /// # Errors
    /// Of the whole call; each item has its own result.
    pub fn embed(&self, requests: &[EmbedRequest], cx: &CallContext<'_>) -> Result<Vec<Result<Embedding>>> {
        batch(&*self.0, method::EMBEDDER_EMBED, requests, cx, |_, embedding: &Embedding| {
            finite("a feature vector", embedding.vector.iter().map(|&v| f64::from(v)))?;
            for map in &embedding.spatial {
                same_count("values of a feature map", values_of(map), map.values.len())?;
                finite("a feature map", map.values.iter().map(|&v| f64::from(v)))?;
            }
            Ok(())
        })
    }
}
