//! The estimators, each as the three numbers that a round adds.

use super::bounds::Range;
use super::{Round, Rounds};
use crate::{EvalError, Result};
use serde::{Deserialize, Serialize};

/// An estimator of a policy's value. In all of them w = policy / propensity of the logged action, r the reward,
/// q(a) the reward model for it, q(pi) its mean over the policy.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Estimator {
    /// Mean reward of the rounds whose logged action a deterministic policy takes (Li et al. 2011).
    Replay,
    /// Mean q(pi): no weights, all of the model's bias.
    DirectMethod,
    /// Mean min(w, clip) r (Strehl et al. 2010); unbiased without clipping.
    Ipw {
        /// Largest weight; infinite for none.
        #[serde(with = "unbounded")]
        #[schemars(with = "Option<f64>")]
        clip: f64,
    },
    /// Sum w r / sum w (Swaminathan and Joachims 2015): a little bias for much less variance.
    Snipw,
    /// Mean q(pi) + min(w, clip) (r - q(a)) (Dudik et al. 2014).
    Dr {
        /// Largest weight; infinite for none.
        #[serde(with = "unbounded")]
        #[schemars(with = "Option<f64>")]
        clip: f64,
    },
    /// Mean q(pi) + sum w (r - q(a)) / sum w.
    Sndr,
    /// Doubly robust where w <= threshold, the model alone elsewhere (Wang, Agarwal and Dudik 2017).
    SwitchDr {
        /// Largest weight that is used.
        #[serde(with = "unbounded")]
        #[schemars(with = "Option<f64>")]
        threshold: f64,
    },
    /// Doubly robust with weights shrunk to lambda w / (w^2 + lambda) (Su et al. 2020).
    DrOs {
        /// 0 gives the direct method, infinity doubly robust.
        #[serde(with = "unbounded")]
        #[schemars(with = "Option<f64>")]
        lambda: f64,
    },
    /// IPW with weights w / (1 - lambda + lambda w) (Metelli, Russo and Restelli 2021).
    SgIpw {
        /// In [0, 1]; 0 gives IPW.
        lambda: f64,
    },
    /// Doubly robust with the same weights.
    SgDr {
        /// In [0, 1]; 0 gives doubly robust.
        lambda: f64,
    },
    /// Self-normalised IPW on weights from a classifier of policies (Sondhi, Arbour and Dimmery 2020).
    BalancedIpw {
        /// Largest weight; infinite for none.
        #[serde(with = "unbounded")]
        #[schemars(with = "Option<f64>")]
        clip: f64,
    },
    /// Mean v r, v the weight of what the action has in common with others (Saito and Joachims 2022).
    Mipw,
    /// Sum v r / sum v.
    Snmipw,
}

/// What a round adds: value = mean of base + sum of part / sum of norm.
pub(super) struct Terms {
    pub base: f64,
    pub part: f64,
    pub norm: f64,
}

impl std::fmt::Display for Estimator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            Self::Replay => f.write_str("Replay"),
            Self::DirectMethod => f.write_str("DM"),
            Self::Ipw { clip } if clip.is_infinite() => f.write_str("IPW"),
            Self::Ipw { clip } => write!(f, "IPW, w up to {clip}"),
            Self::Snipw => f.write_str("SNIPW"),
            Self::Dr { clip } if clip.is_infinite() => f.write_str("DR"),
            Self::Dr { clip } => write!(f, "DR, w up to {clip}"),
            Self::Sndr => f.write_str("SNDR"),
            Self::SwitchDr { threshold } => write!(f, "Switch-DR, w up to {threshold}"),
            Self::DrOs { lambda } => write!(f, "DRos, lambda {lambda}"),
            Self::SgIpw { lambda } => write!(f, "SG-IPW, lambda {lambda}"),
            Self::SgDr { lambda } => write!(f, "SG-DR, lambda {lambda}"),
            Self::BalancedIpw { clip } if clip.is_infinite() => f.write_str("Balanced IPW"),
            Self::BalancedIpw { clip } => write!(f, "Balanced IPW, w up to {clip}"),
            Self::Mipw => f.write_str("MIPW"),
            Self::Snmipw => f.write_str("SNMIPW"),
        }
    }
}

