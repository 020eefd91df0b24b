//! A living component behind one call: method name, message in, message out.
//!
//! [`Endpoint`] is the narrow waist of adeval. A component in this process, one behind the ABI of a
//! library and one in a worker are all endpoints, and [`crate::client`] makes typed calls of any of them.

use crate::{
    BackgroundGenerator, BackgroundRequest, CallContext, ErrorKind, ImageEmbedder, Message, PluginError,
    Policy, PromptGenerator, PromptRequest, Result, RewardModel, RlOptimizer, TrainablePromptGenerator,
    TrainableRewardModel, decode, encode,
};
use serde::{Deserialize, Serialize};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

/// One living component.
pub trait Endpoint: Send + Sync {
    /// Calls a method, one of [`method`].
    ///
    /// # Errors
    /// Whatever the component answers; `Unsupported` for a method that it does not have.
    fn call(&self, method: &str, message: Message, cx: &CallContext<'_>) -> Result<Message>;
}

/// The methods of the contract. The part before the dot is the kind.
pub mod method {
    /// `[PromptRequest] -> [Result<[PromptSample]>]`
    pub const PROMPT_GENERATE: &str = "prompt.generate";
    /// `LogProbsRequest -> [[f64]]`
    pub const PROMPT_LOG_PROBS: &str = "prompt.log_probs";
    /// `[AnswerGradient] -> ()`
    pub const PROMPT_ACCUMULATE: &str = "prompt.accumulate_gradient";
    /// `TrainingOptions -> TrainingReport`
    pub const PROMPT_STEP: &str = "prompt.step";
    /// `() -> ()`
    pub const PROMPT_SET_REFERENCE: &str = "prompt.set_reference";
    /// `path -> ()`
    pub const PROMPT_SAVE: &str = "prompt.save";
    /// `path -> ()`
    pub const PROMPT_LOAD: &str = "prompt.load";
    /// `[BackgroundRequest] -> [Result<Creative>]`
    pub const BACKGROUND_GENERATE: &str = "background.generate";
    /// `[PairRequest] -> [Result<Preference>]`
    pub const REWARD_COMPARE: &str = "reward.compare";
    /// `[ScoreRequest] -> [Result<PointScore>]`
    pub const REWARD_SCORE: &str = "reward.score";
    /// `[LabelledPair] -> TrainingReport`
    pub const REWARD_ACCUMULATE: &str = "reward.accumulate_gradient";
    /// `TrainingOptions -> TrainingReport`
    pub const REWARD_STEP: &str = "reward.step";
    /// `path -> ()`
    pub const REWARD_SAVE: &str = "reward.save";
    /// `path -> ()`
    pub const REWARD_LOAD: &str = "reward.load";
    /// `() -> OptimizerNeeds`
    pub const OPTIMIZER_NEEDS: &str = "optimizer.needs";
    /// `PreferenceBatch -> LossAndGradient`
    pub const OPTIMIZER_LOSS: &str = "optimizer.loss";
    /// `() -> EncoderInfo`
    pub const EMBEDDER_DESCRIBE: &str = "embedder.describe";
    /// `[EmbedRequest] -> [Result<Embedding>]`
    pub const EMBEDDER_EMBED: &str = "embedder.embed";
}

/// The body of [`method::PROMPT_LOG_PROBS`].
#[derive(Serialize, Deserialize)]
pub(crate) struct LogProbsRequest {
    pub policy: Policy,
    pub answers: Vec<crate::ConditionedAnswer>,
}

/// A component, its lock, and how its methods are served.
struct Served<T> {
    /// Plain calls share the component; training calls have it alone.
    component: RwLock<T>,
    serve: fn(&Self, &str, Message, &CallContext<'_>) -> Result<Message>,
}

impl<T: Send + Sync> Endpoint for Served<T> {
    fn call(&self, method: &str, message: Message, cx: &CallContext<'_>) -> Result<Message> {
        // A panic must not reach the frontier, where it would end the process.
        catch_unwind(AssertUnwindSafe(|| (self.serve)(self, method, message, cx)))
            .unwrap_or_else(|panic| Err(panicked(method, panic.as_ref())))
    }
}

/// The typed error for a caught panic.
pub(crate) fn panicked(method: &str, panic: &(dyn std::any::Any + Send)) -> PluginError {
    let text = panic
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".into());
    PluginError::new(ErrorKind::Panicked, format!("{method}: {text}"))
}

/// A training call that panicked may have left half-made parameters.
fn poisoned<G>(_: PoisonError<G>) -> PluginError {
    PluginError::new(
        ErrorKind::Panicked,
        "an earlier training call panicked and left the component in an unknown state",
    )
    .with_hint("create it anew and load its last save")
}

impl<T> Served<T> {
    fn read<R: Serialize>(&self, work: impl FnOnce(&T) -> Result<R>) -> Result<Message> {
        encode(&work(&*self.component.read().map_err(poisoned)?)?)
    }

