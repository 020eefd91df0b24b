//! The losses of a pair: each a scalar function of the pair's log-probabilities, with its two derivatives.
//!
//! With `c` and `r` the log-ratios `log pi - log ref` of the chosen and the rejected answer, `m = beta (c - r)`, and `n` the
//! number of an answer's tokens. Where trl and a paper differ, trl is followed, because its numbers are what people compare with:
//! IPO divides by the length (its authors' advice to trl), BCO has no running shift of rewards.

use super::DpoLoss;
use crate::answer::{log_prob, log_ratio};
use crate::sigmoid::{sigmoid, smoothed, softplus};
use adeval_sdk::prelude::*;

/// What a loss sees of a pair.
pub(crate) struct Pair {
    /// Log-ratios.
    c: f64,
    r: f64,
    /// Log-probabilities a token, which is all that a loss without reference sees.
    average: (f64, f64),
    /// Tokens.
    tokens: (f64, f64),
}

impl Pair {
    pub fn of(chosen: &LogProbs, rejected: &LogProbs) -> Self {
        let tokens = (length(chosen), length(rejected));
        let average = (log_prob(chosen) / tokens.0, log_prob(rejected) / tokens.1);
        Self { c: log_ratio(chosen), r: log_ratio(rejected), average, tokens }
    }

    /// Implicit rewards, as trl reports them.
    pub fn rewards(&self, loss: DpoLoss, beta: f64) -> (f64, f64) {
        match loss {
            DpoLoss::Simpo => (beta * self.average.0, beta * self.average.1),
            _ => (beta * self.c, beta * self.r),
        }
    }
}

fn length(probs: &LogProbs) -> f64 {
    probs.current.len().max(1) as f64
}

/// A loss, and its derivatives by the log-probability of the chosen and of the rejected answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Slopes {
    pub loss: f64,
    pub chosen: f64,
    pub rejected: f64,
}

/// One that sees the difference of the two only, by which it is `slope`.
fn of_difference(loss: f64, slope: f64) -> Slopes {
    Slopes { loss, chosen: slope, rejected: -slope }
}

/// The numbers that the losses take beside the pair.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Constants {
    pub beta: f64,
    pub smoothing: f64,
    pub gamma: f64,
    pub tau: f64,
}

/// The loss of one pair.
pub(crate) fn loss(kind: DpoLoss, pair: &Pair, k: &Constants) -> Slopes {
    let Constants { beta, smoothing, .. } = *k;
    let m = beta * (pair.c - pair.r);
    match kind {
        DpoLoss::Sigmoid => {
            let (loss, slope) = smoothed(m, smoothing);
            of_difference(loss, beta * slope)
        }
        DpoLoss::Hinge => of_difference((1.0 - m).max(0.0), if m < 1.0 { -beta } else { 0.0 }),
        DpoLoss::Ipo => {
            let excess = pair.c / pair.tokens.0 - pair.r / pair.tokens.1 - 0.5 / beta;
            by_token(excess * excess, 2.0 * excess, pair)
        }
        DpoLoss::SigmoidNorm => {
            let (loss, slope) = smoothed(beta * (pair.c / pair.tokens.0 - pair.r / pair.tokens.1), 0.0);
            by_token(loss, beta * slope, pair)
        }
        DpoLoss::Simpo => {
            let (loss, slope) = smoothed(beta * (pair.average.0 - pair.average.1) - k.gamma, smoothing);
            by_token(loss, beta * slope, pair)
        }
        DpoLoss::Robust => {
            let certain = 1.0 - 2.0 * smoothing;
            let loss = ((1.0 - smoothing) * softplus(m) - smoothing * softplus(-m)) / certain;
            let slope = -((1.0 - smoothing) * sigmoid(-m) + smoothing * sigmoid(m)) / certain;
            of_difference(loss, beta * slope)
        }
        DpoLoss::ExoPair => exo(m, beta, smoothing),
        DpoLoss::Discopop => discopop(m, beta, k.tau),
        _ => apart(kind, pair, beta),
    }
}

/// A loss of the difference of log-probabilities a token.
fn by_token(loss: f64, slope: f64, pair: &Pair) -> Slopes {
    Slopes { loss, chosen: slope / pair.tokens.0, rejected: -slope / pair.tokens.1 }
}

/// `KL(softmax(chosen, rejected) || (1 - e, e))`.
fn exo(m: f64, beta: f64, e: f64) -> Slopes {
    let (win, lose) = (sigmoid(m), sigmoid(-m));
    let loss = win * (-softplus(m) - (-e).ln_1p()) + lose * (-softplus(-m) - e.ln());
    // d log win - d log lose = dm, so only the difference of the two brackets is left.
    of_difference(loss, beta * win * lose * (m - (-e).ln_1p() + e.ln()))
}

/// A blend of the logistic and the exponential loss, by the log-ratio itself.
fn discopop(m: f64, beta: f64, tau: f64) -> Slopes {
    let share = sigmoid(m / tau);
    let by_share = share * sigmoid(-m / tau) / tau;
    let (logistic, exponential) = (softplus(m), (-m).exp());
    let loss = logistic * (1.0 - share) + exponential * share;
    let slope = -sigmoid(-m) * (1.0 - share) - exponential * share + (exponential - logistic) * by_share;
    of_difference(loss, beta * slope)
}

/// Losses that hold each answer against the reference by itself.
fn apart(kind: DpoLoss, pair: &Pair, beta: f64) -> Slopes {
    let (a, b) = (beta * pair.c, beta * pair.r);
    let bell = |x: f64| sigmoid(x) * sigmoid(-x);
    let scaled = |loss, by_a: f64, by_b: f64| Slopes { loss, chosen: beta * by_a, rejected: beta * by_b };
    match kind {
        DpoLoss::NcaPair => {
            let loss = softplus(a) + 0.5 * softplus(-a) + 0.5 * softplus(-b);
            scaled(loss, 0.5 * sigmoid(a) - sigmoid(-a), 0.5 * sigmoid(b))
        }
        DpoLoss::BcoPair => scaled(softplus(a) + softplus(-b), -sigmoid(-a), sigmoid(b)),
        DpoLoss::ApoZero => scaled(sigmoid(-a) + sigmoid(b), -bell(a), bell(b)),
        DpoLoss::ApoDown => {
            let m = a - b;
            scaled(sigmoid(a) + sigmoid(-m), bell(a) - bell(m), bell(m))
        }
        // SppoHard: the win rate against the policy is 1 for the chosen and 0 for the rejected answer.
        _ => {
            let (over, under) = (pair.c - 0.5 / beta, pair.r + 0.5 / beta);
            Slopes { loss: over * over + under * under, chosen: 2.0 * over, rejected: 2.0 * under }
        }
    }
}
