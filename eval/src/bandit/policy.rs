//! An autoregressive policy small enough to be exact: two tokens an answer, a softmax over all pairs of them, logits that
//! are sums of tables by image and by text.

use super::world::{normal, uniform};
use super::{ANSWERS, CONTEXTS, SECOND_TOKENS};
use rand_chacha::ChaCha8Rng;

/// What an answer is conditioned on; corrupting it is changing a field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Condition {
    /// Context whose image is seen.
    pub image: usize,
    /// Share of the image that is left, [0, 1].
    pub image_share: f64,
    /// Context whose text is read.
    pub text: usize,
}

impl Condition {
    /// A context as it is.
    pub const fn whole(context: usize) -> Self {
        Self { image: context, image_share: 1.0, text: context }
    }
}

/// Three tables of logits: a bias, by image, by text.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    parameters: Vec<f64>,
}

const IMAGES: usize = ANSWERS;
const TEXTS: usize = ANSWERS * (1 + CONTEXTS);
/// Number of parameters.
pub(super) const PARAMETERS: usize = ANSWERS * (1 + 2 * CONTEXTS);
/// Standard deviation of the starting logits' three parts.
const START: f64 = 0.3;

impl Policy {
    /// A starting policy: it has seen no reward, and leans a little.
    pub fn draw(random: &mut ChaCha8Rng) -> Self {
        Self { parameters: (0..PARAMETERS).map(|_| START * normal(random)).collect() }
    }

    pub(super) fn parameters_mut(&mut self) -> &mut [f64] {
        &mut self.parameters
    }

    /// Where a condition's rows start, and how much each counts.
    const fn rows(condition: &Condition) -> [(usize, f64); 3] {
        [
            (0, 1.0),
            (IMAGES + condition.image * ANSWERS, condition.image_share),
            (TEXTS + condition.text * ANSWERS, 1.0),
        ]
    }

    /// Probabilities of all answers.
    pub fn probabilities(&self, condition: &Condition) -> [f64; ANSWERS] {
        let rows = Self::rows(condition);
        let logit = |answer| rows.iter().map(|(start, share)| share * self.parameters[start + answer]).sum();
        let logits: [f64; ANSWERS] = std::array::from_fn(logit);
        let most = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let weights = logits.map(|logit| (logit - most).exp());
        let total: f64 = weights.iter().sum();
        weights.map(|weight| weight / total)
    }

    /// An answer drawn from the stream.
    pub fn sample(&self, condition: &Condition, random: &mut ChaCha8Rng) -> usize {
        let (mut sum, target) = (0.0, uniform(random));
        let reached = |p: &f64| {
            sum += p;
            target < sum
        };
        self.probabilities(condition).iter().position(reached).unwrap_or(ANSWERS - 1)
    }

    /// log p of the first token, and of the second after it.
    pub fn log_probs(&self, condition: &Condition, answer: usize) -> [f64; 2] {
        let p = self.probabilities(condition);
        let first: f64 = p[beginning_like(answer)].iter().sum();
        // The floor is that of a policy which has ruled an answer out: it stays finite.
        let log = |share: f64| share.max(f64::MIN_POSITIVE).ln();
        [log(first), log(p[answer] / first.max(f64::MIN_POSITIVE))]
    }

    /// Adds the gradient of a loss by the parameters, given its derivatives by the two log-probabilities.
    pub(super) fn add_gradient(
        &self,
        condition: &Condition,
        answer: usize,
        by_token: [f64; 2],
        sum: &mut [f64],
    ) {
        let p = self.probabilities(condition);
        let alike = beginning_like(answer);
        let first: f64 = p[alike.clone()].iter().sum::<f64>().max(f64::MIN_POSITIVE);
        for other in 0..ANSWERS {
            let given_first = if alike.contains(&other) { p[other] / first } else { 0.0 };
            // d log p(first) / d logit, and d log p(second | first) / d logit.
            let by_logit = by_token[0] * (given_first - p[other])
                + by_token[1] * (f64::from(u8::from(other == answer)) - given_first);
            for (start, share) in Self::rows(condition) {
                sum[start + other] += share * by_logit;
            }
        }
    }
}

/// The answers that begin with the same token.
const fn beginning_like(answer: usize) -> std::ops::Range<usize> {
    let first = answer / SECOND_TOKENS;
    first * SECOND_TOKENS..(first + 1) * SECOND_TOKENS
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn tokens_make_answers_and_their_gradient_is_that_of_finite_differences() {
        let policy = Policy::draw(&mut ChaCha8Rng::seed_from_u64(3));
        let condition = Condition { image: 2, image_share: 0.25, text: 5 };
        for (answer, p) in policy.probabilities(&condition).into_iter().enumerate() {
            let [first, second] = policy.log_probs(&condition, answer);
            assert!((first + second - p.ln()).abs() < 1e-12);
        }
        let by_token = [0.7, -1.3];
        let mut stated = vec![0.0; PARAMETERS];
        policy.add_gradient(&condition, 7, by_token, &mut stated);
        for (at, stated) in stated.iter().enumerate() {
            let loss = |by: f64| {
                let mut moved = policy.clone();
                moved.parameters[at] += by;
                let [first, second] = moved.log_probs(&condition, 7);
                by_token[0] * first + by_token[1] * second
            };
            let measured = (loss(1e-6) - loss(-1e-6)) / 2e-6;
            assert!((measured - stated).abs() < 1e-8, "{at}: {measured} against {stated}");
        }
    }
}
