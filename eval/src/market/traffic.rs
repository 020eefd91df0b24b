//! Impressions: how many there are, which creative and place each gets, and whether it is clicked.

use super::{Facts, Market, SEGMENTS, Truth, shopper};
use crate::bandit::{normal, uniform};
use adeval_sdk::rng::{self, ChaCha8Rng};
use rand::Rng;

/// Places of a page that an advertisement may get.
pub const POSITIONS: usize = 5;

/// Share of the impressions that the logging policy gives to any creative alike.
const EXPLORED: f64 = 0.4;

/// The position-based model: a shopper looks at place j with chance 1/j, and clicks only on what is looked at.
pub mod examination {
    use super::POSITIONS;

    /// The chance that place `position`, from 0, is looked at.
    pub fn of(position: usize) -> f64 {
        1.0 / (position as f64 + 1.0)
    }

    /// Its mean over places: creatives get all of them equally often.
    pub fn mean() -> f64 {
        (0..POSITIONS).map(of).sum::<f64>() / POSITIONS as f64
    }
}

/// One showing of one creative.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Impression {
    /// The day, from 0.
    pub day: u32,
    /// The creative that was shown, as a place in the list.
    pub creative: usize,
    /// The chance that the logging policy gave to it.
    pub propensity: f64,
    /// Where on the page it stood, from 0.
    pub position: usize,
    /// Whether it was clicked.
    pub clicked: bool,
}

impl Market {
    /// How often a product is shown in all days, given how many creatives it has: log-normal.
    pub fn impressions(&self, product: &str, creatives: usize) -> u64 {
        let mut random = self.stream("traffic", product);
        let settings = self.settings();
        let each = settings.impressions * (settings.impression_spread * normal(&mut random)).exp();
        (each * creatives as f64).round().max(1.0) as u64
    }

    /// The logging policy: a share of the impressions goes to all creatives of a product alike, the rest by Zipf's law in an
    /// order that knows nothing of clicks.
    pub fn propensities(&self, product: &str, creatives: usize) -> Vec<f64> {
        let mut random = self.stream("policy", product);
        let mut ranks: Vec<usize> = (0..creatives).collect();
        for last in (1..creatives).rev() {
            ranks.swap(last, below(last + 1, &mut random));
        }
        let total: f64 = (1..=creatives).map(|rank| 1.0 / rank as f64).sum();
        let chance =
            |rank: usize| EXPLORED / creatives as f64 + (1.0 - EXPLORED) / (rank as f64 + 1.0) / total;
        ranks.into_iter().map(chance).collect()
    }

    /// Shows a product's creatives to shoppers, one impression after the other.
    pub fn shop(&self, facts: &Facts, truths: &[Truth], mut shown: impl FnMut(Impression)) {
        if truths.is_empty() {
            return;
        }
        let propensities = self.propensities(&facts.id, truths.len());
        let count = self.impressions(&facts.id, truths.len());
        let shares: [f64; SEGMENTS] = std::array::from_fn(|at| shopper::ALL[at].share(facts.band));
        let mut random = self.stream("shoppers", &facts.id);
        for number in 0..count {
            let creative = drawn(&propensities, &mut random);
            let position = below(POSITIONS, &mut random);
            let segment = drawn(&shares, &mut random);
            // by_segment is over places; where the place is known, so is the chance that it is looked at.
            let chance =
                truths[creative].by_segment[segment] * examination::of(position) / examination::mean();
            shown(Impression {
                day: (number * u64::from(self.settings().days) / count) as u32,
                creative,
                propensity: propensities[creative],
                position,
                clicked: uniform(&mut random) < chance,
            });
        }
    }

    fn stream(&self, what: &str, product: &str) -> ChaCha8Rng {
        rng::seeded(rng::derive(self.seed(), &["market", what, product]))
    }
}

/// A place in a list of chances that sum to 1.
fn drawn(chances: &[f64], random: &mut ChaCha8Rng) -> usize {
    let (mut sum, target) = (0.0, uniform(random));
    let reached = |chance: &f64| {
        sum += chance;
        target < sum
    };
    chances.iter().position(reached).unwrap_or(chances.len() - 1)
}

/// A whole number below `count`.
fn below(count: usize, random: &mut ChaCha8Rng) -> usize {
    // The high half of the product: uneven by less than count / 2^64.
    ((u128::from(random.next_u64()) * count as u128) >> 64) as usize
}
