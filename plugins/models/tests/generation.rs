//! Generation against transformers. Goldens: `python fixtures/scripts/goldens_llm_generation.py`.

#[path = "support/llm.rs"]
mod llm;
mod support;

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use adeval_models::ModelError;
use adeval_models::decoder::Decoder;
use adeval_models::generation::{Finish, Generated, Prompt, SamplingOptions, Token, generate, process};
use candle_core::{DType, Device, Tensor};
use serde::Deserialize;
use serde_json::Value;

use llm::Model;
use support::{Parity, golden};

const PARITY: Parity = Parity::new("generation", "transformers 5.24.0");

#[derive(Deserialize)]
struct Facts {
    seen: Vec<u32>,
    settings: BTreeMap<String, Value>,
    prompts: Vec<Vec<u32>>,
    cases: BTreeMap<String, Case>,
}

#[derive(Deserialize)]
struct Case {
    #[serde(flatten)]
    model: Model,
    setting: Value,
    answers: Vec<Vec<u32>>,
}

fn facts() -> Facts {
    llm::facts("generation")
}

fn options(setting: &Value) -> SamplingOptions {
    let number =
        |name: &str, default: f64| setting.get(name).map_or(default, |v| v.as_f64().expect("a number"));
    SamplingOptions {
        temperature: number("temperature", 1.0),
        top_k: number("top_k", 0.0) as usize,
        top_p: number("top_p", 1.0),
        min_p: number("min_p", 0.0),
        repetition_penalty: number("repetition_penalty", 1.0),
        ..SamplingOptions::default()
    }
}

fn prompts(facts: &Facts) -> Vec<Prompt> {
    facts.prompts.iter().cloned().map(Prompt::text).collect()
}

/// Samples without stop strings or a watcher.
fn run(
    decoder: &Decoder,
    prompts: &[Prompt],
    samples: usize,
    seeds: &[u64],
    options: &SamplingOptions,
) -> Vec<Vec<Generated>> {
    generate(decoder, prompts, samples, seeds, options, None, &mut |_| ControlFlow::Continue(()))
        .expect("answers")
}

fn decoder(facts: &Facts) -> Decoder {
    facts.cases["mistral, window"].model.decoder(DType::F32)
}

/// Those of the case that [`decoder`] takes.
fn greedy(max_new_tokens: usize, eos: Vec<u32>) -> SamplingOptions {
    SamplingOptions { repetition_penalty: 1.8, ..SamplingOptions::greedy(max_new_tokens, eos) }
}

#[test]
fn processed_scores_are_those_of_transformers() {
    let (facts, expected) = (facts(), golden("llm/generation.safetensors"));
    let scores = expected["scores"].to_vec2::<f32>().expect("two rows");
    for (name, setting) in &facts.settings {
        let options = options(setting);
        let expected = &expected[&format!("processed.{name}")].to_vec2::<f32>().expect("two rows");
        let (mut found, mut wanted) = (Vec::new(), Vec::new());
        for (scores, expected) in scores.iter().zip(expected) {
            let mut scores = scores.clone();
            process(&mut scores, &facts.seen, &options);
            let kept = |row: &[f32]| row.iter().map(|v| v.is_finite()).collect::<Vec<_>>();
            assert_eq!(kept(&scores), kept(expected), "{name}: which tokens are kept");
            found.extend(scores.into_iter().filter(|v| v.is_finite()));
            wanted.extend(expected.iter().copied().filter(|v| v.is_finite()));
        }
        let tensor = |v: Vec<f32>| Tensor::from_vec(v.clone(), v.len(), &Device::Cpu).expect("a vector");
        PARITY.relative(&format!("processors, {name}"), &tensor(found), &tensor(wanted), 2e-7);
    }
}

