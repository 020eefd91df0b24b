//! The report on a reward model.

use super::ceiling::Prior;
use super::columns::{self, Facts, HEAD, OF_GROUP, SHARED, STATISTICS};
use super::pair::{Pair, Winner};
use crate::statistics::auc::{Scored, auc_estimate};
use crate::statistics::calibration::{Binning, Calibration, Forecast, calibration};
use crate::statistics::proportion::wilson;
use crate::statistics::renumbered;
use crate::{Bootstrap, Estimate, EvalError, Method, Result, Sums};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// How to look at pairs.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Resampling of products.
    pub bootstrap: Bootstrap,
    /// The judge is undecided within this distance of 1/2, in [0, 1/2).
    pub tie_margin: f64,
    /// What is known of true CTRs before clicks.
    pub prior: Prior,
    /// Bins of the calibration.
    pub binning: Binning,
    /// Inner edges of the buckets of higher CTR / lower CTR, ascending, above 1.
    pub gaps: Vec<f64>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            bootstrap: Bootstrap::default(),
            tie_margin: 0.0,
            prior: Prior::WithinProduct,
            binning: Binning::EqualMass(10),
            gaps: vec![1.05, 1.1, 1.2, 1.5, 2.0],
        }
    }
}

/// What a set of pairs says about a reward model. Intervals are over products.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Report {
    /// All pairs that came in.
    pub pairs: usize,
    /// Products among them.
    pub products: usize,
    /// Pairs whose creatives have equal CTRs: left out of everything but consistency, since neither answer is right.
    pub equal_ctr: usize,
    /// Pairs of the rest on which the judge is undecided, which count as half right.
    pub undecided: usize,
    /// Pairs asked in both orders.
    pub both_orders: usize,
    /// Share of those whose two answers name the same creative.
    pub swap_consistency: Option<Estimate>,
    /// Mean P(left) - 1/2 over those, in [-1/2, 1/2]; 0 is none.
    pub position_bias: Option<Estimate>,
    /// Accuracy and ceiling over all pairs.
    pub overall: Group,
    /// P(a winner is scored above a loser), winners and losers of all pairs, each pair seen from both sides.
    pub auc: Option<Estimate>,
    /// Whether the judge's probabilities come true, each pair seen from both sides.
    pub calibration: Calibration,
    /// By the ratio of the higher CTR to the lower; empty buckets are left out.
    pub by_gap: Vec<Group>,
    /// By category, in alphabetical order.
    pub by_category: Vec<Group>,
    /// The prior of the ceiling.
    pub prior: Prior,
    /// Its concentration, fitted or given: pseudo-impressions of a creative before its first.
    pub concentration: f64,
}

/// Accuracy on some of the pairs, beside what can be reached.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Group {
    /// Which pairs.
    pub name: String,
    /// How many.
    pub pairs: usize,
    /// Share of pairs on which the judge names the creative with the higher observed CTR.
    pub accuracy: Estimate,
    /// The noise ceiling: expected accuracy of a judge who knows every true order.
    pub ceiling: Estimate,
    /// Accuracy / ceiling.
    pub share_of_ceiling: Estimate,
    /// Accuracy on the true order, 1/2 + (accuracy - 1/2) / (2 ceiling - 1), if it is the same for close and for clear
    /// pairs; absent when the ceiling is 1/2. Not bounded by 1: its interval shows what noise leaves to be known.
    pub true_order_accuracy: Option<Estimate>,
}

/// Evaluates a reward model on pairs of creatives with clicks.
///
/// # Errors
/// [`EvalError`] names the pair of counts or probabilities that cannot be; [`EvalError::TooFew`] when no pair has
/// creatives of different CTR.
pub fn evaluate(pairs: &[Pair], options: &Options) -> Result<Report> {
    options.validate()?;
    pairs.iter().enumerate().try_for_each(|(at, pair)| pair.validate(at))?;
    let margin = options.tie_margin;
    let (pairs, products) = by_product(pairs);
    let pairs = pairs.as_slice();
    let prior = options.prior.fit(pairs)?;
    let facts: Vec<Facts> = pairs.par_iter().map(|p| Facts::of(p, &prior, margin)).collect();
    let ordered: Vec<(&Pair, &Facts)> =
        pairs.iter().zip(&facts).filter(|(_, f)| f.label != Winner::Neither).collect();
    if ordered.is_empty() {
        let what = "an accuracy (pairs whose creatives have different CTRs)".into();
        return Err(EvalError::TooFew { what, got: 0, needed: 1 });
    }
    let grouping = Grouping::of(pairs, &options.gaps);
    let sums = columns::table(pairs, &facts, &grouping.of_pair, grouping.names.len(), products, margin);
    let width = HEAD + STATISTICS * grouping.names.len();
    let found = sums.estimates(&options.bootstrap, width, columns::statistics)?;
    let groups: Vec<Option<Group>> = (0..grouping.names.len())
        .map(|g| group(&grouping.names[g], g, &sums, &found, options.bootstrap.level))
        .collect();
    let gaps = 1..1 + options.gaps.len() + 1;
    Ok(Report {
        pairs: pairs.len(),
        products,
        equal_ctr: pairs.len() - ordered.len(),
        undecided: ordered.iter().filter(|(p, _)| p.prediction(margin) == Winner::Neither).count(),
        both_orders: pairs.iter().filter(|p| p.consistent(margin).is_some()).count(),
        swap_consistency: found[0].map(|e| with_products(e, &sums, columns::BOTH, options.bootstrap.level)),
        position_bias: found[1].map(|e| Estimate { n: filled(&sums, columns::BOTH), ..e }),
        overall: groups[0].clone().ok_or(EvalError::TooFew {
            what: "an accuracy".into(),
            got: 0,
            needed: 1,
        })?,
        auc: auc_estimate(&both_sides(&ordered), products, &options.bootstrap)?,
        calibration: calibration(&forecasts(&ordered), products, options.binning, &options.bootstrap)?,
        by_gap: groups[gaps.clone()].iter().flatten().cloned().collect(),
        by_category: groups[gaps.end..].iter().flatten().cloned().collect(),
        prior: options.prior,
        concentration: prior.concentration(),
    })
}

