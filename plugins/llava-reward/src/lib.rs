//! Reference plugin of adeval: `llava-reward` judges pairs of creatives with the reward model of CAIG (arXiv 2502.06823): a LLaVA
//! that sees both side by side and is asked which of them users prefer, with one linear head for the side and one for the
//! click-through rates.
//!
//! The paper shows a pair in one order. Whoever wants no liking for a side sets `orders` to `both`, or asks both orders as the
//! host does.
//!
//! No weights come with it, and none are published: a base LLaVA is refused, because its heads are missing, unless it is given new ones
//! to be trained. What training changes beside them is a LoRA of the language model, or, of a small model, everything.

mod model;
mod parameters;
mod subject;
mod train;

pub use adeval_candle::training::Train;
pub use parameters::{HeadsFrom, Orders, Parameters, Question};

use std::sync::{Mutex, PoisonError};

use adeval_candle::llava::Place;
use adeval_candle::{device, plugin_error};
use adeval_models::llava::reward::{Pair, Questions};
use adeval_sdk::prelude::*;

use model::Model;
use subject::subject;

/// The component.
pub struct LlavaReward {
    parameters: Parameters,
    /// One batch at a time: the network takes all cores, or the whole card.
    model: Mutex<Model>,
}

impl Component for LlavaReward {
    type Parameters = Parameters;

    fn info() -> ComponentInfo {
        let mut info = ComponentInfo::new(
            "llava-reward",
            "Judges pairs of creatives by a LLaVA with a head for the side and one for click-through rates, as in CAIG",
        )
        .weights(
            "none inside: the parameter checkpoint names a local path or a hub id of a LLaVA with both heads, under the licence of \
             its authors",
        );
        info.devices.extend(device::extra());
        info
    }

    fn create(parameters: Parameters, environment: &Environment) -> Result<Self> {
        Self::create_watched(parameters, environment, &CallContext::detached())
    }

    fn create_watched(
        parameters: Parameters,
        environment: &Environment,
        cx: &CallContext<'_>,
    ) -> Result<Self> {
        parameters.validate()?;
        let (named, adapter) = (parameters.checkpoint.as_deref(), parameters.adapter.as_deref());
        let place = Place::find("llava-reward", "a LLaVA with both heads", named, adapter, environment)?;
        let questions = match &parameters.questions {
            Some(path) => Questions::read(path, parameters.question.into()),
            None => Questions::own(parameters.question.into()),
        };
        let questions = questions.map_err(|error| PluginError::invalid_parameters(error.to_string()))?;
        let model = Model::load(&parameters, environment, &place, questions, cx)?;
        Ok(Self { parameters, model: Mutex::new(model) })
    }
}

impl LlavaReward {
    /// Judges as many pairs at a time as `batch` says, and looks between batches whether it is to stop. A pair that cannot be
    /// judged costs itself only.
    fn judged<T, R>(
        &self,
        requests: &[T],
        cx: &CallContext<'_>,
        judge: impl Fn(&mut Model, &[&T]) -> Vec<Result<R>>,
    ) -> Vec<Result<R>> {
        // A panic while the lock was held left nothing half done: the model is not changed by a run.
        let model = &mut *self.model.lock().unwrap_or_else(PoisonError::into_inner);
        let mut results = Vec::with_capacity(requests.len());
        for batch in requests.chunks(self.parameters.batch as usize) {
            if let Err(error) = cx.check() {
                results.extend(batch.iter().map(|_| Err(error.clone())));
                continue;
            }
            let batch: Vec<&T> = batch.iter().collect();
            let mut judged = judge(model, &batch);
            if batch.len() > 1 && judged.iter().any(Result::is_err) {
                // One of them is at fault: alone each gets its own answer.
                judged = batch.iter().flat_map(|request| judge(model, &[request])).collect();
            }
            results.extend(judged);
            cx.progress(results.len() as f32 / requests.len() as f32, &format!("{} judged", results.len()));
        }
        results
    }
}

/// The same answer or the same error for each of a batch.
fn spread<A, R>(count: usize, answers: Result<Vec<A>>, each: impl Fn(A) -> R) -> Vec<Result<R>> {
    match answers {
        Ok(answers) => answers.into_iter().map(|answer| Ok(each(answer))).collect(),
        Err(error) => (0..count).map(|_| Err(error.clone())).collect(),
    }
}

impl RewardModel for LlavaReward {
    fn compare(&self, pair: &PairRequest, cx: &CallContext<'_>) -> Result<Preference> {
        self.compare_batch(std::slice::from_ref(pair), cx).swap_remove(0)
    }

    fn score(&self, request: &ScoreRequest, cx: &CallContext<'_>) -> Result<PointScore> {
        self.score_batch(std::slice::from_ref(request), cx).swap_remove(0)
    }

    fn compare_batch(&self, pairs: &[PairRequest], cx: &CallContext<'_>) -> Vec<Result<Preference>> {
        let (orders, wording) = (self.parameters.orders.into(), self.parameters.wording);
        self.judged(pairs, cx, |model, batch| {
            let seen: Vec<_> = batch
                .iter()
                .map(|pair| (pair.left.to_rgb(), pair.right.to_rgb(), subject(&pair.product)))
                .collect();
            let pairs: Vec<Pair> = seen
                .iter()
                .map(|(left, right, subject)| Pair { left, right, subject, seed: wording })
                .collect();
            let judged = model.compare(&pairs, orders).map_err(plugin_error);
            spread(batch.len(), judged, |judgement| Preference { left: judgement.left })
        })
    }

    fn score_batch(&self, requests: &[ScoreRequest], cx: &CallContext<'_>) -> Vec<Result<PointScore>> {
        let wording = self.parameters.wording;
        self.judged(requests, cx, |model, batch| {
            let seen: Vec<_> =
                batch.iter().map(|request| (request.creative.to_rgb(), subject(&request.product))).collect();
            let creatives: Vec<_> =
                seen.iter().map(|(creative, subject)| (creative, subject, wording)).collect();
            let rates = model.judge.rates(&creatives).map_err(plugin_error);
            // The head is not bounded; a rate is.
            spread(batch.len(), rates, |rate| PointScore {
                ctr: rate.clamp(0.0, 1.0),
                parts: [("point_head".to_owned(), rate)].into(),
            })
        })
    }
}

export_plugin! { trainable_reward_model: [LlavaReward] }
