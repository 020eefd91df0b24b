//! Training on a tiny checkpoint with random weights: an adapter, and everything.

#[path = "../../models/tests/support/llava.rs"]
mod llava;
#[path = "../../models/tests/support/mod.rs"]
mod support;

use adeval_sdk::prelude::*;
use image::{Rgba, RgbaImage};
use llava::{Branch, Layout};
use llava_prompt::{LlavaPrompt, Parameters, Train};
use tempfile::TempDir;

fn tiny(train: Train) -> (TempDir, Parameters) {
    let folder = Branch::read("vicuna").written(Layout::Transformers5);
    let checkpoint = Some(folder.path().to_str().expect("UTF-8").to_owned());
    (folder, Parameters { checkpoint, train, lora_rank: 4, lora_alpha: 8.0, ..Parameters::default() })
}

fn done<T>(result: Result<T>) -> T {
    result.unwrap_or_else(|e| panic!("{e}"))
}

fn open(parameters: &Parameters) -> LlavaPrompt {
    done(LlavaPrompt::create(parameters.clone(), &Environment::default()))
}

fn product(title: &str) -> Product {
    let picture =
        RgbaImage::from_fn(40, 30, |x, y| Rgba([200, 30, (x * 3) as u8, if y < 15 { 255 } else { 0 }]));
    Product::new("bag", title, Image::from(picture))
}

fn samples(plugin: &LlavaPrompt) -> Vec<PromptSample> {
    let request = PromptRequest { samples: 2, max_tokens: 12, ..PromptRequest::new(product("Red bag"), 5) };
    done(plugin.generate(&request, &CallContext::detached()))
}

/// Two answers under their own condition, and one under two corrupted ones.
fn answers(plugin: &LlavaPrompt) -> Vec<ConditionedAnswer> {
    let samples = samples(plugin);
    let tokens = |number: usize| samples[number].tokens.clone();
    let masked = Product { image: Image::from(RgbaImage::new(40, 30)), ..product("Red bag") };
    vec![
        ConditionedAnswer { condition: product("Red bag"), tokens: tokens(0) },
        ConditionedAnswer { condition: product("Red bag"), tokens: tokens(1) },
        ConditionedAnswer { condition: masked, tokens: tokens(0) },
        ConditionedAnswer { condition: product("Blue lamp"), tokens: tokens(0) },
    ]
}

fn of(plugin: &LlavaPrompt, policy: Policy, answers: &[ConditionedAnswer]) -> Vec<Vec<f64>> {
    done(plugin.log_probs(policy, answers, &CallContext::detached()))
}

/// The first answer shall become likelier, the second less likely.
fn step(plugin: &mut LlavaPrompt, answers: &[ConditionedAnswer]) -> f64 {
    let cx = CallContext::detached();
    let examples: Vec<AnswerGradient> = answers[..2]
        .iter()
        .zip([-1.0, 1.0])
        .map(|(answer, sign)| AnswerGradient {
            answer: answer.clone(),
            loss_by_log_prob: vec![sign; answer.tokens.len()],
        })
        .collect();
    let report = done(plugin.accumulate_gradient(&examples, &GradientOptions::default(), &cx));
    assert_eq!(report, TrainingReport::default());
    done(plugin.step(&TrainingOptions::new(5e-3), &cx)).grad_norm.expect("a norm")
}

#[test]
fn log_probs_are_those_of_the_draw_and_follow_the_gradient() {
    for train in [Train::Adapter, Train::All] {
        let (_folder, parameters) = tiny(train);
        let mut plugin = open(&parameters);
        let drawn: Vec<Vec<f64>> = samples(&plugin).into_iter().map(|s| s.log_probs).collect();
        let answers = answers(&plugin);
        let start = of(&plugin, Policy::Current, &answers);
        assert_eq!(start[..2], drawn[..], "{train:?}: teacher-forced as drawn, bit for bit");
        assert_eq!(start, of(&plugin, Policy::Reference, &answers), "{train:?}");
        assert!(start[0] != start[2] && start[0] != start[3], "{train:?}: conditions count");
        assert_eq!(
            of(&plugin, Policy::Current, &answers[1..2])[0],
            start[1],
            "{train:?}: alone as among others"
        );

        for _ in 0..5 {
            assert!(step(&mut plugin, &answers) > 0.0);
        }
        let trained = of(&plugin, Policy::Current, &answers);
        let sum = |row: &Vec<f64>| row.iter().sum::<f64>();
        let (up, down) = (sum(&trained[0]) - sum(&start[0]), sum(&trained[1]) - sum(&start[1]));
        assert!(up > 0.5 && down < -0.5, "{train:?}: {up} and {down}");
        assert_eq!(of(&plugin, Policy::Reference, &answers), start, "{train:?}: the reference stays");
        // What is drawn now has the log-probabilities of the trained policy; an adapter beside the weights costs the last digits.
        for sample in samples(&plugin) {
            let again = [ConditionedAnswer { condition: product("Red bag"), tokens: sample.tokens }];
            let again = of(&plugin, Policy::Current, &again);
            let worst =
                again[0].iter().zip(&sample.log_probs).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(worst < 1e-4, "{train:?}: {worst}");
        }
    }
}

