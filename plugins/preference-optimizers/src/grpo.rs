//! `grpo`: group relative policy optimisation (Shao et al., 2024), with the normalisations of its successors.

use crate::advantage::{Clipped, Clips, SPREAD_FLOOR, clipped, mean, note_rewards, spread};
use crate::answer::{finish, in_range, zeros};
use adeval_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What advantages are divided by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// The deviation of the group's rewards: easy and hard products count alike.
    #[default]
    Group,
    /// That of the whole batch's (Hu et al., 2025).
    Batch,
    /// Nothing (Dr. GRPO, Liu et al., 2025).
    None,
}

/// How the losses of tokens become one number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Normalisation {
    /// The mean over answers of the mean over their tokens (GRPO): a token of a long answer counts less.
    #[default]
    Sequence,
    /// The mean over all tokens (DAPO, Yu et al., 2025; `bnpo` in trl).
    Token,
    /// The sum over tokens, over the number of answers times `max_tokens` (Dr. GRPO).
    DrGrpo,
}

/// What is clipped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Importance {
    /// The ratio of each token.
    #[default]
    Token,
    /// The geometric mean of an answer's ratios (GSPO, Zheng et al., 2025).
    Sequence,
}

/// Parameters of `grpo`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GrpoParameters {
    /// Samples a product.
    #[schemars(range(min = 2, max = 4096))]
    pub samples: u32,
    /// How far below 1 a ratio may be before it stops counting.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub clip_low: f64,
    /// How far above 1.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub clip_high: f64,
    /// Weight of the estimate k3 of the KL divergence from the reference.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub kl_weight: f64,
    /// What advantages are divided by.
    pub scale: Scale,
    /// How the losses of tokens become one number.
    pub normalisation: Normalisation,
    /// The constant of `dr_grpo`: the most tokens that an answer may have.
    #[schemars(range(min = 1, max = 65536))]
    pub max_tokens: u32,
    /// What is clipped.
    pub importance: Importance,
}

impl Default for GrpoParameters {
    fn default() -> Self {
        Self {
            samples: 8,
            clip_low: 0.2,
            clip_high: 0.2,
            kl_weight: 0.04,
            scale: Scale::Group,
            normalisation: Normalisation::Sequence,
            max_tokens: 512,
            importance: Importance::Token,
        }
    }
}

/// The `grpo` component: over tokens, `-min(r A, clip(r) A) + w (exp(d) - d - 1)` with `r` the ratio to the policy that
/// sampled and `d = log ref - log pi`.
///
/// Without `sampled` log-probabilities the ratio is 1, and `-A log pi` stands for it, whose gradient is the same.
pub struct Grpo(GrpoParameters);

impl Component for Grpo {
    type Parameters = GrpoParameters;

    fn info() -> ComponentInfo {
        ComponentInfo::new("grpo", "Clipped importance ratios, advantages normalised within the group (GRPO)")
    }

    fn create(parameters: GrpoParameters, _: &Environment) -> Result<Self> {
        in_range("grpo", "samples", f64::from(parameters.samples), 2.0, 4096.0)?;
        in_range("grpo", "clip_low", parameters.clip_low, 0.0, 1.0)?;
        in_range("grpo", "clip_high", parameters.clip_high, 0.0, 100.0)?;
        in_range("grpo", "kl_weight", parameters.kl_weight, 0.0, 100.0)?;
        in_range("grpo", "max_tokens", f64::from(parameters.max_tokens), 1.0, 65536.0)?;
        Ok(Self(parameters))
    }
}

/// Sums over the tokens of a batch.
#[derive(Default)]
struct Sums {
    loss: f64,
    kl: f64,
    tokens: f64,
    clips: Clips,
}