    fn write<R: Serialize>(&self, work: impl FnOnce(&mut T) -> Result<R>) -> Result<Message> {
        encode(&work(&mut *self.component.write().map_err(poisoned)?)?)
    }
}

fn unknown(method: &str) -> Result<Message> {
    Err(PluginError::unsupported(format!("this component has no method \"{method}\"")))
}

/// Serves a prompt generator.
pub fn prompt_generator<T: PromptGenerator>(component: T) -> Box<dyn Endpoint> {
    Box::new(Served { component: RwLock::new(component), serve: serve_prompt })
}

fn serve_prompt<T: PromptGenerator>(
    s: &Served<T>,
    name: &str,
    m: Message,
    cx: &CallContext<'_>,
) -> Result<Message> {
    match name {
        method::PROMPT_GENERATE => {
            let requests: Vec<PromptRequest> = decode(m)?;
            s.read(|c| {
                requests.iter().try_for_each(PromptRequest::validate)?;
                Ok(c.generate_batch(&requests, cx))
            })
        }
        _ => unknown(name),
    }
}

/// Serves a prompt generator that can be trained.
pub fn trainable_prompt_generator<T: TrainablePromptGenerator>(component: T) -> Box<dyn Endpoint> {
    Box::new(Served { component: RwLock::new(component), serve: serve_trainable_prompt })
}

fn serve_trainable_prompt<T: TrainablePromptGenerator>(
    s: &Served<T>,
    name: &str,
    m: Message,
    cx: &CallContext<'_>,
) -> Result<Message> {
    match name {
        method::PROMPT_LOG_PROBS => {
            let LogProbsRequest { policy, answers } = decode(m)?;
            s.read(|c| c.log_probs(policy, &answers, cx))
        }
        method::PROMPT_ACCUMULATE => {
            let items: Vec<_> = decode(m)?;
            s.write(|c| c.accumulate_gradient(&items, cx))
        }
        method::PROMPT_STEP => {
            let options = decode(m)?;
            s.write(|c| c.step(&options, cx))
        }
        method::PROMPT_SET_REFERENCE => s.write(T::set_reference),
        method::PROMPT_SAVE => {
            let path: PathBuf = decode(m)?;
            s.read(|c| c.save(Path::new(&path)))
        }
        method::PROMPT_LOAD => {
            let path: PathBuf = decode(m)?;
            s.write(|c| c.load(Path::new(&path)))
        }
        _ => serve_prompt(s, name, m, cx),
    }
}

/// Serves a background generator.
pub fn background_generator<T: BackgroundGenerator>(component: T) -> Box<dyn Endpoint> {
    Box::new(Served { component: RwLock::new(component), serve: serve_background })
}

fn serve_background<T: BackgroundGenerator>(
    s: &Served<T>,
    name: &str,
    m: Message,
    cx: &CallContext<'_>,
) -> Result<Message> {
    match name {
        method::BACKGROUND_GENERATE => {
            let requests: Vec<BackgroundRequest> = decode(m)?;
            s.read(|c| {
                requests.iter().try_for_each(BackgroundRequest::validate)?;
                Ok(c.generate_batch(&requests, cx))
            })
        }
        _ => unknown(name),
    }
}

/// Serves a reward model.
pub fn reward_model<T: RewardModel>(component: T) -> Box<dyn Endpoint> {
    Box::new(Served { component: RwLock::new(component), serve: serve_reward })
}

fn serve_reward<T: RewardModel>(
    s: &Served<T>,
    name: &str,
    m: Message,
    cx: &CallContext<'_>,
) -> Result<Message> {
    match name {
        method::REWARD_COMPARE => {
            let pairs: Vec<_> = decode(m)?;
            s.read(|c| Ok(c.compare_batch(&pairs, cx)))
        }
        method::REWARD_SCORE => {
            let requests: Vec<_> = decode(m)?;
            s.read(|c| Ok(c.score_batch(&requests, cx)))
        }
        _ => unknown(name),
    }
}

/// Serves a reward model that can be trained.
pub fn trainable_reward_model<T: TrainableRewardModel>(component: T) -> Box<dyn Endpoint> {
    Box::new(Served { component: RwLock::new(component), serve: serve_trainable_reward })
}

fn serve_trainable_reward<T: TrainableRewardModel>(
    s: &Served<T>,
    name: &str,
    m: Message,
    cx: &CallContext<'_>,
) -> Result<Message> {
    match name {
        method::REWARD_ACCUMULATE => {
            let pairs: Vec<_> = decode(m)?;
            s.write(|c| c.accumulate_gradient(&pairs, cx))
        }
        method::REWARD_STEP => {
            let options = decode(m)?;
            s.write(|c| c.step(&options, cx))
        }
        method::REWARD_SAVE => {
            let path: PathBuf = decode(m)?;
            s.read(|c| c.save(Path::new(&path)))
        }
        method::REWARD_LOAD => {
            let path: PathBuf = decode(m)?;
            s.write(|c| c.load(Path::new(&path)))
        }
        _ => serve_reward(s, name, m, cx),
    }
}

/// Serves an RL optimizer.
pub fn rl_optimizer<T: RlOptimizer>(component: T) -> Box<dyn Endpoint> {
    Box::new(Served { component: RwLock::new(component), serve: serve_optimizer })
}

fn serve_optimizer<T: RlOptimizer>(
    s: &Served<T>,
    name: &str,
    m: Message,
    cx: &CallContext<'_>,
) -> Result<Message> {
    match name {
        method::OPTIMIZER_NEEDS => s.read(|c| Ok(c.needs())),
        method::OPTIMIZER_LOSS => {
            let batch: crate::PreferenceBatch = decode(m)?;
            s.read(|c| {
                batch.validate(&c.needs())?;
                c.loss(&batch, cx)
            })
        }
        _ => unknown(name),
    }
}

/// Serves an image embedder.
pub fn image_embedder<T: ImageEmbedder>(component: T) -> Box<dyn Endpoint> {
    Box::new(Served { component: RwLock::new(component), serve: serve_embedder })
}

fn serve_embedder<T: ImageEmbedder>(
    s: &Served<T>,
    name: &str,
    m: Message,
    cx: &CallContext<'_>,
) -> Result<Message> {
    match name {
        method::EMBEDDER_DESCRIBE => s.read(|c| Ok(c.describe())),
        method::EMBEDDER_EMBED => {
            let requests: Vec<_> = decode(m)?;
            s.read(|c| Ok(c.embed_batch(&requests, cx)))
        }
        _ => unknown(name),
    }
}
