//! The truth: what each answer is worth for each context, and how noisily a judge tells it.

use super::{ANSWERS, CONTEXTS};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// True expected rewards, in units in which they spread by 1 over answers (half of the variance is an answer's own, half
/// that of an answer in a context).
#[derive(Debug, Clone, PartialEq)]
pub struct World {
    rewards: [[f64; ANSWERS]; CONTEXTS],
}

/// Standard deviation of a judge's error: the size of the spread, so that it orders three random pairs in four rightly
/// (1/2 + atan(1)/pi).
const NOISE: f64 = 1.0;

impl World {
    /// A world drawn from a stream.
    pub fn draw(random: &mut ChaCha8Rng) -> Self {
        let scale = 0.5_f64.sqrt();
        let own: [f64; ANSWERS] = std::array::from_fn(|_| scale * normal(random));
        let rewards =
            std::array::from_fn(|_| std::array::from_fn(|answer| own[answer] + scale * normal(random)));
        Self { rewards }
    }

    /// What an answer is worth.
    pub const fn reward(&self, context: usize, answer: usize) -> f64 {
        self.rewards[context][answer]
    }

    /// What a judge says of it.
    pub fn judged(&self, context: usize, answer: usize, random: &mut ChaCha8Rng) -> f64 {
        self.reward(context, answer) + NOISE * normal(random)
    }

    /// The expected reward of answers with these probabilities, over all contexts.
    pub fn value(&self, probabilities: impl Fn(usize) -> [f64; ANSWERS]) -> f64 {
        let of = |(context, rewards): (usize, &[f64; ANSWERS])| {
            probabilities(context).iter().zip(rewards).map(|(p, r)| p * r).sum::<f64>()
        };
        self.rewards.iter().enumerate().map(of).sum::<f64>() / CONTEXTS as f64
    }

    /// The expected reward of the best answer in each context: no policy has more.
    pub fn best(&self) -> f64 {
        let best = |rewards: &[f64; ANSWERS]| rewards.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        self.rewards.iter().map(best).sum::<f64>() / CONTEXTS as f64
    }
}

/// A number in (0, 1).
pub(crate) fn uniform(random: &mut ChaCha8Rng) -> f64 {
    ((random.next_u64() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
}

/// A standard normal number (Box and Muller, 1958).
pub(crate) fn normal(random: &mut ChaCha8Rng) -> f64 {
    let radius = (-2.0 * uniform(random).ln()).sqrt();
    radius * (std::f64::consts::TAU * uniform(random)).cos()
}
