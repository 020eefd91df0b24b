//! Trainable prompt generators: their log-probabilities are those of what they sample, and of the right policy.

use super::super::exercise::Case;
use super::super::material;
use super::super::rule::{Finding, Rule, Scope, Verdict, ensure};
use super::super::subject::Subject;
use super::rule;
use adeval_sdk::client::PromptClient;
use adeval_sdk::{
    AnswerGradient, CallContext, ConditionedAnswer, GradientOptions, Kind, Policy, PromptRequest,
    PromptSample, Result, TrainingOptions, rng,
};
use std::collections::BTreeMap;

const POLICIES: Scope = Scope::Trainable(Kind::PromptGenerator);

pub static RULES: [Rule; 4] = [
    rule!(
        "log-probs-match",
        Basic,
        POLICIES,
        "log-probs asked for are those that came with the samples",
        matching
    ),
    rule!(
        "log-probs-are-frequencies",
        Standard,
        POLICIES,
        "samples are as frequent as their log-probs say",
        frequent
    ),
    rule!("training-raises", Standard, POLICIES, "training on an answer makes it more likely", raises),
    rule!(
        "reference-stays",
        Standard,
        POLICIES,
        "training moves the current policy, not the reference",
        reference
    ),
];

fn sample(
    client: &PromptClient,
    subject: &Subject,
    number: usize,
    samples: u32,
) -> Result<Vec<PromptSample>> {
    let case = Case::new(subject.seed(), number, (64, 64));
    let seed = rng::derive(case.seed, &["sample"]);
    let request =
        PromptRequest { samples, max_tokens: 64, ..PromptRequest::new(material::product(number), seed) };
    let mut replies = client.generate(&[request], &CallContext::detached())?;
    replies.pop().unwrap_or_else(|| Ok(Vec::new()))
}

fn answers(samples: &[PromptSample], product: usize) -> Vec<ConditionedAnswer> {
    let answer = |s: &PromptSample| ConditionedAnswer {
        condition: material::product(product),
        tokens: s.tokens.clone(),
    };
    samples.iter().map(answer).collect()
}

fn matching(subject: &Subject) -> Verdict {
    let client = PromptClient::new(subject.create()?);
    let mut worst = 0.0_f64;
    for number in 0..3 {
        let samples = sample(&client, subject, number, 3)?;
        let asked =
            client.log_probs(Policy::Current, &answers(&samples, number), &CallContext::detached())?;
        for (sample, asked) in samples.iter().zip(&asked) {
            ensure!(
                !sample.log_probs.is_empty(),
                "a sample carries no log-probs, which a trainable generator must give"
            );
            for (a, b) in sample.log_probs.iter().zip(asked) {
                ensure!(*b <= 1e-6, "a log-prob of {b} is that of a probability above 1");
                worst = worst.max((a - b).abs());
            }
        }
    }
    ensure!(
        worst < 1e-2,
        "log-probs differ by up to {worst:.3e}: sampled ones must be at temperature 1, without top-p"
    );
    if worst > 1e-4 {
        return Err(Finding::Warning(format!("they differ by up to {worst:.3e}")));
    }
    Ok(format!("9 samples, off by up to {worst:.1e}"))
}

/// The first token decides: its frequency among many samples against the probability that each sample gives it.
fn frequent(subject: &Subject) -> Verdict {
    const WANTED: usize = 2000;
    let client = PromptClient::new(subject.create()?);
    let mut seen: BTreeMap<u32, (usize, f64)> = BTreeMap::new();
    let mut drawn = 0;
    let mut call = 0_u64;
    while drawn < WANTED && (subject.has_time(0.7) || drawn == 0) {
        let seed = rng::derive(subject.seed(), &["frequency", &call.to_string()]);
        let request =
            PromptRequest { samples: 50, max_tokens: 1, ..PromptRequest::new(material::product(0), seed) };
        let mut replies = client.generate(&[request], &CallContext::detached())?;
        let samples = replies.pop().unwrap_or_else(|| Ok(Vec::new()))?;
        ensure!(!samples.is_empty(), "50 samples were asked for, and none came back");
        for sample in samples {
            if let (Some(token), Some(log_prob)) = (sample.tokens.first(), sample.log_probs.first()) {
                let entry = seen.entry(*token).or_insert((0, log_prob.exp()));
                entry.0 += 1;
            }
            drawn += 1;
        }
        call += 1;
    }
    if drawn < 200 {
        return Err(Finding::Skipped(format!("only {drawn} samples could be drawn in the time")));
    }
    let mut worst = 0.0_f64;
    for (token, (count, probability)) in &seen {
        let expected = *probability * drawn as f64;
        if expected < 10.0 {
            continue;
        }
        let deviation = (expected * (1.0 - probability)).sqrt().max(1.0);
        let off = (*count as f64 - expected).abs() / deviation;
        // Five standard deviations over a few dozen tokens: a false alarm in a hundred thousand checks.
        ensure!(
            off < 5.0,
            "token {token} came {count} times in {drawn} samples; its log-prob says {expected:.0} times"
        );
        worst = worst.max(off);
    }
    Ok(format!("{drawn} samples, {} first tokens, the worst {worst:.1} standard deviations off", seen.len()))
}

/// The summed log-prob of every answer.
fn sums(client: &PromptClient, policy: Policy, answers: &[ConditionedAnswer]) -> Result<Vec<f64>> {
    let log_probs = client.log_probs(policy, answers, &CallContext::detached())?;
    Ok(log_probs.iter().map(|tokens| tokens.iter().sum()).collect())
}

/// Steps that make an answer more likely: d loss / d log-prob is -1 for each of its tokens.
pub fn train_on(client: &PromptClient, answer: &ConditionedAnswer, steps: usize) -> Result<()> {
    let cx = CallContext::detached();
    let training = client.training();
    let example =
        AnswerGradient { answer: answer.clone(), loss_by_log_prob: vec![-1.0; answer.tokens.len()] };
    for _ in 0..steps {
        training.accumulate_gradient(std::slice::from_ref(&example), &GradientOptions::default(), &cx)?;
        training.step(&TrainingOptions::new(1e-3), &cx)?;
    }
    Ok(())
}

fn raises(subject: &Subject) -> Verdict {
    let client = PromptClient::new(subject.create()?);
    let answers = answers(&sample(&client, subject, 0, 1)?, 0);
    let before = sums(&client, Policy::Current, &answers)?[0];
    train_on(&client, &answers[0], 10)?;
    let after = sums(&client, Policy::Current, &answers)?[0];
    ensure!(
        after > before,
        "after 10 steps its log-prob is {after:.6}, from {before:.6}: check the gradient's sign"
    );
    Ok(format!("from {before:.4} to {after:.4} in 10 steps"))
}

fn reference(subject: &Subject) -> Verdict {
    let client = PromptClient::new(subject.create()?);
    let answers = answers(&sample(&client, subject, 0, 2)?, 0);
    let before = sums(&client, Policy::Reference, &answers)?;
    train_on(&client, &answers[0], 5)?;
    ensure!(
        sums(&client, Policy::Reference, &answers)? == before,
        "training changed the reference's log-probs"
    );
    let current = sums(&client, Policy::Current, &answers)?;
    ensure!(current != before, "training did not change the current policy's log-probs");
    client.set_reference(&CallContext::detached())?;
    let moved = sums(&client, Policy::Reference, &answers)?;
    let off = moved.iter().zip(&current).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    ensure!(off < 1e-6, "after set_reference the two policies differ by {off:.3e}");
    Ok("5 steps, then set_reference".into())
}
