//! A component around a network: judging, learning, saves. What differs between the three is a [`Ranker`].

use crate::checkpoint::Saver;
use crate::encoder::Encoder;
use crate::loss::Said;
use crate::network::{Network, Sight, judge};
use adeval_models::training::{AdamW, AdamWConfig, sigmoid};
use adeval_sdk::prelude::*;
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use std::path::Path;

/// Pairs or creatives that are looked at together; between two such groups the host may stop the call.
const GROUP: usize = 16;

/// A creative, with the product that it shows.
pub type Shown<'a> = (&'a Product, &'a Image);

/// Parameters that all three have.
#[derive(Debug, Clone, Copy)]
pub struct Common {
    pub seed: u64,
    pub base_ctr: f64,
    pub point_weight: f64,
}

impl Common {
    /// The logit of the CTR that an untrained model predicts.
    pub fn base_logit(&self) -> f64 {
        (self.base_ctr / (1.0 - self.base_ctr)).ln()
    }

    /// Checks the ranges that the schemas state, for callers that come without them.
    fn check(&self, id: &str) -> Result<()> {
        within(id, "base_ctr", self.base_ctr, 0.0001, 0.9999)?;
        within(id, "point_weight", self.point_weight, 0.0, 1e6)
    }
}

/// An error for a parameter out of its range.
pub fn within(id: &str, name: &str, value: f64, low: f64, high: f64) -> Result<()> {
    if (low..=high).contains(&value) {
        return Ok(());
    }
    let message = format!("{id}: {name} is {value}, it must be between {low} and {high}");
    Err(PluginError::invalid_parameters(message))
}

/// What differs between the three components.
pub trait Ranker: Sized + Send + Sync + 'static {
    /// The component's id.
    const ID: &'static str;
    /// What a user can set.
    type Parameters: DeserializeOwned + Serialize + JsonSchema + Default;
    /// What judges.
    type Network: Network;

    /// What the component says of itself.
    fn info() -> ComponentInfo;

    /// The parameters that all have.
    fn common(parameters: &Self::Parameters) -> Common;

    /// Checks the other parameters, and opens what is needed.
    fn open(parameters: &Self::Parameters, environment: &Environment, cx: &CallContext<'_>) -> Result<Self>;

    /// The network.
    fn network(&self) -> &Self::Network;

    /// The frozen encoder, if there is one.
    fn encoder(&self) -> Option<&Encoder>;

    /// Each creative as the network sees it; one at fault costs itself only.
    fn look(
        &self,
        creatives: &[Shown<'_>],
        cx: &CallContext<'_>,
    ) -> Vec<Result<Sight<<Self::Network as Network>::Seen>>>;
}

/// A trainable reward model.
pub struct Trained<R> {
    pub ranker: R,
    pub common: Common,
    pub weights: Vec<f32>,
    /// In double precision, so that calls add up.
    pub gradient: Vec<f64>,
    pub optimizer: AdamW,
}

impl<R: Ranker> Trained<R> {
    pub fn saver(&self) -> Saver<'_> {
        Saver { component: R::ID, layout: self.ranker.network().layout(), encoder: self.ranker.encoder() }
    }

    /// Weights that are trained, and all that a judgement takes.
    pub fn counts(&self) -> (u64, u64) {
        let trained = self.weights.len() as u64;
        (trained, trained + self.ranker.encoder().map_or(0, |encoder| encoder.weights))
    }

    fn judged(&self, shown: &[Shown<'_>], cx: &CallContext<'_>) -> Vec<Result<Said>> {
        let sights = self.ranker.look(shown, cx);
        let judged = sights.into_par_iter().zip(shown).map(|(sight, (product, _))| {
            cx.check()?;
            let said = judge(self.ranker.network(), &self.weights, &sight?.seen);
            if said.strength.is_finite() && said.logit.is_finite() {
                return Ok(said);
            }
            let message =
                format!("{}: what it says of a creative of \"{}\" is not finite", R::ID, product.id);
            Err(PluginError::new(ErrorKind::Numerical, message)
                .with_hint("load an earlier save, and train at a lower rate"))
        });
        judged.collect()
    }
}

impl<R: Ranker> Component for Trained<R> {
    type Parameters = R::Parameters;

    fn info() -> ComponentInfo {
        R::info()
    }

    fn create(parameters: R::Parameters, environment: &Environment) -> Result<Self> {
        Self::create_watched(parameters, environment, &CallContext::detached())
    }

    /// Loads a directory that `save` wrote when `environment.weights` names one.
    fn create_watched(
        parameters: R::Parameters,
        environment: &Environment,
        cx: &CallContext<'_>,
    ) -> Result<Self> {
        let common = R::common(&parameters);
        common.check(R::ID)?;
        let ranker = R::open(&parameters, environment, cx)?;
        let weights = ranker.network().layout().initial(common.seed);
        let gradient = vec![0.0; weights.len()];
        let optimizer = AdamW::new(AdamWConfig::default());
        let mut made = Self { ranker, common, weights, gradient, optimizer };
        if let Some(directory) = &environment.weights {
            made.load(directory, cx)?;
        }
        Ok(made)
    }
}

impl<R: Ranker> RewardModel for Trained<R> {
    fn compare(&self, pair: &PairRequest, cx: &CallContext<'_>) -> Result<Preference> {
        only(self.compare_batch(std::slice::from_ref(pair), cx))
    }

    fn score(&self, request: &ScoreRequest, cx: &CallContext<'_>) -> Result<PointScore> {
        only(self.score_batch(std::slice::from_ref(request), cx))
    }

    fn compare_batch(&self, pairs: &[PairRequest], cx: &CallContext<'_>) -> Vec<Result<Preference>> {
        let mut answers = Vec::with_capacity(pairs.len());
        for group in pairs.chunks(GROUP) {
            let shown: Vec<Shown<'_>> =
                group.iter().flat_map(|p| [(&p.product, &p.left), (&p.product, &p.right)]).collect();
            let judged = self.judged(&shown, cx);
            answers.extend(judged.chunks_exact(2).map(|sides| {
                let (left, right) = (sides[0].clone()?, sides[1].clone()?);
                Ok(Preference { left: sigmoid(left.strength - right.strength) })
            }));
            cx.progress(answers.len() as f32 / pairs.len() as f32, "comparing");
        }
        answers
    }

    fn score_batch(&self, requests: &[ScoreRequest], cx: &CallContext<'_>) -> Vec<Result<PointScore>> {
        let mut answers = Vec::with_capacity(requests.len());
        for group in requests.chunks(2 * GROUP) {
            let shown: Vec<Shown<'_>> = group.iter().map(|r| (&r.product, &r.creative)).collect();
            let scored = self.judged(&shown, cx).into_iter().map(|said| {
                let Said { strength, logit } = said?;
                let parts = [("preference".to_owned(), strength)].into();
                Ok(PointScore { ctr: sigmoid(logit), parts })
            });
            answers.extend(scored);
            cx.progress(answers.len() as f32 / requests.len() as f32, "scoring");
        }
        answers
    }
}

fn only<T>(answers: Vec<Result<T>>) -> Result<T> {
    answers
        .into_iter()
        .next()
        .unwrap_or_else(|| Err(PluginError::violation("one was asked and none answered")))
}

impl<R: Ranker> Trained<R> {
    pub fn read(&mut self, directory: &Path) -> Result<()> {
        let (weights, optimizer) = self.saver().load(directory)?;
        (self.weights, self.optimizer) = (weights, optimizer);
        Ok(())
    }
}
