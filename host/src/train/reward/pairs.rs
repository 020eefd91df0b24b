//! Pairs of a product's creatives, and what they are labelled with.

use super::data::Advertised;
use crate::train::TrainError;
use adeval_eval::pairs::{Arm, Pair, Prior};
use adeval_sdk::rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which pairs are used. The default takes all whose CTRs differ; the paper's filter is `min_impressions = 1001`, `min_clicks = 1`,
/// `min_ratio = 1.05`, `max_ratio = 1.2`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PairRule {
    /// Least impressions of both creatives, at least 1.
    #[schemars(range(min = 1))]
    pub min_impressions: u64,
    /// Least clicks of both.
    pub min_clicks: u64,
    /// Least ratio of the higher CTR to the lower, at least 1.
    #[schemars(range(min = 1.0))]
    pub min_ratio: f64,
    /// Greatest ratio; any when absent.
    pub max_ratio: Option<f64>,
    /// The most pairs of one product, drawn by names from those that the rest takes: their number grows with the square of a product's
    /// creatives. All when absent.
    #[schemars(range(min = 1))]
    pub max_per_product: Option<usize>,
}

impl Default for PairRule {
    fn default() -> Self {
        Self { min_impressions: 1, min_clicks: 0, min_ratio: 1.0, max_ratio: None, max_per_product: None }
    }
}

impl PairRule {
    pub(super) fn check(&self, key: &str) -> Result<(), String> {
        if self.min_impressions == 0 {
            return Err(format!("{key}.min_impressions is 0, it must be at least 1"));
        }
        let fits = |ratio: f64, least: f64| ratio >= least && ratio.is_finite();
        if !fits(self.min_ratio, 1.0) {
            return Err(format!("{key}.min_ratio is {}, it must be at least 1", self.min_ratio));
        }
        if self.max_per_product == Some(0) {
            return Err(format!("{key}.max_per_product is 0, it must be at least 1"));
        }
        match self.max_ratio {
            Some(most) if !fits(most, self.min_ratio) => {
                Err(format!("{key}.max_ratio is {most}, it must be at least min_ratio, {}", self.min_ratio))
            }
            _ => Ok(()),
        }
    }

    /// Whether both creatives were seen enough and their CTRs differ as much as is wanted. Equal CTRs make no pair.
    fn takes(&self, pair: &Pair) -> bool {
        let (one, other) = (pair.first, pair.second);
        let seen = one.impressions.min(other.impressions) >= self.min_impressions;
        let clicked = one.clicks.min(other.clicks) >= self.min_clicks;
        let gap = pair.gap();
        seen && clicked
            && differs(pair)
            && gap >= self.min_ratio
            && self.max_ratio.is_none_or(|most| gap <= most)
    }
}

/// Exact: no division.
fn differs(pair: &Pair) -> bool {
    let cross = |a: Arm, b: Arm| u128::from(a.clicks) * u128::from(b.impressions);
    cross(pair.first, pair.second) != cross(pair.second, pair.first)
}

/// What a pair is labelled with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LabelRule {
    /// The creative with the higher observed CTR, and the observed CTRs, as in the paper.
    #[default]
    Observed,
    /// P(the first is truly better, given the clicks of both) and posterior means: creatives of one product vary around its CTR by
    /// a Beta whose width is estimated from the training products. A pair that chance may have ordered counts less.
    Posterior,
}

/// A pair with its label.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Labelled {
    /// Place of its product.
    pub product: usize,
    /// Its creatives' places in the product.
    pub creatives: [usize; 2],
    /// Probability that the first is better.
    pub first: f64,
    /// What their point losses aim at.
    pub ctr: [f64; 2],
    /// Whether the first stands left where one order is asked: drawn by names.
    pub first_left: bool,
}

/// What became of the possible pairs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PairCounts {
    /// Pairs of one product's creatives.
    pub possible: u64,
    /// Of them, with equal CTRs: nothing to learn.
    pub equal: u64,
    /// That the rule takes.
    pub used: u64,
}

/// The pairs of some products that a rule takes, and how many there were.
pub fn of(
    products: &[Advertised],
    places: &[usize],
    rule: &PairRule,
    labels: LabelRule,
    seed: u64,
) -> Result<(Vec<Labelled>, PairCounts), TrainError> {
    let mut counts = PairCounts::default();
    let mut found = Vec::new();
    for &place in places {
        let creatives = &products[place].creatives;
        let mut of_product = Vec::new();
        for first in 0..creatives.len() {
            for second in first + 1..creatives.len() {
                let pair = bare(place, creatives[first].arm, creatives[second].arm);
                counts.possible += 1;
                counts.equal += u64::from(!differs(&pair));
                if rule.takes(&pair) {
                    of_product.push((pair, [first, second]));
                }
            }
        }
        if let Some(most) = rule.max_per_product.filter(|most| of_product.len() > *most) {
            let name = |at: usize| creatives[at].name.as_str();
            of_product.sort_by_cached_key(|(_, [a, b])| rng::derive(seed, &["drawn", name(*a), name(*b)]));
            of_product.truncate(most);
            of_product.sort_by_key(|(_, places)| *places);
        }
        found.extend(of_product);
    }
    counts.used = found.len() as u64;
    let prior = prior(&found, labels)?;
    let labelled = found.iter().map(|(pair, creatives)| {
        let names = creatives.map(|at| products[pair.product].creatives[at].name.as_str());
        let (first, ctr) = match &prior {
            None => (
                f64::from(u8::from(pair.first.ctr() > pair.second.ctr())),
                [pair.first.ctr(), pair.second.ctr()],
            ),
            Some(prior) => {
                let mean = |arm: Arm| {
                    let after = prior.of(pair.product).after(arm.clicks, arm.impressions - arm.clicks);
                    after.a / (after.a + after.b)
                };
                (prior.p_first(pair), [mean(pair.first), mean(pair.second)])
            }
        };
        let first_left = rng::derive(seed, &["side", names[0], names[1]]) & 1 == 0;
        Labelled { product: pair.product, creatives: *creatives, first, ctr, first_left }
    });
    Ok((labelled.collect(), counts))
}