#[test]
fn what_is_saved_goes_on_where_it_stopped_and_is_a_checkpoint() {
    for train in [Train::Adapter, Train::All] {
        let (_folder, parameters) = tiny(train);
        let cx = CallContext::detached();
        let mut plugin = open(&parameters);
        let answers = answers(&plugin);
        let start = of(&plugin, Policy::Current, &answers);
        for _ in 0..3 {
            step(&mut plugin, &answers);
        }
        let trained = of(&plugin, Policy::Current, &answers);
        let saved = tempfile::tempdir().expect("a folder");
        done(plugin.save(saved.path(), &cx));
        step(&mut plugin, &answers);
        let next = of(&plugin, Policy::Current, &answers);
        done(plugin.set_reference());
        assert_eq!(of(&plugin, Policy::Reference, &answers), next, "{train:?}");

        let mut other = open(&parameters);
        for plugin in [&mut plugin, &mut other] {
            done(plugin.load(saved.path(), &cx));
            assert_eq!(of(plugin, Policy::Current, &answers), trained, "{train:?}");
            assert_eq!(of(plugin, Policy::Reference, &answers), start, "{train:?}: the reference came back");
            step(plugin, &answers);
            assert_eq!(of(plugin, Policy::Current, &answers), next, "{train:?}: so did the optimizer");
        }

        // What was saved is a model for whoever names it, and its own reference.
        let weights = Some(saved.path().to_owned());
        let environment = Environment { weights, ..Environment::default() };
        let named = Parameters { checkpoint: None, ..parameters.clone() };
        let begun = done(LlavaPrompt::create(named, &environment));
        assert_eq!(of(&begun, Policy::Current, &answers), trained, "{train:?}");
        assert_eq!(of(&begun, Policy::Reference, &answers), trained, "{train:?}");

        let empty = tempfile::tempdir().expect("a folder");
        assert!(plugin.load(empty.path(), &cx).is_err(), "{train:?}");
        assert_eq!(of(&plugin, Policy::Current, &answers), next, "{train:?}: nothing was changed");
    }
}

/// Layers of the tower have the same names as those of the language model: the files must say which are meant.
#[test]
fn the_files_of_an_adapter_name_layers_of_the_language_model_only() {
    let (_folder, parameters) = tiny(Train::Adapter);
    let targets = vec!["q_proj".to_owned(), "v_proj".to_owned()];
    let mut plugin = open(&Parameters { lora_targets: targets, ..parameters });
    let answers = answers(&plugin);
    step(&mut plugin, &answers);
    let saved = tempfile::tempdir().expect("a folder");
    done(plugin.save(saved.path(), &CallContext::detached()));
    let config = std::fs::read(saved.path().join("adapter_config.json")).expect("a file");
    let config: serde_json::Value = serde_json::from_slice(&config).expect("JSON");
    let targets = config["target_modules"].as_array().expect("names");
    assert_eq!(targets.len(), 4, "{targets:?}");
    assert!(
        targets.iter().all(|t| t.as_str().is_some_and(|t| t.starts_with("model.language_model.layers.")))
    );
    let weights = saved.path().join("adapter_model.safetensors");
    let tensors = candle_core::safetensors::load(weights, &candle_core::Device::Cpu).expect("tensors");
    assert!(
        tensors.contains_key("base_model.model.model.language_model.layers.1.self_attn.q_proj.lora_B.weight")
    );
    assert_eq!(tensors.len(), 8);
}

