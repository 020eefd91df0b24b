//! Policies played back over logged impressions, product by product and day by day, as in VAM-HBM.
//!
//! For each logged impression the policy draws a creative; if it is the logged one, the impression and its click count and the
//! policy learns from it at the end of the day. That is unbiased for logs whose creatives were shown uniformly at random.

use super::catalogue::{Catalogue, Creative};
use super::linucb;
use crate::statistics::beta::Beta;
use crate::{EvalError, Result};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// How a policy chooses among the creatives of a product.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// Any, at random.
    Uniform,
    /// The highest CTR so far, but any with this chance. The first day is random.
    EpsilonGreedy {
        /// In [0, 1]; 0.1 in VAM-HBM.
        epsilon: f64,
    },
    /// A draw from each creative's Beta posterior. The first day is random.
    Thompson {
        /// Before the first impression; Beta(3.43046, 109.78302) in VAM-HBM.
        prior: Beta,
    },
    /// The highest CTR + width sqrt(2 ln N / n). Random until something was shown.
    Ucb {
        /// 0 or more; 0.1 in VAM-HBM.
        width: f64,
    },
    /// Linear in the features, one regression a product (VAM-HBM's "neural UCB" on visual features).
    LinUcb {
        /// 0 or more; 0.1 in VAM-HBM.
        width: f64,
    },
    /// The highest score, from the first day.
    Scores,
}

/// How to play back.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Seed of all draws.
    pub seed: u64,
    /// Played back so many times with other draws, and averaged; 1 in VAM-HBM.
    pub repeats: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { seed: 0, repeats: 10 }
    }
}

/// What a policy was found to show of a product: mean over repeats.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Tally {
    /// Clicks on what it showed.
    pub clicks: f64,
    /// Impressions that it shared with the log.
    pub impressions: f64,
    /// Sum over the log's impressions of the best creative's CTR minus that of the one it chose.
    pub regret: f64,
    /// Impressions of the log.
    pub logged: f64,
}

impl Policy {
    /// Checks the policy's parameter, and that the creatives have what it needs.
    ///
    /// # Errors
    /// [`EvalError::BadOption`]; [`EvalError::TooFew`] for LinUCB without features and scores that are missing.
    pub fn validate(&self, catalogue: &Catalogue) -> Result<()> {
        let missing = |what: &str| Err(EvalError::TooFew { what: what.into(), got: 0, needed: 1 });
        match *self {
            Self::EpsilonGreedy { epsilon } if !(0.0..=1.0).contains(&epsilon) => Err(EvalError::BadOption {
                option: "epsilon",
                value: epsilon.to_string(),
                rule: "it must lie in [0, 1]",
            }),
            Self::Ucb { width } | Self::LinUcb { width } if !(width >= 0.0 && width.is_finite()) => {
                let value = width.to_string();
                Err(EvalError::BadOption { option: "width", value, rule: "it must be 0 or more" })
            }
            Self::Thompson { prior } => prior.validate().map(|_| ()),
            Self::LinUcb { .. } if catalogue.features == 0 => missing("LinUCB (features)"),
            Self::Scores if catalogue.products.iter().flatten().any(|c| c.score.is_none()) => {
                missing("a selection by scores (a score for every creative)")
            }
            _ => Ok(()),
        }
    }

    /// What the policy does on a day, given what it has seen: chances to draw from, or a draw each time.
    fn plan(&self, creatives: &[Creative], seen: &[(f64, f64)], day: usize) -> Plan {
        let nothing = seen.iter().all(|s| s.1 == 0.0);
        let ctr = |s: &(f64, f64)| s.0 / (s.1 + 1e-5);
        match *self {
            Self::Uniform => Plan::Random { greedy: 0, epsilon: 1.0 },
            Self::EpsilonGreedy { .. } | Self::Thompson { .. } if day == 0 => {
                Plan::Random { greedy: 0, epsilon: 1.0 }
            }
            Self::Ucb { .. } if nothing => Plan::Random { greedy: 0, epsilon: 1.0 },
            Self::EpsilonGreedy { epsilon } => {
                Plan::Random { greedy: first_best(seen.iter().map(ctr)), epsilon }
            }
            Self::Thompson { prior } => Plan::Posterior(
                seen.iter().map(|(c, n)| Beta { a: prior.a + c, b: prior.b + n - c }).collect(),
            ),
            Self::Ucb { width } => {
                let log = 2.0 * seen.iter().map(|s| s.1).sum::<f64>().ln();
                let bound = |s: &(f64, f64)| ctr(s) + width * (log / (s.1 + 1e-5)).sqrt();
                Plan::Random { greedy: first_best(seen.iter().map(bound)), epsilon: 0.0 }
            }
            Self::LinUcb { width } => {
                let bounds = linucb::bounds(creatives, seen, width);
                Plan::Random { greedy: first_best(bounds.into_iter()), epsilon: 0.0 }
            }
            Self::Scores => {
                let scores = creatives.iter().map(|c| c.score.unwrap_or(f64::NEG_INFINITY));
                Plan::Random { greedy: first_best(scores), epsilon: 0.0 }
            }
        }
    }
}

