//! A model's scores: what does showing each product's highest-scored creative earn?

use super::catalogue::{Catalogue, Creative};
use crate::statistics::auc::{Scored, auc, auc_estimate};
use crate::statistics::beta::{self, Beta};
use crate::{Bootstrap, Estimate, EvalError, Result, Sums};
use serde::{Deserialize, Serialize};

/// How to look at scores.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoreOptions {
    /// Resampling of products.
    pub bootstrap: Bootstrap,
    /// Prior that smooths CTRs for the regret; fitted to all creatives when absent.
    pub prior: Option<Beta>,
    /// Sizes of the sets of top creatives.
    pub top: Vec<usize>,
}

impl Default for ScoreOptions {
    fn default() -> Self {
        Self { bootstrap: Bootstrap::default(), prior: None, top: vec![1, 2, 3] }
    }
}

/// What a model's scores are worth. Intervals are BCa over products.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ScoreReport {
    /// Products with a choice.
    pub products: usize,
    /// Creatives of them.
    pub creatives: usize,
    /// Simulated CTR: clicks over impressions of the top-scored creatives, pooled. Equal scores share.
    pub sctr: Estimate,
    /// The same, each product weighing what it has of all impressions, so that the choice cannot change the mix of products.
    pub nsctr: Estimate,
    /// The latter for a uniform choice: what scores must beat.
    pub uniform: Estimate,
    /// NSCTR / uniform - 1.
    pub lift: Estimate,
    /// Mean over products of the best creative's smoothed CTR minus the chosen one's, in CTR.
    pub regret: Estimate,
    /// The same for a uniform choice.
    pub uniform_regret: Estimate,
    /// NSCTR of a uniform choice among the k top-scored creatives over that among all, minus 1.
    pub top: Vec<TopK>,
    /// P(a clicked impression is scored above one that was not), over all products.
    pub auc: Option<Estimate>,
    /// Mean over products of the AUC within, weighted by impressions; products without a click or with nothing else are
    /// left out.
    pub gauc: Option<Estimate>,
    /// The prior that smoothed CTRs.
    pub prior: Beta,
}

/// Uplift of the k best-scored creatives.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct TopK {
    /// How many creatives.
    pub k: usize,
    /// Relative uplift.
    pub lift: Estimate,
}

/// Columns: clicks, impressions of the chosen; impressions of all times CTR of the chosen, of a uniform choice, impressions
/// of all; regrets; products; weighted AUC and weight; then the same weighted CTR for each k.
const CLICKS: usize = 0;
const SHOWN: usize = 1;
const CHOSEN: usize = 2;
const UNIFORM: usize = 3;
const ALL: usize = 4;
const REGRET: usize = 5;
const UNIFORM_REGRET: usize = 6;
const ONE: usize = 7;
const WITHIN: usize = 8;
const WITHIN_WEIGHT: usize = 9;
const TOP: usize = 10;

/// Evaluates scores.
///
/// # Errors
/// [`EvalError::TooFew`] when a creative has no score, or no prior can be fitted (no click anywhere);
/// [`EvalError::BadOption`].
pub fn evaluate_scores(catalogue: &Catalogue, options: &ScoreOptions) -> Result<ScoreReport> {
    if options.top.contains(&0) {
        let rule = "each size must be at least 1";
        return Err(EvalError::BadOption { option: "top", value: "0".into(), rule });
    }
    let creatives: Vec<&Creative> = catalogue.products.iter().flatten().collect();
    if let Some(at) = creatives.iter().position(|c| c.score.is_none()) {
        let what = format!("an evaluation of scores (a score for creative {at} of those shown)");
        return Err(EvalError::TooFew { what, got: 0, needed: 1 });
    }
    let prior = match options.prior {
        Some(prior) => prior.validate()?,
        None => beta::fit(
            &creatives.iter().map(|c| (c.total().clicks, c.total().impressions)).collect::<Vec<_>>(),
        )?,
    };
    let mut sums = Sums::new(catalogue.len(), TOP + options.top.len());
    for (product, creatives) in catalogue.products.iter().enumerate() {
        let mut add = |column, value| sums.add(product, column, value);
        product_sums(creatives, prior, &options.top, &mut add);
    }
    let heads = 8;
    let found = sums.estimates(&options.bootstrap, heads + options.top.len(), |s, out| {
        let ratio = |a: usize, b: usize| s[a] / s[b];
        let head = [
            ratio(CLICKS, SHOWN),
            ratio(CHOSEN, ALL),
            ratio(UNIFORM, ALL),
            ratio(CHOSEN, UNIFORM) - 1.0,
            ratio(REGRET, ONE),
            ratio(UNIFORM_REGRET, ONE),
            ratio(WITHIN, WITHIN_WEIGHT),
            0.0,
        ];
        out[..heads].copy_from_slice(&head);
        (0..out.len() - heads).for_each(|k| out[heads + k] = ratio(TOP + k, UNIFORM) - 1.0);
    })?;
    let need = |k: usize| {
        let what = "an evaluation of scores (clicks)".to_owned();
        found[k].ok_or(EvalError::TooFew { what, got: 0, needed: 1 })
    };
    let top = options.top.iter().enumerate().map(|(at, &k)| Ok(TopK { k, lift: need(heads + at)? }));
    Ok(ScoreReport {
        products: catalogue.len(),
        creatives: creatives.len(),
        sctr: need(0)?,
        nsctr: need(1)?,
        uniform: need(2)?,
        lift: need(3)?,
        regret: need(4)?,
        uniform_regret: need(5)?,
        gauc: found[6]
            .map(|e| Estimate { n: sums.column(WITHIN_WEIGHT).iter().filter(|w| **w > 0.0).count(), ..e }),
        top: top.collect::<Result<_>>()?,
        auc: auc_estimate(&impressions(catalogue), catalogue.len(), &options.bootstrap)?,
        prior,
    })
}