#[test]
fn what_cannot_be_trained_is_refused() {
    let refused = |edit: &dyn Fn(&mut Parameters)| {
        let (_folder, mut parameters) = tiny(Train::All);
        edit(&mut parameters);
        LlavaPrompt::create(parameters, &Environment::default()).err().expect("refused")
    };
    let error = refused(&|p| p.precision = serde_json::from_str("\"f16\"").expect("a precision"));
    assert!(error.to_string().contains("needs precision f32"), "{error}");
    let error = refused(&|p| p.adapter.clone_from(&p.checkpoint));
    assert!(error.to_string().contains("train one or the other"), "{error}");
    let error = refused(&|p| p.lora_rank = 0);
    assert!(error.to_string().contains("lora_rank is 0"), "{error}");

    let (folder, parameters) = tiny(Train::Adapter);
    let mut plugin = open(&parameters);
    let cx = CallContext::detached();
    let answer = |tokens: Vec<u32>| ConditionedAnswer { condition: product("Red bag"), tokens };
    let error = plugin.log_probs(Policy::Current, &[answer(vec![9999])], &cx).expect_err("no such token");
    assert_eq!(error.kind, ErrorKind::InvalidRequest);
    assert_eq!(of(&plugin, Policy::Reference, &[answer(Vec::new())]), [Vec::<f64>::new()]);
    let mut kind = |tokens: usize, by: Vec<f64>| {
        let example = AnswerGradient { answer: answer(vec![70; tokens]), loss_by_log_prob: by };
        plugin.accumulate_gradient(&[example], &GradientOptions::default(), &cx).expect_err("refused").kind
    };
    assert_eq!(kind(2, vec![1.0]), ErrorKind::InvalidRequest);
    assert_eq!(kind(1, vec![f64::NAN]), ErrorKind::Numerical);
    assert!(plugin.load(folder.path(), &cx).is_err(), "a model is no adapter");
    std::fs::remove_file(folder.path().join("config.json")).expect("a file");
    std::fs::write(folder.path().join("adapter_config.json"), r#"{"base_model_name_or_path": "/nowhere"}"#)
        .expect("a file");
    let error = LlavaPrompt::create(parameters, &Environment::default()).err().expect("refused").to_string();
    assert!(error.contains("is an adapter of \"/nowhere\""), "{error}");
}

fn instruction(question: Option<&str>, answer: &str) -> Instruction {
    Instruction {
        condition: product("Red bag"),
        question: question.map(str::to_owned),
        answer: answer.to_owned(),
    }
}

#[test]
fn instructions_are_learnt_with_the_plugins_own_question_or_another() {
    for train in [Train::Adapter, Train::All] {
        let (_folder, parameters) = tiny(train);
        let mut plugin = open(&parameters);
        let cx = CallContext::detached();
        let all = [
            instruction(None, "on a wooden table, soft light"),
            instruction(Some("What is in this picture?"), "a red leather bag"),
        ];
        let start = done(plugin.instruction_losses(&all, &cx));
        let one = done(plugin.instruction_losses(&all[..1], &cx));
        assert_eq!(one[0], start[0], "{train:?}: alone as among others");
        let asked = [instruction(Some("What is in this picture?"), "on a wooden table, soft light")];
        assert_ne!(
            done(plugin.instruction_losses(&asked, &cx))[0],
            start[0],
            "{train:?}: the question counts"
        );

        // The loss of its own question is that of the answer's tokens as if they had been drawn.
        let report = done(plugin.accumulate_instructions(&all, &GradientOptions::default(), &cx));
        let mean = start.iter().sum::<f64>() / 2.0;
        assert!(report.loss.is_some_and(|loss| (loss - mean).abs() < 1e-5), "{train:?}: {report:?}, {mean}");
        // Two halves make the same gradient as the whole.
        let whole = done(plugin.step(&TrainingOptions::new(1e-12), &cx)).grad_norm.expect("a norm");
        for half in all.chunks(1) {
            let options = GradientOptions { weight: 0.5, seed: 0 };
            done(plugin.accumulate_instructions(half, &options, &cx));
        }
        let halves = done(plugin.step(&TrainingOptions::new(1e-12), &cx)).grad_norm.expect("a norm");
        assert!((whole / halves - 1.0).abs() < 1e-4, "{train:?}: {whole} and {halves}");
        for _ in 0..30 {
            done(plugin.accumulate_instructions(&all, &GradientOptions::default(), &cx));
            done(plugin.step(&TrainingOptions::new(1e-2), &cx));
        }
        let end = done(plugin.instruction_losses(&all, &cx));
        assert!(end[0] < start[0] - 1.0 && end[1] < start[1] - 1.0, "{train:?}: {start:?} to {end:?}");
        let error = plugin.instruction_losses(&[instruction(None, " \n")], &cx).expect_err("empty");
        assert!(error.kind == ErrorKind::InvalidRequest && error.message.contains("empty answer"), "{error}");
    }
}