#[test]
fn greedy_answers_are_those_of_transformers() {
    let (facts, expected) = (facts(), golden("llm/generation.safetensors"));
    for (name, case) in &facts.cases {
        let decoder = case.model.decoder(DType::F32);
        let options = SamplingOptions { temperature: 0.0, max_new_tokens: 64, ..options(&case.setting) };
        let answers = run(&decoder, &prompts(&facts), 1, &[0; 3], &options);
        let ids: Vec<_> = answers.iter().map(|samples| samples[0].ids.clone()).collect();
        let differ = ids.iter().flatten().zip(case.answers.iter().flatten()).filter(|(a, b)| a != b).count();
        PARITY.number(&format!("greedy, {name}"), "tokens of 192 that differ", differ as f64, 0.0);
        assert_eq!(ids, case.answers, "{name}");
        let log_probs: Vec<f32> = answers.iter().flat_map(|samples| samples[0].log_probs.clone()).collect();
        let found = Tensor::from_vec(log_probs, (3, 64), &Device::Cpu).expect("64 each");
        PARITY.relative(
            &format!("log-probabilities, {name}"),
            &found,
            &expected[&format!("log_probs.{name}")],
            1e-5,
        );
        assert!(answers.iter().flatten().all(|sample| sample.finish == Finish::Length));
    }
}

#[test]
fn a_sample_does_not_depend_on_the_others() {
    let facts = facts();
    let decoder = decoder(&facts);
    let options = SamplingOptions { max_new_tokens: 20, top_p: 0.9, ..SamplingOptions::default() };
    let seeds = [11, 12, 13, 14, 15, 16];
    let all = run(&decoder, &prompts(&facts), 2, &seeds, &options);
    assert_ne!(all[0][0].ids, all[0][1].ids, "two seeds");
    for (number, prompt) in prompts(&facts).into_iter().enumerate() {
        for sample in 0..2 {
            let seed = seeds[2 * number + sample];
            let alone = &run(&decoder, std::slice::from_ref(&prompt), 1, &[seed], &options)[0][0];
            let found = &all[number][sample];
            assert_eq!(found.ids, alone.ids, "prompt {number}, sample {sample}");
            if cfg!(target_arch = "x86_64") {
                let bits = |v: &[f32]| v.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
                assert_eq!(bits(&found.log_probs), bits(&alone.log_probs));
                assert_eq!(bits(&found.drawn_log_probs), bits(&alone.drawn_log_probs));
            }
        }
    }
}

/// Draws of many seeds follow the processed distribution: every share within five standard errors.
#[test]
fn draws_follow_the_distribution() {
    let facts = facts();
    let decoder = decoder(&facts);
    let options =
        SamplingOptions { max_new_tokens: 1, top_k: 5, temperature: 1.5, ..SamplingOptions::default() };
    let seeds: Vec<u64> = (0..4000).collect();
    let answers = &run(&decoder, &prompts(&facts)[..1], seeds.len(), &seeds, &options)[0];
    let mut counts = BTreeMap::<u32, (f64, f64)>::new();
    for answer in answers {
        let share = f64::from(answer.drawn_log_probs[0]).exp();
        counts.entry(answer.ids[0]).or_insert((0.0, share)).0 += 1.0;
    }
    assert_eq!(counts.len(), 5, "the five likeliest");
    assert!((counts.values().map(|(_, share)| share).sum::<f64>() - 1.0).abs() < 1e-5);
    for (token, (count, share)) in counts {
        let error = (share * (1.0 - share) / 4000.0).sqrt();
        assert!((count / 4000.0 - share).abs() < 5.0 * error, "token {token}: {count} of 4000, {share}");
    }
}