impl Grpo {
    /// One a sample, in order.
    fn advantages(&self, batch: &PreferenceBatch) -> Vec<f64> {
        let rewards: Vec<Vec<f64>> =
            batch.groups.iter().map(|group| group.iter().map(|s| s.reward).collect()).collect();
        let whole = spread(&rewards.concat());
        let mut all = Vec::new();
        for group in &rewards {
            let width = match self.0.scale {
                Scale::Group => spread(group) + SPREAD_FLOOR,
                Scale::Batch => whole + SPREAD_FLOOR,
                Scale::None => 1.0,
            };
            let (middle, tie) = (mean(group), spread(group) == 0.0);
            all.extend(group.iter().map(|r| if tie { 0.0 } else { (r - middle) / width }));
        }
        all
    }

    /// What each token of a sample is multiplied with.
    fn weight(&self, batch: &PreferenceBatch, sample: &SampleEvidence) -> f64 {
        let answers = || batch.groups.iter().flatten();
        let length = |s: &SampleEvidence| s.clean.current.len();
        let divisor = match self.0.normalisation {
            Normalisation::Sequence => answers().count() * length(sample).max(1),
            Normalisation::Token => answers().map(length).sum::<usize>().max(1),
            Normalisation::DrGrpo => answers().count() * self.0.max_tokens as usize,
        };
        1.0 / divisor as f64
    }

    /// Adds a sample to the sums and to its gradient.
    fn sample(&self, s: &SampleEvidence, advantage: f64, weight: f64, sums: &mut Sums, by: &mut [f64]) {
        let count = s.clean.current.len() as f64;
        sums.tokens += count;
        let clip = |log_ratio: f64| clipped(log_ratio, advantage, self.0.clip_low, self.0.clip_high);
        let known = !s.sampled.is_empty();
        let moved = || s.clean.current.iter().zip(&s.sampled).map(|(now, then)| now - then);
        if !known {
            for (log_p, slope) in s.clean.current.iter().zip(by.iter_mut()) {
                sums.loss -= weight * advantage * log_p;
                *slope -= weight * advantage;
            }
        } else if self.0.importance == Importance::Token {
            for (log_ratio, slope) in moved().zip(by.iter_mut()) {
                *slope += weight * sums.ratio(&clip(log_ratio), weight);
            }
        } else {
            // Each token carries the answer's loss, and each log-ratio is one part in `count` of the answer's.
            let one = clip(moved().sum::<f64>() / count);
            let slope = weight * sums.ratio(&one, weight * count);
            by.iter_mut().for_each(|v| *v += slope);
        }
        for ((now, reference), slope) in s.clean.current.iter().zip(&s.clean.reference).zip(by) {
            let d = reference - now;
            let kl = d.exp() - d - 1.0;
            sums.kl += kl;
            // A weight of 0 is no penalty, also where the estimate is infinite.
            if self.0.kl_weight > 0.0 {
                sums.loss += weight * self.0.kl_weight * kl;
                *slope += weight * self.0.kl_weight * (1.0 - d.exp());
            }
        }
    }
}

impl Sums {
    /// Adds a clipped ratio, and gives its derivative.
    fn ratio(&mut self, one: &Clipped, weight: f64) -> f64 {
        self.clips.count(one);
        self.loss += weight * one.loss;
        one.slope
    }
}

impl RlOptimizer for Grpo {
    fn needs(&self) -> OptimizerNeeds {
        OptimizerNeeds { samples_per_product: self.0.samples, corruptions: Vec::new() }
    }

    fn loss(&self, batch: &PreferenceBatch, cx: &CallContext<'_>) -> Result<LossAndGradient> {
        cx.check()?;
        batch.validate(&self.needs())?;
        let (mut groups, mut metrics, mut sums) = (zeros(batch), BTreeMap::new(), Sums::default());
        let samples = batch.groups.iter().flatten().zip(self.advantages(batch));
        for ((sample, advantage), gradient) in samples.zip(groups.iter_mut().flatten()) {
            let weight = self.weight(batch, sample);
            self.sample(sample, advantage, weight, &mut sums, &mut gradient.clean);
        }
        metrics.insert("kl".into(), sums.kl / sums.tokens.max(1.0));
        note_rewards(batch, &mut metrics);
        sums.clips.note(&mut metrics);
        finish(sums.loss, groups, metrics)
    }
}