/// The pairs with products numbered from 0 without holes, and how many there are.
fn by_product(pairs: &[Pair]) -> (Vec<Pair>, usize) {
    let (products, count) = renumbered(&pairs.iter().map(|p| p.product).collect::<Vec<_>>());
    (pairs.iter().zip(products).map(|(p, product)| Pair { product, ..p.clone() }).collect(), count)
}

impl Options {
    fn validate(&self) -> Result<()> {
        self.bootstrap.validate()?;
        if !(0.0..0.5).contains(&self.tie_margin) {
            let value = self.tie_margin.to_string();
            return Err(EvalError::BadOption {
                option: "tie_margin",
                value,
                rule: "it must lie in [0, 0.5)",
            });
        }
        let rising = self.gaps.windows(2).all(|w| w[0] < w[1]);
        if !rising || self.gaps.iter().any(|g| !(g.is_finite() && *g > 1.0)) {
            let value = format!("{:?}", self.gaps);
            return Err(EvalError::BadOption { option: "gaps", value, rule: "they must rise from above 1" });
        }
        Ok(())
    }
}

/// Which groups there are, and which of them a pair belongs to.
struct Grouping {
    names: Vec<String>,
    of_pair: Vec<Vec<usize>>,
}

impl Grouping {
    fn of(pairs: &[Pair], gaps: &[f64]) -> Self {
        let mut names = vec!["all".to_owned()];
        let edge = |i: usize| if i == 0 { 1.0 } else { gaps[i - 1] };
        names.extend((0..gaps.len()).map(|i| format!("{} to {}", edge(i), gaps[i])));
        names.push(format!("{} and more", edge(gaps.len())));
        let mut categories: Vec<&str> = pairs.iter().filter_map(|p| p.category.as_deref()).collect();
        categories.sort_unstable();
        categories.dedup();
        let first = names.len();
        names.extend(categories.iter().map(|c| (*c).to_owned()));
        let of_pair = pairs
            .iter()
            .map(|pair| {
                let mut groups = vec![1 + gaps.partition_point(|g| *g <= pair.gap())];
                let category = pair.category.as_deref();
                groups.extend(category.map(|c| first + categories.partition_point(|k| *k < c)));
                groups
            })
            .collect();
        Self { names, of_pair }
    }
}

fn group(name: &str, at: usize, sums: &Sums, found: &[Option<Estimate>], level: f64) -> Option<Group> {
    let column = SHARED + OF_GROUP * at;
    let of = |k: usize| found[HEAD + STATISTICS * at + k];
    let n = filled(sums, column);
    let counted = |e: Estimate| if n < 2 { Estimate::plain(e.value, n) } else { Estimate { n, ..e } };
    Some(Group {
        name: name.to_owned(),
        pairs: sums.column(column).iter().sum::<f64>() as usize,
        accuracy: with_products(of(0)?, sums, column, level),
        ceiling: counted(of(1)?),
        share_of_ceiling: counted(of(2)?),
        true_order_accuracy: of(3).map(counted),
    })
}

/// Products with anything in a column.
fn filled(sums: &Sums, column: usize) -> usize {
    sums.column(column).iter().filter(|v| **v != 0.0).count()
}

/// A rate with the number of products behind it; with Wilson's interval over products where it is 0 or 1, since a
/// bootstrap has no width there.
fn with_products(rate: Estimate, sums: &Sums, column: usize, level: f64) -> Estimate {
    let n = filled(sums, column);
    if n < 2 {
        return Estimate::plain(rate.value, n);
    }
    if rate.value <= 0.0 || rate.value >= 1.0 {
        let (low, high) = wilson(rate.value, n, level);
        return Estimate::with_interval(rate.value, low, high, n, Method::Wilson);
    }
    Estimate { n, ..rate }
}

/// Each pair's winner and loser with the judge's probability for it.
fn both_sides(pairs: &[(&Pair, &Facts)]) -> Vec<Scored> {
    pairs
        .iter()
        .flat_map(|(pair, facts)| {
            let p = pair.p_first();
            let won = if facts.label == Winner::First { p } else { 1.0 - p };
            let of =
                |score, positives, negatives| Scored { cluster: pair.product, score, positives, negatives };
            [of(won, 1.0, 0.0), of(1.0 - won, 0.0, 1.0)]
        })
        .collect()
}

fn forecasts(pairs: &[(&Pair, &Facts)]) -> Vec<Forecast> {
    pairs
        .iter()
        .flat_map(|(pair, facts)| {
            let p = pair.p_first();
            let first = f64::from(u8::from(facts.label == Winner::First));
            let of =
                |predicted, successes| Forecast { cluster: pair.product, predicted, successes, trials: 1.0 };
            [of(p, first), of(1.0 - p, 1.0 - first)]
        })
        .collect()
}
