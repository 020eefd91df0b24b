//! These tests call the component as the host does: through an endpoint, with a client that checks the
//! shapes of gradients.

use super::*;
use adeval_sdk::{client::OptimizerClient, endpoint};
use std::sync::Arc;

fn loss(batch: &PreferenceBatch) -> Result<LossAndGradient> {
    let component = Optimizer::create(Parameters { samples: 2 }, &Environment::default())?;
    let client = OptimizerClient::new(Arc::from(endpoint::rl_optimizer(component)));
    client.loss(batch, &CallContext::detached())
}

fn sample(reward: f64, log_probs: &[f64]) -> SampleEvidence {
    let (current, reference) = (log_probs.to_vec(), vec![-1.0; log_probs.len()]);
    let clean = LogProbs { current, reference };
    SampleEvidence {
        reward,
        clean,
        corrupted: Vec::new(),
        sampled: Vec::new(),
    }
}

fn batch() -> PreferenceBatch {
    let first = vec![
        sample(1.0, &[-0.5, -2.0]),
        sample(0.2, &[-1.5]),
        sample(0.4, &[-0.1, -0.3]),
    ];
    let second = vec![sample(-3.0, &[-0.7]), sample(2.0, &[-2.5, -0.2, -1.1])];
    PreferenceBatch {
        groups: vec![first, second],
    }
}

#[test]
fn the_gradient_is_that_of_finite_differences() {
    let exact = loss(&batch()).unwrap();
    let step = 1e-6;
    for (g, group) in batch().groups.iter().enumerate() {
        for (s, sample) in group.iter().enumerate() {
            for t in 0..sample.clean.current.len() {
                let shifted = |by: f64| {
                    let mut batch = batch();
                    batch.groups[g][s].clean.current[t] += by;
                    loss(&batch).unwrap().loss
                };
                let slope = (shifted(step) - shifted(-step)) / (2.0 * step);
                let gradient = exact.groups[g][s].clean[t];
                assert!(
                    (slope - gradient).abs() < 1e-7,
                    "{g}, {s}, {t}: {slope}, {gradient}"
                );
            }
        }
    }
}

/// A policy of one token over three answers, taught by steps along the gradient, learns the best one.
#[test]
fn a_toy_policy_learns_the_best_answer() {
    let rewards = [0.1, 0.9, 0.3];
    let mut logits = [0.0_f64; 3];
    let softmax = |logits: &[f64; 3]| {
        let total: f64 = logits.iter().map(|l| l.exp()).sum();
        logits.map(|l| l.exp() / total)
    };
    for _ in 0..200 {
        let p = softmax(&logits);
        let group = (0..3).map(|a| sample(rewards[a], &[p[a].ln()])).collect();
        let answer = loss(&PreferenceBatch {
            groups: vec![group],
        })
        .unwrap();
        for (a, gradient) in answer.groups[0].iter().enumerate() {
            for (other, logit) in logits.iter_mut().enumerate() {
                // d log p(a) / d logit(other) of a softmax.
                let by_logit = f64::from(u8::from(a == other)) - p[other];
                *logit -= gradient.clean[0] * by_logit;
            }
        }
    }
    assert!(softmax(&logits)[1] > 0.95, "{:?}", softmax(&logits));
}

#[test]
fn a_product_with_one_sample_is_named() {
    let lonely = PreferenceBatch {
        groups: vec![vec![sample(1.0, &[-0.5])]],
    };
    assert!(
        loss(&lonely)
            .unwrap_err()
            .message
            .contains("group 0 has 1 samples")
    );
}