fn product_sums(creatives: &[Creative], prior: Beta, top: &[usize], add: &mut dyn FnMut(usize, f64)) {
    let all: f64 = creatives.iter().map(|c| c.total().impressions as f64).sum();
    let uniform = creatives.iter().map(|c| c.total().ctr()).sum::<f64>() / creatives.len() as f64;
    let best = chances(creatives, 1);
    let weighted =
        |of: &dyn Fn(&Creative) -> f64| best.iter().zip(creatives).map(|(w, c)| w * of(c)).sum::<f64>();
    add(CLICKS, weighted(&|c| c.total().clicks as f64));
    add(SHOWN, weighted(&|c| c.total().impressions as f64));
    add(CHOSEN, all * weighted(&|c| c.total().ctr()));
    add(UNIFORM, all * uniform);
    add(ALL, all);
    let smooth = |c: &Creative| {
        let Beta { a, b } = prior.after(c.total().clicks, c.total().impressions - c.total().clicks);
        a / (a + b)
    };
    let most = creatives.iter().map(smooth).fold(0.0, f64::max);
    add(REGRET, most - weighted(&|c| smooth(c)));
    add(UNIFORM_REGRET, most - creatives.iter().map(smooth).sum::<f64>() / creatives.len() as f64);
    add(ONE, 1.0);
    if let Some(within) = auc(&creatives.iter().map(|c| scored(c, 0)).collect::<Vec<_>>()) {
        add(WITHIN, all * within);
        add(WITHIN_WEIGHT, all);
    }
    for (at, &k) in top.iter().enumerate() {
        let chances = chances(creatives, k);
        add(TOP + at, all * chances.iter().zip(creatives).map(|(w, c)| w * c.total().ctr()).sum::<f64>());
    }
}

/// The chance of each creative to be drawn uniformly among the k best-scored; equal scores share the last places.
fn chances(creatives: &[Creative], k: usize) -> Vec<f64> {
    let k = k.min(creatives.len()) as f64;
    let score = |c: &Creative| c.score.unwrap_or(f64::NEG_INFINITY);
    creatives
        .iter()
        .map(|c| {
            let above = creatives.iter().filter(|o| score(o) > score(c)).count() as f64;
            let equal = creatives.iter().filter(|o| score(o) == score(c)).count() as f64;
            ((k - above) / equal).clamp(0.0, 1.0) / k
        })
        .collect()
}

fn scored(creative: &Creative, cluster: usize) -> Scored {
    let total = creative.total();
    Scored {
        cluster,
        score: creative.score.unwrap_or(f64::NEG_INFINITY),
        positives: total.clicks as f64,
        negatives: (total.impressions - total.clicks) as f64,
    }
}

fn impressions(catalogue: &Catalogue) -> Vec<Scored> {
    let products = catalogue.products.iter().enumerate();
    products.flat_map(|(p, creatives)| creatives.iter().map(move |c| scored(c, p))).collect()
}