/// One day of a policy at one product.
enum Plan {
    /// `greedy`, but any with chance `epsilon`.
    Random {
        greedy: usize,
        epsilon: f64,
    },
    Posterior(Vec<Beta>),
}

impl Plan {
    fn draw(&self, count: usize, rng: &mut ChaCha8Rng) -> usize {
        match self {
            Self::Random { greedy, epsilon } => {
                if *epsilon >= 1.0 || (*epsilon > 0.0 && uniform(rng) < *epsilon) {
                    ((u64::from(rng.next_u32()) * count as u64) >> 32) as usize
                } else {
                    *greedy
                }
            }
            Self::Posterior(posteriors) => first_best(posteriors.iter().map(|p| beta(rng, *p))),
        }
    }
}

/// Plays a policy back; one tally a product.
///
/// # Errors
/// [`EvalError::BadOption`], [`EvalError::TooFew`]: see [`Policy::validate`].
pub fn playback(catalogue: &Catalogue, policy: Policy, settings: Settings) -> Result<Vec<Tally>> {
    policy.validate(catalogue)?;
    if settings.repeats == 0 {
        let rule = "it must be at least 1";
        return Err(EvalError::BadOption { option: "repeats", value: "0".into(), rule });
    }
    let root = ChaCha8Rng::seed_from_u64(settings.seed);
    let repeats = u64::from(settings.repeats);
    Ok(catalogue
        .products
        .par_iter()
        .enumerate()
        .map(|(product, creatives)| {
            let mut sum = Tally::default();
            for repeat in 0..repeats {
                let mut rng = root.clone();
                rng.set_stream(product as u64 * repeats + repeat);
                let tally = play(creatives, policy, catalogue.days, &mut rng);
                sum.clicks += tally.clicks;
                sum.impressions += tally.impressions;
                sum.regret += tally.regret;
                sum.logged += tally.logged;
            }
            let mean = |v: f64| v / repeats as f64;
            Tally {
                clicks: mean(sum.clicks),
                impressions: mean(sum.impressions),
                regret: mean(sum.regret),
                logged: mean(sum.logged),
            }
        })
        .collect())
}

/// One product, all days. The order of impressions within a day does not matter, since policies learn overnight.
fn play(creatives: &[Creative], policy: Policy, days: usize, rng: &mut ChaCha8Rng) -> Tally {
    let ctrs: Vec<f64> = creatives.iter().map(|c| c.total().ctr()).collect();
    let best = ctrs.iter().copied().fold(0.0, f64::max);
    let mut seen = vec![(0.0, 0.0); creatives.len()];
    let mut tally = Tally::default();
    for day in 0..days {
        let plan = policy.plan(creatives, &seen, day);
        for (at, creative) in creatives.iter().enumerate() {
            let today = creative.days[day];
            for impression in 0..today.impressions {
                let chosen = plan.draw(creatives.len(), rng);
                tally.logged += 1.0;
                tally.regret += best - ctrs[chosen];
                if chosen == at {
                    let click = f64::from(u8::from(impression < today.clicks));
                    tally.clicks += click;
                    tally.impressions += 1.0;
                    seen[at].0 += click;
                    seen[at].1 += 1.0;
                }
            }
        }
    }
    tally
}

/// The first of the largest, as numpy's argmax.
fn first_best(values: impl Iterator<Item = f64>) -> usize {
    let mut best = (0, f64::NEG_INFINITY);
    for (at, value) in values.enumerate() {
        if value > best.1 {
            best = (at, value);
        }
    }
    best.0
}

fn uniform(rng: &mut ChaCha8Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

fn beta(rng: &mut ChaCha8Rng, Beta { a, b }: Beta) -> f64 {
    let x = gamma(rng, a);
    x / (x + gamma(rng, b))
}

/// A gamma variate (Marsaglia and Tsang 2000).
fn gamma(rng: &mut ChaCha8Rng, shape: f64) -> f64 {
    if shape < 1.0 {
        let boost = uniform(rng).max(f64::MIN_POSITIVE).powf(1.0 / shape);
        return gamma(rng, shape + 1.0) * boost;
    }
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        // Box and Muller; 1 - u is never 0.
        let radius = (-2.0 * (1.0 - uniform(rng)).ln()).sqrt();
        let x = radius * (std::f64::consts::TAU * uniform(rng)).cos();
        let v = (1.0 + c * x).powi(3);
        if v > 0.0 && (1.0 - uniform(rng)).ln() < 0.5 * x * x + d - d * v + d * v.ln() {
            return d * v;
        }
    }
}
