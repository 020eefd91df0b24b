//! A living component behind one call: method name, message in, message out.
//!
//! [`Endpoint`] is the narrow waist of adeval. A component in this process, one behind the ABI of a
//! library and one in a worker are all endpoints, and [`crate::client`] makes typed calls of any of them.

use crate::{
    BackgroundGenerator, BackgroundRequest, CallContext, Component, ErrorKind, GradientOptions,
    ImageEmbedder, Message, PluginError, Policy, PromptGenerator, PromptRequest, Result, RewardModel,
    RlOptimizer, Trainable, TrainablePromptGenerator, TrainableRewardModel, TrainingOptions, decode, encode,
};
use serde::{Deserialize, Serialize};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{PoisonError, RwLock};

/// One living component.
pub trait Endpoint: Send + Sync {
    /// Calls a method, one of [`method`].
    ///
    /// # Errors
    /// Whatever the component answers; `Unsupported` for a method that it does not have.
    fn call(&self, method: &str, message: Message, cx: &CallContext<'_>) -> Result<Message>;
}

/// The methods of the contract. The part before the dot is the kind; `train` belongs to the trainable components of
/// every kind.
pub mod method {
    /// `WarmUp -> ()`, of every kind; since contract 1.1.
    pub const WARM_UP: &str = "component.warm_up";
    /// `[PromptRequest] -> [Result<[PromptSample]>]`
    pub const PROMPT_GENERATE: &str = "prompt.generate";
    /// `{ policy, answers: [ConditionedAnswer] } -> [[f64]]`
    pub const PROMPT_LOG_PROBS: &str = "prompt.log_probs";
    /// `() -> ()`
    pub const PROMPT_SET_REFERENCE: &str = "prompt.set_reference";
    /// `{ examples: [Instruction], options: GradientOptions } -> TrainingReport`; since contract 1.1.
    pub const PROMPT_ACCUMULATE_INSTRUCTIONS: &str = "prompt.accumulate_instructions";
    /// `[Instruction] -> [f64]`; since contract 1.1.
    pub const PROMPT_INSTRUCTION_LOSSES: &str = "prompt.instruction_losses";
    /// `[BackgroundRequest] -> [Result<Creative>]`
    pub const BACKGROUND_GENERATE: &str = "background.generate";
    /// `[PairRequest] -> [Result<Preference>]`
    pub const REWARD_COMPARE: &str = "reward.compare";
    /// `[ScoreRequest] -> [Result<PointScore>]`
    pub const REWARD_SCORE: &str = "reward.score";
    /// `() -> OptimizerNeeds`
    pub const OPTIMIZER_NEEDS: &str = "optimizer.needs";
    /// `PreferenceBatch -> LossAndGradient`
    pub const OPTIMIZER_LOSS: &str = "optimizer.loss";
    /// `() -> EncoderInfo`
    pub const EMBEDDER_DESCRIBE: &str = "embedder.describe";
    /// `[EmbedRequest] -> [Result<Embedding>]`
    pub const EMBEDDER_EMBED: &str = "embedder.embed";
    /// `{ examples: [AnswerGradient or LabelledPair], options: GradientOptions } -> TrainingReport`
    pub const TRAIN_ACCUMULATE: &str = "train.accumulate_gradient";
    /// `TrainingOptions -> TrainingReport`
    pub const TRAIN_STEP: &str = "train.step";
    /// `() -> ()`
    pub const TRAIN_CLEAR: &str = "train.clear_gradient";
    /// `path -> ()`
    pub const TRAIN_SAVE: &str = "train.save";
    /// `path -> ()`
    pub const TRAIN_LOAD: &str = "train.load";
}

/// The body of [`method::PROMPT_LOG_PROBS`]: a list of `ConditionedAnswer`, borrowed or owned.
#[derive(Serialize, Deserialize)]
pub(crate) struct LogProbsRequest<L> {
    pub policy: Policy,
    pub answers: L,
}

/// The body of [`method::TRAIN_ACCUMULATE`] and of [`method::PROMPT_ACCUMULATE_INSTRUCTIONS`]: a list of examples, borrowed or owned.
#[derive(Serialize, Deserialize)]
pub(crate) struct GradientRequest<L> {
    pub examples: L,
    pub options: GradientOptions,
}

/// A component, its lock, and how its methods are served.
struct Served<T> {
    /// Plain calls share the component; training calls have it alone.
    component: RwLock<T>,
    serve: fn(&Self, &str, Message, &CallContext<'_>) -> Result<Message>,
}

impl<T: Component> Endpoint for Served<T> {
    fn call(&self, method: &str, message: Message, cx: &CallContext<'_>) -> Result<Message> {
        // A panic must not reach the frontier, where it would end the process.
        catch_unwind(AssertUnwindSafe(|| match method {
            method::WARM_UP => {
                let ahead = decode(message)?;
                self.read(|component| component.warm_up(&ahead, cx))
            }
            _ => (self.serve)(self, method, message, cx),
        }))
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

/// Runs a batch without its invalid requests, which are answered with what is wrong with each.
fn valid_only<Q, R>(
    requests: Vec<Q>,
    validate: fn(&Q) -> Result<()>,
    run: impl Fn(&[Q]) -> Vec<Result<R>>,
) -> Result<Vec<Result<R>>> {
    let counted = |requests: &[Q]| {
        let results = run(requests);
        let (asked, got) = (requests.len(), results.len());
        if asked == got {
            return Ok(results);
        }
        Err(PluginError::violation(format!("a batch of {asked} requests was answered with {got} results")))
    };
    let verdicts: Vec<Result<()>> = requests.iter().map(validate).collect();
    if verdicts.iter().all(Result::is_ok) {
        return counted(&requests);
    }
    let valid: Vec<Q> =
        requests.into_iter().zip(&verdicts).filter_map(|(q, v)| v.is_ok().then_some(q)).collect();
    let mut results = counted(&valid)?.into_iter();
    let answer = |verdict| match verdict {
        Ok(()) => results.next(),
        Err(error) => Some(Err(error)),
    };
    Ok(verdicts.into_iter().filter_map(answer).collect())
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
            let requests = decode(m)?;
            s.read(|c| valid_only(requests, PromptRequest::validate, |r| c.generate_batch(r, cx)))
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
            let LogProbsRequest::<Vec<_>> { policy, answers } = decode(m)?;
            s.read(|c| c.log_probs(policy, &answers, cx))
        }
        method::PROMPT_SET_REFERENCE => s.write(T::set_reference),
        method::PROMPT_ACCUMULATE_INSTRUCTIONS => {
            let GradientRequest::<Vec<_>> { examples, options } = decode(m)?;
            options.validate()?;
            s.write(|c| c.accumulate_instructions(&examples, &options, cx))
        }
        method::PROMPT_INSTRUCTION_LOSSES => {
            let examples: Vec<_> = decode(m)?;
            s.read(|c| c.instruction_losses(&examples, cx))
        }
        _ if name.starts_with("train.") => serve_training(s, name, m, cx),
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
            let requests = decode(m)?;
            s.read(|c| valid_only(requests, BackgroundRequest::validate, |r| c.generate_batch(r, cx)))
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
    if name.starts_with("train.") { serve_training(s, name, m, cx) } else { serve_reward(s, name, m, cx) }
}

/// What all trainable components share.
fn serve_training<T: Trainable>(
    s: &Served<T>,
    name: &str,
    m: Message,
    cx: &CallContext<'_>,
) -> Result<Message> {
    match name {
        method::TRAIN_ACCUMULATE => {
            let GradientRequest::<Vec<_>> { examples, options } = decode(m)?;
            options.validate()?;
            s.write(|c| c.accumulate_gradient(&examples, &options, cx))
        }
        method::TRAIN_STEP => {
            let options: TrainingOptions = decode(m)?;
            options.validate()?;
            s.write(|c| c.step(&options, cx))
        }
        method::TRAIN_CLEAR => s.write(T::clear_gradient),
        method::TRAIN_SAVE => {
            let directory: PathBuf = decode(m)?;
            s.read(|c| c.save(&directory, cx))
        }
        method::TRAIN_LOAD => {
            let directory: PathBuf = decode(m)?;
            s.write(|c| c.load(&directory, cx))
        }
        _ => unknown(name),
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