fn prior(
    found: &[(Pair, [usize; 2])],
    labels: LabelRule,
) -> Result<Option<adeval_eval::pairs::ceiling::Fitted>, TrainError> {
    if labels == LabelRule::Observed || found.is_empty() {
        return Ok(None);
    }
    let pairs: Vec<Pair> = found.iter().map(|(pair, _)| pair.clone()).collect();
    let fitted = Prior::WithinProduct.fit(&pairs);
    fitted.map(Some).map_err(|error| TrainError::Recipe(format!("labels = \"posterior\": {error}")))
}

/// A pair without answers.
pub const fn bare(product: usize, first: Arm, second: Arm) -> Pair {
    Pair { product, category: None, first, second, first_left: None, second_left: None }
}

#[cfg(test)]
mod tests {
    use super::super::data::tests::advertised;
    use super::*;

    #[test]
    fn the_papers_filter_takes_what_it_says() {
        let paper = PairRule {
            min_impressions: 1001,
            min_clicks: 1,
            min_ratio: 1.05,
            max_ratio: Some(1.2),
            ..PairRule::default()
        };
        // 3.0%, 3.3% (ratio 1.1), 4.5% (1.5 and 1.36), too few impressions, equal to the first.
        let shop = [advertised("a", &[(60, 2000), (66, 2000), (90, 2000), (33, 1000), (60, 2000)])];
        let (pairs, counts) = of(&shop, &[0], &paper, LabelRule::Observed, 1).unwrap();
        assert_eq!(counts, PairCounts { possible: 10, equal: 2, used: 2 });
        let taken: Vec<_> = pairs.iter().map(|pair| (pair.creatives, pair.first)).collect();
        assert_eq!(taken, [([0, 1], 0.0), ([1, 4], 1.0)]);
        assert_eq!(pairs[0].ctr, [0.03, 0.033]);
    }

    #[test]
    fn no_product_has_more_pairs_than_are_wanted() {
        let arms: Vec<(u64, u64)> = (1..=12).map(|clicks| (clicks, 100)).collect();
        let shop = [advertised("a", &arms), advertised("b", &arms[..3])];
        let rule = PairRule { max_per_product: Some(10), ..PairRule::default() };
        let drawn = |seed| of(&shop, &[0, 1], &rule, LabelRule::Observed, seed).unwrap();
        let (pairs, counts) = drawn(1);
        assert_eq!(counts, PairCounts { possible: 69, equal: 0, used: 13 });
        assert_eq!(pairs, drawn(1).0);
        assert_ne!(pairs, drawn(2).0);
        let first: std::collections::HashSet<_> =
            pairs[..10].iter().flat_map(|pair| pair.creatives).collect();
        assert!(first.len() > 6, "drawn from all: {pairs:?}");
    }

    #[test]
    fn a_pair_that_chance_may_have_ordered_has_a_soft_label() {
        let shop = [
            advertised("a", &[(50, 1000), (51, 1000)]),
            advertised("b", &[(10, 1000), (90, 1000)]),
            advertised("c", &[(20, 1000), (60, 1000)]),
        ];
        let (pairs, _) = of(&shop, &[0, 1, 2], &PairRule::default(), LabelRule::Posterior, 1).unwrap();
        assert!((0.4..0.5).contains(&pairs[0].first), "{pairs:?}");
        assert!(pairs[1].first < 1e-6, "{pairs:?}");
        assert!(pairs[1].ctr[0] > 0.01 && pairs[1].ctr[1] < 0.09, "shrunk: {pairs:?}");
    }

    #[test]
    fn rules_that_make_no_sense_are_refused_by_name() {
        let wrong = |rule: PairRule| rule.check("pairs").unwrap_err();
        assert!(wrong(PairRule { min_ratio: 0.5, ..PairRule::default() }).contains("pairs.min_ratio"));
        assert!(wrong(PairRule { min_impressions: 0, ..PairRule::default() }).contains("min_impressions"));
        let most = PairRule { min_ratio: 1.2, max_ratio: Some(1.1), ..PairRule::default() };
        assert!(wrong(most).contains("max_ratio"));
    }
}
