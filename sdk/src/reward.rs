//! Reward models: which of two creatives do users prefer, and what CTR does one have; and their trainable half.

use crate::{CallContext, Component, Image, PluginError, Product, Result, Trainable};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Two creatives of one product, side by side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PairRequest {
    /// The product that both show.
    pub product: Product,
    /// The left creative.
    pub left: Image,
    /// The right creative.
    pub right: Image,
}

/// The answer to a [`PairRequest`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Preference {
    /// Probability that users prefer the left creative, in [0, 1]; 0.5 is a tie.
    pub left: f64,
}

/// One creative to be scored by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScoreRequest {
    /// The product that it shows.
    pub product: Product,
    /// The creative.
    pub creative: Image,
}

/// The answer to a [`ScoreRequest`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PointScore {
    /// Predicted click-through rate, in [0, 1].
    pub ctr: f64,
    /// What the score is made of, for people; may be empty.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parts: BTreeMap<String, f64>,
}

/// Judges creatives. Both orders of a pair must be askable: the host asks both and reports how consistent they are.
pub trait RewardModel: Component {
    /// Which side users prefer.
    ///
    /// # Errors
    /// See [`crate::ErrorKind`].
    fn compare(&self, pair: &PairRequest, cx: &CallContext<'_>) -> Result<Preference>;

    /// The predicted CTR of one creative.
    ///
    /// # Errors
    /// See [`crate::ErrorKind`].
    fn score(&self, request: &ScoreRequest, cx: &CallContext<'_>) -> Result<PointScore>;

    /// Many pairs, in order. Creatives that occur in several pairs share their bytes.
    fn compare_batch(&self, pairs: &[PairRequest], cx: &CallContext<'_>) -> Vec<Result<Preference>> {
        pairs.iter().map(|pair| cx.check().and_then(|()| self.compare(pair, cx))).collect()
    }

    /// Many creatives, in order.
    fn score_batch(&self, requests: &[ScoreRequest], cx: &CallContext<'_>) -> Vec<Result<PointScore>> {
        requests.iter().map(|request| cx.check().and_then(|()| self.score(request, cx))).collect()
    }
}

/// A pair with what users did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LabelledPair {
    /// The pair.
    pub pair: PairRequest,
    /// Probability that the left one is better: 0 or 1 for a hard label, between them for a soft one.
    pub left: f64,
    /// Observed CTRs (left, right), for the point loss; absent when unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ctr: Option<(f64, f64)>,
}

impl LabelledPair {
    /// Checks the labels.
    ///
    /// # Errors
    /// `InvalidRequest`, naming the product and its numbers, unless all are in [0, 1].
    pub fn validate(&self) -> Result<()> {
        let fits = |v: f64| (0.0..=1.0).contains(&v);
        if fits(self.left) && self.ctr.is_none_or(|(l, r)| fits(l) && fits(r)) {
            return Ok(());
        }
        Err(PluginError::invalid_request(format!(
            "a pair of \"{}\" has label {} and CTRs {:?}, all must be between 0 and 1",
            self.pair.product.id, self.left, self.ctr
        )))
    }
}

/// A reward model that learns from labelled pairs; implemented for every [`RewardModel`] that is [`Trainable`] on them.
///
/// Its [`Trainable::accumulate_gradient`] adds the gradient of the **mean** loss over the pairs and reports that loss.
/// CAIG's loss is the cross-entropy of the preference plus 0.5 times the squared error of the point head.
pub trait TrainableRewardModel: RewardModel + Trainable<Example = LabelledPair> {}

impl<T: RewardModel + Trainable<Example = LabelledPair>> TrainableRewardModel for T {}
