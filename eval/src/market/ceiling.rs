//! The best possible pairwise accuracy, exactly: a judge who knows every true CTR against labels that are counts.
//!
//! `pairs::ceiling` estimates it from clicks, as one must with real logs. Here true CTRs and impressions are known, clicks
//! are binomial, and the chance that the truly better creative also got the higher CTR is a sum over counts.

use crate::pairs::Arm;
use statrs::distribution::{Binomial, Discrete};

/// Which pairs of creatives of one product count.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairFilter {
    /// Both need more impressions than this.
    pub impressions_above: u64,
    /// Bounds of the ratio of the higher observed CTR to the lower, which must be above 0; `None` for all pairs.
    pub ratio: Option<(f64, f64)>,
}

/// The expected number of pairs that are left, and of those that a judge orders as their clicks do who knows the truth.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Expected {
    /// Expected pairs.
    pub pairs: f64,
    /// Of them, expected to be ordered rightly; ties count a half.
    pub right: f64,
}

impl PairFilter {
    /// The filter of CAIG: more than 1000 impressions and a click each, and a ratio of CTRs from 1.05 to 1.20.
    pub const PAPER: Self = Self { impressions_above: 1000, ratio: Some((1.05, 1.20)) };
    /// Every pair.
    pub const ALL: Self = Self { impressions_above: 0, ratio: None };

    /// Whether a pair with these counts is left.
    pub fn takes(&self, one: Arm, other: Arm) -> bool {
        let shown = one.impressions.min(other.impressions) > self.impressions_above;
        shown
            && self.ratio.is_none_or(|bounds| one.clicks.min(other.clicks) > 0 && within(one, other, bounds))
    }
}

/// Whether the ratio of the higher CTR to the lower is in bounds.
fn within(one: Arm, other: Arm, (low, high): (f64, f64)) -> bool {
    let (a, b) = (one.ctr(), other.ctr());
    let ratio = a.max(b) / a.min(b);
    ratio >= low && ratio <= high
}

impl Expected {
    /// The share of pairs that are ordered rightly; `None` without pairs.
    pub fn accuracy(&self) -> Option<f64> {
        (self.pairs > 0.0).then(|| self.right / self.pairs)
    }
}

impl std::ops::AddAssign for Expected {
    fn add_assign(&mut self, other: Self) {
        self.pairs += other.pairs;
        self.right += other.right;
    }
}

/// What to expect of a pair: true CTR and impressions of each.
pub fn expected(one: (f64, u64), other: (f64, u64), filter: PairFilter) -> Expected {
    let (better, worse) = if one.0 >= other.0 { (one, other) } else { (other, one) };
    let mut sum = Expected::default();
    if better.1.min(worse.1) <= filter.impressions_above {
        return sum;
    }
    let (first, second) = (Clicks::of(better), Clicks::of(worse));
    for (clicks, chance) in first.each() {
        // Clicks of the other creative at which both have the same CTR.
        let equal = clicks as f64 / better.1 as f64 * worse.1 as f64;
        let (behind, ahead, tied) = match filter.ratio {
            Some(_) if clicks == 0 => continue,
            Some((low, high)) => {
                (second.between(equal / high, equal / low), second.between(equal * low, equal * high), 0.0)
            }
            None => {
                let tied = second.between(equal, equal);
                let behind = second.between(0.0, equal) - tied;
                (behind, 1.0 - behind - tied, tied)
            }
        };
        // With a lower bound of 1 equal CTRs are in both ranges; bounds above 1 have no ties.
        sum.pairs += chance * (behind + ahead + tied);
        sum.right +=
            chance * if better.0 > worse.0 { behind + tied / 2.0 } else { (behind + ahead + tied) / 2.0 };
    }
    sum
}

/// The distribution of a creative's clicks, where it is not negligible.
struct Clicks {
    start: u64,
    chances: Vec<f64>,
    /// Chance of fewer than `start + i`.
    below: Vec<f64>,
}

/// Standard deviations around the mean beyond which nothing is summed: what is left out is below 1e-14.
const REACH: f64 = 8.0;
/// Clicks that are always within reach, for creatives with hardly any.
const LEAST: f64 = 40.0;
/// Room for rounding in a bound that is a whole number of clicks.
const ROOM: f64 = 1e-9;

impl Clicks {
    fn of((ctr, impressions): (f64, u64)) -> Self {
        let mean = ctr * impressions as f64;
        let reach = REACH * (mean * (1.0 - ctr)).sqrt() + LEAST;
        let start = (mean - reach).max(0.0) as u64;
        let end = ((mean + reach) as u64).min(impressions);
        // A CTR in (0, 1) by construction: the logistic function's.
        let chances: Vec<f64> = Binomial::new(ctr, impressions)
            .map(|binomial| (start..=end).map(|count| binomial.pmf(count)).collect())
            .unwrap_or_default();
        let below = std::iter::once(0.0).chain(chances.iter().scan(0.0, |sum, p| {
            *sum += p;
            Some(*sum)
        }));
        Self { start, below: below.collect(), chances }
    }

    fn each(&self) -> impl Iterator<Item = (u64, f64)> {
        (self.start..).zip(self.chances.iter().copied())
    }

    /// The chance of a count in [low, high].
    fn between(&self, low: f64, high: f64) -> f64 {
        let place = |count: f64| (count - self.start as f64).clamp(0.0, self.chances.len() as f64) as usize;
        let from = place((low - ROOM).ceil().max(0.0));
        let to = place((high + ROOM).floor() + 1.0);
        if to > from { self.below[to] - self.below[from] } else { 0.0 }
    }
}
