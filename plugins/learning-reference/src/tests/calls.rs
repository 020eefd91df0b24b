//! The trainable halves as a host sees them: through an endpoint and its clients.

use super::*;
use crate::{CategoricalParameters, CategoricalPrompt, LogisticParameters, LogisticReward};
use adeval_sdk::client::{PromptClient, RewardClient};
use adeval_sdk::endpoint;

fn answer(token: u32) -> ConditionedAnswer {
    ConditionedAnswer { condition: product("Red Lamp", "Lighting", [200, 30, 20]), tokens: vec![token] }
}

fn policy() -> PromptClient {
    let policy = CategoricalPrompt::create(CategoricalParameters::default(), &environment()).unwrap();
    PromptClient::new(endpoint::trainable_prompt_generator(policy).into())
}

fn log_p(policy: &PromptClient, which: Policy) -> f64 {
    policy.log_probs(which, &[answer(3)], &cx()).unwrap()[0][0]
}

#[test]
fn a_policy_is_trained_saved_and_loaded_by_calls() {
    let (policy, other, directory) = (policy(), policy(), tempfile::tempdir().unwrap());
    let training = policy.training();
    let before = log_p(&policy, Policy::Current);
    let example = AnswerGradient { answer: answer(3), loss_by_log_prob: vec![-1.0] };
    training.accumulate_gradient(std::slice::from_ref(&example), &whole(), &cx()).unwrap();
    let report = training.step(&TrainingOptions::new(0.1), &cx()).unwrap();
    assert!(report.grad_norm.unwrap() > 0.0);
    let after = log_p(&policy, Policy::Current);
    assert!(after > before && log_p(&policy, Policy::Reference) == before);
    policy.set_reference(&cx()).unwrap();
    assert_eq!(log_p(&policy, Policy::Reference), after);

    training.save(directory.path(), &cx()).unwrap();
    other.training().load(directory.path(), &cx()).unwrap();
    assert_eq!(log_p(&other, Policy::Current), after);

    // A cleared gradient is no gradient.
    training.accumulate_gradient(&[example], &whole(), &cx()).unwrap();
    training.clear_gradient(&cx()).unwrap();
    assert_eq!(training.step(&TrainingOptions::new(0.1), &cx()).unwrap().grad_norm, Some(0.0));
}

fn instruction(answer: usize) -> Instruction {
    let condition = product("Red Lamp", "Lighting", [200, 30, 20]);
    Instruction { condition, question: None, answer: crate::templates::TEMPLATES[answer].into() }
}

#[test]
fn instructions_teach_what_derivatives_of_minus_one_would() {
    let (taught, steered) = (policy(), policy());
    let examples = [instruction(3), instruction(5)];
    let losses = taught.instruction_losses(&examples, &cx()).unwrap();
    assert!((losses[0] + log_p(&taught, Policy::Current)).abs() < 1e-12);
    let report = taught.accumulate_instructions(&examples, &whole(), &cx()).unwrap();
    assert!((report.loss.unwrap() - f64::midpoint(losses[0], losses[1])).abs() < 1e-12);
    let half = |token| AnswerGradient { answer: answer(token), loss_by_log_prob: vec![-0.5] };
    steered.training().accumulate_gradient(&[half(3), half(5)], &whole(), &cx()).unwrap();
    for client in [&taught, &steered] {
        client.training().step(&TrainingOptions::new(0.1), &cx()).unwrap();
    }
    assert_eq!(log_p(&taught, Policy::Current), log_p(&steered, Policy::Current));
    assert!(taught.instruction_losses(&examples, &cx()).unwrap()[0] < losses[0]);
}

#[test]
fn instructions_that_it_cannot_follow_are_refused_by_name() {
    let policy = policy();
    let own_words = Instruction { answer: "A lamp on the moon.".into(), ..instruction(0) };
    let title = Instruction { question: Some("Write a title.".into()), ..instruction(0) };
    for (wrong, words) in [
        (own_words, ["A lamp on the moon.", "none of its 24"]),
        (title, ["Write a title.", "leave other tasks out"]),
    ] {
        let error = policy.accumulate_instructions(&[wrong], &whole(), &cx()).unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidRequest);
        assert!(words.iter().all(|word| error.message.contains(word)), "{error}");
    }
}

#[test]
fn batches_with_their_weights_make_the_gradient_of_the_whole() {
    let pairs: Vec<_> = (0..6u8)
        .map(|k| {
            let shade = |v: u8| RgbaImage::from_pixel(8, 8, Rgba([v, 90, 200 - v, 255])).into();
            let product = product("Oak Table", "Tables", [150, 110, 60]);
            let pair = PairRequest { product, left: shade(30 * k), right: shade(100) };
            LabelledPair { pair, left: f64::from(k % 2), ctr: Some((0.02, 0.05)) }
        })
        .collect();
    let norm = |batches: &[&[LabelledPair]]| {
        let model = LogisticReward::create(LogisticParameters::default(), &environment()).unwrap();
        let client = RewardClient::new(endpoint::trainable_reward_model(model).into());
        for batch in batches {
            let options = GradientOptions { weight: batch.len() as f64 / pairs.len() as f64, ..whole() };
            client.training().accumulate_gradient(batch, &options, &cx()).unwrap();
        }
        client.training().step(&TrainingOptions::new(0.1), &cx()).unwrap().grad_norm.unwrap()
    };
    let (at_once, in_parts) = (norm(&[&pairs]), norm(&[&pairs[..1], &pairs[1..3], &pairs[3..]]));
    assert!(at_once > 0.0 && close(at_once, in_parts, 1e-12), "{at_once} {in_parts}");
}

#[test]
fn options_without_sense_and_calls_without_a_trainable_half_are_refused() {
    let training = policy().training();
    for (options, field) in [
        (TrainingOptions::new(0.0), "learning_rate"),
        (TrainingOptions { max_grad_norm: Some(f64::NAN), ..TrainingOptions::new(0.1) }, "max_grad_norm"),
        (TrainingOptions { weight_decay: -1.0, ..TrainingOptions::new(0.1) }, "weight_decay"),
    ] {
        let error = training.step(&options, &cx()).unwrap_err();
        assert!(error.kind == ErrorKind::InvalidRequest && error.message.contains(field), "{error}");
    }
    let weight = GradientOptions { weight: f64::INFINITY, ..whole() };
    assert!(training.accumulate_gradient(&[], &weight, &cx()).unwrap_err().message.contains("weight"));

    let plain = CategoricalPrompt::create(CategoricalParameters::default(), &environment()).unwrap();
    let plain = PromptClient::new(endpoint::prompt_generator(plain).into());
    let error = plain.training().step(&TrainingOptions::new(0.1), &cx()).unwrap_err();
    assert!(error.kind == ErrorKind::Unsupported && error.message.contains("train.step"), "{error}");
}
