//! Gradients of trainable components: their parts add up, and they are those of the loss, by finite differences.
//!
//! The contract shows neither parameters nor gradients, only losses, steps and the gradient's norm. That is enough: a step of
//! length e along a direction d changes the loss by e times the slope along d, and what that slope must be follows from
//! the norm for the two families of optimizers that there are.

use super::super::rule::{Finding, Rule, Scope, Verdict, ensure};
use super::super::subject::Subject;
use super::rule;
use super::training::{labelled, pairs, sampled_answers};
use adeval_sdk::client::{PromptClient, RewardClient};
use adeval_sdk::{
    AnswerGradient, CallContext, ConditionedAnswer, GradientOptions, Kind, LabelledPair, Policy, Result,
    TrainingOptions, TrainingReport,
};
use std::ops::Range;

pub static RULES: [Rule; 2] = [
    rule!(
        "gradient-adds-up",
        Standard,
        Scope::AnyTrainable,
        "weights scale the gradient, and its parts add up",
        adds_up
    ),
    rule!(
        "gradient-fits-loss",
        Standard,
        Scope::AnyTrainable,
        "a step changes the loss as the gradient says, by finite differences",
        fits_loss
    ),
];

/// What is learned from, the same for every instance.
enum Examples {
    Answers(Vec<AnswerGradient>),
    Pairs(Vec<LabelledPair>),
}

impl Examples {
    fn of(subject: &Subject) -> Result<Self, Finding> {
        match subject.component()?.kind {
            Kind::PromptGenerator => {
                let answers = sampled_answers(&PromptClient::new(subject.create()?), subject.seed())?;
                Ok(Self::Answers(weighted(answers)))
            }
            Kind::RewardModel => Ok(Self::Pairs(labelled(&pairs(subject.seed())))),
            kind => Err(Finding::Skipped(format!("no training of a {kind} is known"))),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Answers(answers) => answers.len(),
            Self::Pairs(pairs) => pairs.len(),
        }
    }

    /// The weight of a part of them in the gradient of all: a policy's gradient is a sum over its answers, a judge's a mean.
    fn share(&self, part: &Range<usize>) -> f64 {
        match self {
            Self::Answers(_) => 1.0,
            Self::Pairs(pairs) => part.len() as f64 / pairs.len() as f64,
        }
    }
}

/// Answers whose tokens weigh differently, and not all to the same side.
fn weighted(answers: Vec<ConditionedAnswer>) -> Vec<AnswerGradient> {
    let mut weights = [-2.0, 0.5, -0.25].into_iter().cycle();
    let weigh = |answer: ConditionedAnswer| {
        let loss_by_log_prob = weights.by_ref().take(answer.tokens.len()).collect();
        AnswerGradient { answer, loss_by_log_prob }
    };
    answers.into_iter().map(weigh).collect()
}