impl Estimator {
    /// Checks the hyper-parameter, and that the rounds have what the estimator needs.
    ///
    /// # Errors
    /// [`EvalError::BadOption`]; [`EvalError::TooFew`] for rounds without a reward model, balanced or marginal weights.
    pub fn validate(self, rounds: &Rounds) -> Result<()> {
        let (option, value, most) = match self {
            Self::Ipw { clip } | Self::Dr { clip } | Self::BalancedIpw { clip } => {
                ("clip", clip, f64::INFINITY)
            }
            Self::SwitchDr { threshold } => ("threshold", threshold, f64::INFINITY),
            Self::DrOs { lambda } => ("lambda", lambda, f64::INFINITY),
            Self::SgIpw { lambda } | Self::SgDr { lambda } => ("lambda", lambda, 1.0),
            _ => ("", 0.0, 0.0),
        };
        if !(0.0..=most).contains(&value) {
            let rule = if most <= 1.0 { "it must lie in [0, 1]" } else { "it must be 0 or more" };
            return Err(EvalError::BadOption { option, value: value.to_string(), rule });
        }
        let needs = |what: &str| Err(EvalError::TooFew { what: what.into(), got: 0, needed: rounds.len() });
        if self.needs_model() && rounds.model.is_none() {
            return needs("this estimator (predictions of a reward model)");
        }
        if matches!(self, Self::BalancedIpw { .. }) && rounds.balanced.is_none() {
            return needs("balanced IPW (estimated importance weights)");
        }
        if matches!(self, Self::Mipw | Self::Snmipw) && rounds.marginal.is_none() {
            return needs("marginalised IPW (weights of embeddings)");
        }
        Ok(())
    }

    /// Whether it uses a reward model.
    pub fn needs_model(self) -> bool {
        use Estimator as E;
        matches!(
            self,
            E::DirectMethod | E::Dr { .. } | E::Sndr | E::SwitchDr { .. } | E::DrOs { .. } | E::SgDr { .. }
        )
    }

    /// The weight that it puts in place of w.
    pub(super) fn shrunk(self, w: f64) -> f64 {
        match self {
            Self::Ipw { clip } | Self::Dr { clip } | Self::BalancedIpw { clip } => w.min(clip),
            Self::SwitchDr { threshold } => {
                if w <= threshold {
                    w
                } else {
                    0.0
                }
            }
            Self::DrOs { lambda } if lambda.is_infinite() => w,
            // Without weight and without shrinkage 0 / 0 would follow.
            Self::DrOs { lambda } => {
                if w == 0.0 {
                    0.0
                } else {
                    lambda * w / (w * w + lambda)
                }
            }
            Self::SgIpw { lambda } | Self::SgDr { lambda } => {
                if w == 0.0 {
                    0.0
                } else {
                    w / (1.0 - lambda + lambda * w)
                }
            }
            Self::DirectMethod => 0.0,
            Self::Replay | Self::Snipw | Self::Sndr | Self::Mipw | Self::Snmipw => w,
        }
    }

    /// What a round adds; the rounds were validated.
    pub(super) fn terms(self, round: &Round) -> Terms {
        let (reward, w) = (round.reward, round.weight);
        let [q_action, q_policy] = round.model.filter(|_| self.needs_model()).unwrap_or_default();
        let (weight, norm) = match self {
            Self::Replay => {
                let matched = f64::from(u8::from(round.matched));
                (matched, matched)
            }
            Self::Snipw | Self::Sndr => (w, w),
            Self::BalancedIpw { .. } => {
                let weight = self.shrunk(round.balanced.unwrap_or_default());
                (weight, weight)
            }
            Self::Mipw => (round.marginal.unwrap_or_default(), 1.0),
            Self::Snmipw => {
                let weight = round.marginal.unwrap_or_default();
                (weight, weight)
            }
            _ => (self.shrunk(w), 1.0),
        };
        Terms { base: q_policy, part: weight * (reward - q_action), norm }
    }

    /// Between which numbers a round's value lies, for rewards and predictions in these ranges and weights (of embeddings, for
    /// MIPW) up to `most`. None for estimators that divide by a sum of weights: their values are no independent terms.
    pub(super) fn range(self, reward: Range, predicted: Range, most: f64) -> Option<Range> {
        let weight = match self {
            Self::Replay | Self::Snipw | Self::Sndr | Self::BalancedIpw { .. } | Self::Snmipw => return None,
            Self::DirectMethod => 0.0,
            // Its largest value is at the root of lambda.
            Self::DrOs { lambda } => self.shrunk(most.min(lambda.sqrt())),
            Self::SwitchDr { threshold } => most.min(threshold),
            _ => self.shrunk(most),
        };
        let (base, model) = if self.needs_model() { (predicted, predicted) } else { Default::default() };
        Some(Range {
            low: base.low + (weight * (reward.low - model.high)).min(0.0),
            high: base.high + (weight * (reward.high - model.low)).max(0.0),
        })
    }
}

/// JSON has no infinity: null stands for a bound that is none.
mod unbounded {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        value.is_finite().then_some(*value).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        Ok(Option::deserialize(deserializer)?.unwrap_or(f64::INFINITY))
    }
}