#[test]
fn answers_end_at_end_tokens_and_stop_strings() {
    let facts = facts();
    let decoder = decoder(&facts);
    let whole = &facts.cases["mistral, window"].answers;
    let end = whole[0][7];
    let first = whole[0].iter().position(|token| *token == end).expect("it is there");
    let options = greedy(64, vec![1, end]);
    let answers = run(&decoder, &prompts(&facts), 1, &[0; 3], &options);
    assert_eq!(answers[0][0].ids, whole[0][..=first]);
    assert_eq!(answers[0][0].finish, Finish::Eos);
    for (answer, whole) in answers.iter().zip(whole) {
        let answer = &answer[0];
        assert_eq!(answer.ids[..], whole[..answer.ids.len()], "the others go on as before");
        assert_eq!(answer.ids.len(), answer.log_probs.len());
    }
    // Two letters a token, so that a stop string may begin in one and end in the next.
    let letters = |ids: &[u32]| ids.iter().map(|id| format!("{id:02x}")).collect::<String>();
    let stop = letters(&whole[1][4..7])[1..5].to_owned();
    let options = SamplingOptions { stop: vec!["zz".into(), stop.clone()], ..greedy(64, Vec::new()) };
    let mut seen = 0;
    let answers =
        generate(&decoder, &prompts(&facts), 1, &[0; 3], &options, Some(&letters), &mut |token: Token| {
            seen += usize::from(token.prompt == 1);
            ControlFlow::Continue(())
        });
    let answer = &answers.expect("answers")[1][0];
    assert_eq!(answer.finish, Finish::Stop(stop.clone()));
    let text = letters(&answer.ids);
    assert!(text.contains(&stop) && !letters(&answer.ids[..answer.ids.len() - 1]).contains(&stop), "{text}");
    assert_eq!(seen, answer.ids.len(), "every token is seen");
}

#[test]
fn embeddings_stand_for_tokens() {
    let facts = facts();
    let decoder = decoder(&facts);
    let options = greedy(10, Vec::new());
    let ids = facts.prompts[1].clone();
    let embeds = Some(decoder.embed(&ids).expect("embeddings"));
    let found = run(&decoder, &[Prompt { ids, embeds }], 1, &[0], &options);
    assert_eq!(found[0][0].ids[..], facts.cases["mistral, window"].answers[1][..10]);
}

#[test]
fn a_run_can_be_stopped_and_nonsense_is_refused() {
    let facts = facts();
    let decoder = decoder(&facts);
    let options = greedy(50, Vec::new());
    let mut seen = 0;
    let stopped = generate(&decoder, &prompts(&facts), 1, &[0; 3], &options, None, &mut |_| {
        seen += 1;
        if seen == 5 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert!(matches!(stopped, Err(ModelError::Stopped)) && seen == 5);
    let refused = |prompts: &[Prompt], seeds: &[u64], options: &SamplingOptions| {
        let found = generate(&decoder, prompts, 1, seeds, options, None, &mut |_| ControlFlow::Continue(()));
        found.expect_err("refused").to_string()
    };
    let one = prompts(&facts)[0].clone();
    assert!(refused(std::slice::from_ref(&one), &[1, 2], &options).contains("2 seeds for 1 prompts"));
    assert!(refused(&[Prompt::text(Vec::new())], &[1], &options).contains("prompt 0 without a token"));
    let long = SamplingOptions { max_new_tokens: 120, ..options.clone() };
    let message = refused(std::slice::from_ref(&one), &[1], &long);
    assert!(message.contains("9 tokens of prompt 0 and 120 new ones in a context of 128"), "{message}");
    for (wrong, says) in [
        (SamplingOptions { temperature: -1.0, ..options.clone() }, "a temperature of -1"),
        (SamplingOptions { top_p: 0.0, ..options.clone() }, "a top_p of 0"),
        (SamplingOptions { min_p: 1.5, ..options.clone() }, "a min_p of 1.5"),
        (SamplingOptions { repetition_penalty: 0.0, ..options.clone() }, "a repetition penalty of 0"),
        (SamplingOptions { max_new_tokens: 0, ..options.clone() }, "0 new tokens"),
        (SamplingOptions { stop: vec![String::new()], ..options.clone() }, "an empty stop string"),
    ] {
        let message = refused(std::slice::from_ref(&one), &[1], &wrong);
        assert!(message.contains(says), "{message}");
    }
    let nothing = generate(&decoder, &[], 3, &[], &options, None, &mut |_| ControlFlow::Continue(()));
    assert!(nothing.expect("no prompts").is_empty());
    let nan = Tensor::full(f32::NAN, (2, decoder.config().hidden_size), &Device::Cpu).expect("NaN");
    let prompt = Prompt { ids: vec![3, 4], embeds: Some(nan) };
    let message = refused(&[prompt], &[1], &options);
    assert!(message.contains("the scores of the next token hold NaN or infinity"), "{message}");
}