/// A new instance and what it learns from.
enum Learner<'a> {
    Policy(PromptClient, &'a [AnswerGradient]),
    Judge(RewardClient, &'a [LabelledPair]),
}

impl<'a> Learner<'a> {
    fn new(subject: &Subject, examples: &'a Examples) -> Result<Self> {
        let endpoint = subject.create()?;
        Ok(match examples {
            Examples::Answers(answers) => Self::Policy(PromptClient::new(endpoint), answers),
            Examples::Pairs(pairs) => Self::Judge(RewardClient::new(endpoint), pairs),
        })
    }

    fn accumulate(&self, part: Range<usize>, weight: f64) -> Result<TrainingReport> {
        let (options, cx) =
            (GradientOptions { weight, ..GradientOptions::default() }, CallContext::detached());
        match self {
            Self::Policy(client, answers) => {
                client.training().accumulate_gradient(&answers[part], &options, &cx)
            }
            Self::Judge(client, pairs) => client.training().accumulate_gradient(&pairs[part], &options, &cx),
        }
    }

    fn step(&self, learning_rate: f64) -> Result<TrainingReport> {
        let (options, cx) = (TrainingOptions::new(learning_rate), CallContext::detached());
        match self {
            Self::Policy(client, _) => client.training().step(&options, &cx),
            Self::Judge(client, _) => client.training().step(&options, &cx),
        }
    }

    /// The loss of all examples now; clears the gradient.
    fn loss(&self) -> Result<f64, Finding> {
        let cx = CallContext::detached();
        match self {
            Self::Policy(client, examples) => {
                let answers: Vec<_> = examples.iter().map(|example| example.answer.clone()).collect();
                let log_probs = client.log_probs(Policy::Current, &answers, &cx)?;
                let weights = examples.iter().flat_map(|example| &example.loss_by_log_prob);
                Ok(weights.zip(log_probs.iter().flatten()).map(|(weight, log_prob)| weight * log_prob).sum())
            }
            Self::Judge(client, pairs) => {
                let loss = self.accumulate(0..pairs.len(), 1.0)?.loss;
                client.training().clear_gradient(&cx)?;
                loss.ok_or_else(|| Finding::Failed("accumulate_gradient reports no loss".into()))
            }
        }
    }
}

/// The norm of a gradient that is added up from weighted parts; none if the component reports no norm.
fn norm(subject: &Subject, examples: &Examples, parts: &[(Range<usize>, f64)]) -> Result<Option<f64>> {
    let learner = Learner::new(subject, examples)?;
    let mut reported = None;
    for (part, weight) in parts {
        reported = learner.accumulate(part.clone(), weight * examples.share(part))?.grad_norm;
    }
    // Some know it only when they step.
    Ok(if reported.is_some() { reported } else { learner.step(1e-6)?.grad_norm })
}

fn norm_of_all(subject: &Subject, examples: &Examples) -> Result<f64, Finding> {
    let silent = "neither accumulate_gradient nor step reports a grad_norm, which this rule compares";
    norm(subject, examples, &[(0..examples.len(), 1.0)])?.ok_or_else(|| Finding::Skipped(silent.into()))
}

fn adds_up(subject: &Subject) -> Verdict {
    let examples = Examples::of(subject)?;
    let whole = norm_of_all(subject, &examples)?;
    let (count, half) = (examples.len(), examples.len() / 2);
    let cases = [
        ("with weight 2", vec![(0..count, 2.0)], 2.0 * whole),
        ("in two parts", vec![(0..half, 1.0), (half..count, 1.0)], whole),
        ("with weight 1 and then -1", vec![(0..count, 1.0), (0..count, -1.0)], 0.0),
    ];
    for (what, parts, expected) in cases {
        let norm = norm(subject, &examples, &parts)?.unwrap_or(f64::NAN);
        let off = (norm - expected).abs() / whole.max(1e-12);
        ensure!(off < 1e-4, "the gradient's norm is {norm:.6e} {what}, and should be {expected:.6e}");
    }
    Ok(format!("norm {whole:.4}"))
}

/// How fast the loss falls with the length of a step along `weight` times the gradient: central differences.
fn slope(subject: &Subject, examples: &Examples, weight: f64, learning_rate: f64) -> Result<f64, Finding> {
    let after = |weight: f64| -> Result<f64, Finding> {
        let learner = Learner::new(subject, examples)?;
        learner.accumulate(0..examples.len(), weight)?;
        learner.step(learning_rate)?;
        learner.loss()
    };
    Ok((after(-weight)? - after(weight)?) / (2.0 * learning_rate))
}

/// A learning rate at which the loss is straight, with the slope there.
fn straight(subject: &Subject, examples: &Examples) -> Result<(f64, f64), Finding> {
    for learning_rate in [1e-3, 1e-4, 1e-5, 1e-6] {
        let whole = slope(subject, examples, 1.0, learning_rate)?;
        let half = slope(subject, examples, 1.0, learning_rate / 2.0)?;
        if whole.is_finite() && (whole - half).abs() <= 0.02 * whole.abs() {
            return Ok((learning_rate, whole));
        }
    }
    Err(Finding::Skipped(
        "the loss is too rough for finite differences at learning rates of 1e-3 to 1e-6".into(),
    ))
}

fn fits_loss(subject: &Subject) -> Verdict {
    const ALLOWED: f64 = 0.1;
    let examples = Examples::of(subject)?;
    let norm = norm_of_all(subject, &examples)?;
    let (learning_rate, measured) = straight(subject, &examples)?;
    let doubled = slope(subject, &examples, 2.0, learning_rate)? / measured;
    let seen =
        format!("the loss falls by {measured:.4e} for a step of length 1, the gradient's norm is {norm:.4e}");
    if (doubled - 2.0).abs() < 0.1 {
        let expected = norm * norm;
        let off = (measured - expected).abs() / expected;
        ensure!(off <= ALLOWED, "{seen}: descent along the loss's gradient would fall by {expected:.4e}");
        return Ok(format!("plain descent, off by {:.1e} of the slope", off));
    }
    if (doubled - 1.0).abs() < 0.05 {
        // Steps scaled for each parameter (Adam) fall by the sum of all |derivatives|, which no norm is above; a step of
        // length 1 along the gradient by the norm itself.
        ensure!(
            measured >= (1.0 - ALLOWED) * norm,
            "{seen}: steps of this kind fall by at least the norm if the gradient is the loss's"
        );
        return Ok(format!("normalised steps, the slope is {:.2} times the norm", measured / norm));
    }
    let strange =
        format!("twice the gradient makes {doubled:.2} times the step: neither plain nor normalised descent");
    Err(Finding::Skipped(strange))
}
