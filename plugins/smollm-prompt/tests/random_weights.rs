//! The plugin on a tiny checkpoint with random weights.

mod support;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use adeval_sdk::prelude::*;
use adeval_sdk::{CallHost, Image};
use smollm_prompt::{Form, Parameters, SmolLmPrompt};
use tempfile::TempDir;

fn tiny() -> (TempDir, Parameters) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("tiny.gguf");
    support::write(&path).expect("a checkpoint");
    let checkpoint = Some(path.to_str().expect("UTF-8").to_owned());
    (folder, Parameters { checkpoint, lora_rank: 4, lora_alpha: 8.0, ..Parameters::default() })
}

fn open(parameters: Parameters) -> Result<SmolLmPrompt> {
    SmolLmPrompt::create(parameters, &Environment::default())
}

fn product(title: &str) -> Product {
    let mut product = Product::new("p", title, Image::from(image::RgbaImage::new(2, 2)));
    product.category = vec!["Home".into(), "Lamps".into()];
    product
}

fn request(title: &str, samples: u32, seed: u64) -> PromptRequest {
    PromptRequest { samples, max_tokens: 24, ..PromptRequest::new(product(title), seed) }
}

fn generate(plugin: &SmolLmPrompt, request: &PromptRequest) -> Vec<PromptSample> {
    plugin.generate(request, &CallContext::detached()).unwrap_or_else(|e| panic!("{e}"))
}

fn answers(plugin: &SmolLmPrompt) -> Vec<ConditionedAnswer> {
    let samples = generate(plugin, &request("A lamp", 2, 5));
    let answer =
        |sample: PromptSample| ConditionedAnswer { condition: product("A lamp"), tokens: sample.tokens };
    samples.into_iter().map(answer).collect()
}

#[test]
fn a_sample_depends_on_its_product_and_seed_alone() {
    let (_folder, parameters) = tiny();
    let plugin = open(parameters.clone()).unwrap_or_else(|e| panic!("{e}"));
    let (two, five) =
        (generate(&plugin, &request("A lamp", 2, 5)), generate(&plugin, &request("A lamp", 5, 5)));
    assert_eq!(two, five[..2]);
    assert_ne!(two, generate(&plugin, &request("A lamp", 2, 6)));
    assert_ne!(two, generate(&plugin, &request("A shoe", 2, 5)));
    let texts: BTreeSet<&str> = five.iter().map(|sample| sample.text.as_str()).collect();
    assert_eq!(texts.len(), 5, "five seeds");
    for sample in &five {
        assert!(!sample.text.trim().is_empty() && !sample.text.contains('\n'));
        assert_eq!(sample.tokens.len(), sample.log_probs.len());
        assert!(sample.log_probs.iter().all(|v| *v <= 0.0 && v.is_finite()));
        assert!(sample.tokens.len() <= 24);
    }
    for form in [Form::F32, Form::Q8_0] {
        let other = open(Parameters { form, ..parameters.clone() }).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(generate(&other, &request("A lamp", 2, 5)).len(), 2, "{form:?}");
    }
}

#[test]
fn parameters_have_an_effect() {
    let (_folder, parameters) = tiny();
    let of = |change: &dyn Fn(&mut Parameters)| {
        let mut parameters = parameters.clone();
        change(&mut parameters);
        generate(&open(parameters).unwrap_or_else(|e| panic!("{e}")), &request("A lamp", 3, 1))
    };
    let plain = of(&|_| {});
    let changes: [&dyn Fn(&mut Parameters); 5] = [
        &|p| p.system = Some("You are brief.".into()),
        &|p| p.instruction = "A scene for {title}:".into(),
        &|p| p.top_k = 2,
        &|p| p.min_p = 0.9,
        &|p| p.repetition_penalty = 5.0,
    ];
    for (number, change) in changes.iter().enumerate() {
        assert_ne!(of(change), plain, "change {number}");
    }
}

#[test]
fn log_probs_are_those_of_the_draw_and_fall_with_the_likelihood() {
    let (_folder, parameters) = tiny();
    let mut plugin = open(parameters).unwrap_or_else(|e| panic!("{e}"));
    let cx = CallContext::detached();
    let samples = generate(&plugin, &request("A lamp", 2, 5));
    let answers = answers(&plugin);
    let of = |plugin: &SmolLmPrompt, policy| {
        plugin.log_probs(policy, &answers, &cx).unwrap_or_else(|e| panic!("{e}"))
    };
    let current = of(&plugin, Policy::Current);
    assert_eq!(
        current,
        samples.iter().map(|s| s.log_probs.clone()).collect::<Vec<_>>(),
        "teacher-forced as drawn"
    );
    assert_eq!(current, of(&plugin, Policy::Reference));
    let sum = |rows: &[Vec<f64>]| rows.iter().map(|row| row.iter().sum::<f64>()).collect::<Vec<_>>();

    // The first answer becomes likelier, the second less likely.
    let signs = [-1.0, 1.0];
    let examples: Vec<AnswerGradient> = answers
        .iter()
        .zip(signs)
        .map(|(answer, sign)| AnswerGradient {
            answer: answer.clone(),
            loss_by_log_prob: vec![sign; answer.tokens.len()],
        })
        .collect();
    let folder = tempfile::tempdir().expect("a folder");
    for _ in 0..5 {
        plugin
            .accumulate_gradient(&examples, &GradientOptions::default(), &cx)
            .unwrap_or_else(|e| panic!("{e}"));
        let report = plugin.step(&TrainingOptions::new(2e-2), &cx).unwrap_or_else(|e| panic!("{e}"));
        assert!(report.grad_norm.is_some_and(|norm| norm > 0.0));
    }
    let (before, after) = (sum(&current), sum(&of(&plugin, Policy::Current)));
    assert!(after[0] > before[0] + 1.0 && after[1] < before[1] - 1.0, "{before:?} to {after:?}");
    assert_eq!(of(&plugin, Policy::Reference), current, "the reference stays");

    plugin.save(folder.path(), &cx).unwrap_or_else(|e| panic!("{e}"));
    let trained = of(&plugin, Policy::Current);
    plugin.set_reference().unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(of(&plugin, Policy::Reference), trained);
    plugin.accumulate_gradient(&examples, &GradientOptions::default(), &cx).unwrap_or_else(|e| panic!("{e}"));
    plugin.step(&TrainingOptions::new(2e-2), &cx).unwrap_or_else(|e| panic!("{e}"));
    let next = of(&plugin, Policy::Current);
    assert_ne!(next, trained);
    assert_eq!(of(&plugin, Policy::Reference), trained, "it has matrices of its own");
    plugin.load(folder.path(), &cx).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(
        (of(&plugin, Policy::Current), of(&plugin, Policy::Reference)),
        (trained.clone(), current.clone())
    );
    plugin.accumulate_gradient(&examples, &GradientOptions::default(), &cx).unwrap_or_else(|e| panic!("{e}"));
    plugin.step(&TrainingOptions::new(2e-2), &cx).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(of(&plugin, Policy::Current), next, "the optimizer's state came back, too");
}

#[test]
fn what_makes_no_sense_is_refused() {
    let (folder, parameters) = tiny();
    let error = |parameters: Parameters| open(parameters).err().expect("refused");
    let at = |path: PathBuf| Parameters {
        checkpoint: Some(path.to_str().expect("UTF-8").into()),
        ..parameters.clone()
    };
    assert_eq!(error(Parameters { checkpoint: None, ..parameters.clone() }).kind, ErrorKind::MissingWeights);
    assert_eq!(error(at(folder.path().join("none.gguf"))).kind, ErrorKind::MissingWeights);
    std::fs::write(folder.path().join("odd.gguf"), b"odd").expect("a file");
    assert_eq!(error(at(folder.path().join("odd.gguf"))).kind, ErrorKind::BadWeights);
    assert_eq!(error(Parameters { min_p: 2.0, ..parameters.clone() }).kind, ErrorKind::InvalidParameters);
    assert_eq!(error(Parameters { attempts: 0, ..parameters.clone() }).kind, ErrorKind::InvalidParameters);
    let on = |device: &str| {
        let environment = Environment { device: device.into(), ..Environment::default() };
        SmolLmPrompt::create(parameters.clone(), &environment).err().map(|e| e.kind)
    };
    assert_eq!(on("cuda:0"), Some(ErrorKind::DeviceUnavailable));

    let mut plugin = open(parameters.clone()).unwrap_or_else(|e| panic!("{e}"));
    let cx = CallContext::detached();
    let long = PromptRequest { max_tokens: 5000, ..request("A lamp", 1, 1) };
    let refused = plugin.generate(&long, &cx).expect_err("longer than the context");
    assert_eq!(refused.kind, ErrorKind::InvalidRequest);
    assert!(refused.to_string().contains("in a context of 4096"), "{refused}");
    let odd = ConditionedAnswer { condition: product("A lamp"), tokens: vec![288] };
    let refused =
        plugin.log_probs(Policy::Current, std::slice::from_ref(&odd), &cx).expect_err("no such token");
    assert_eq!(refused.kind, ErrorKind::InvalidRequest);
    let example = |tokens: usize, by: Vec<f64>| AnswerGradient {
        answer: ConditionedAnswer { condition: product("A lamp"), tokens: vec![70; tokens] },
        loss_by_log_prob: by,
    };
    let mut kind = |example: AnswerGradient| {
        plugin.accumulate_gradient(&[example], &GradientOptions::default(), &cx).expect_err("refused").kind
    };
    assert_eq!(kind(example(2, vec![1.0])), ErrorKind::InvalidRequest);
    assert_eq!(kind(example(1, vec![f64::NAN])), ErrorKind::Numerical);
    assert!(plugin.load(folder.path(), &cx).is_err(), "nothing was saved there");
}

/// Stops after the third token.
struct Impatient(AtomicUsize);

impl CallHost for Impatient {
    fn cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= 3
    }
    fn progress(&self, _: f32, note: &str) {
        self.0.fetch_add(usize::from(note == "drawing tokens"), Ordering::Relaxed);
    }
}

#[test]
fn a_run_can_be_stopped_between_two_tokens() {
    let (_folder, parameters) = tiny();
    let plugin = open(parameters).unwrap_or_else(|e| panic!("{e}"));
    let host = Impatient(AtomicUsize::new(0));
    let error = plugin.generate(&request("A lamp", 1, 1), &CallContext::new(&host)).expect_err("stopped");
    assert_eq!(error.kind, ErrorKind::Cancelled);
    assert_eq!(host.0.load(Ordering::Relaxed), 3);
}

#[test]
fn instructions_are_learnt() {
    let (_folder, parameters) = tiny();
    let mut plugin = open(parameters).unwrap_or_else(|e| panic!("{e}"));
    let cx = CallContext::detached();
    let all = [None, Some("What is it?".to_owned())].map(|question| Instruction {
        condition: product("A lamp"),
        question,
        answer: "on a marble shelf".to_owned(),
    });
    let losses =
        |plugin: &SmolLmPrompt| plugin.instruction_losses(&all, &cx).unwrap_or_else(|e| panic!("{e}"));
    let start = losses(&plugin);
    assert_ne!(start[0], start[1], "the question counts");
    for step in 0..20 {
        let report = plugin.accumulate_instructions(&all, &GradientOptions::default(), &cx);
        let loss = report.unwrap_or_else(|e| panic!("{e}")).loss.expect("a loss");
        assert!(step > 0 || (loss - (start[0] + start[1]) / 2.0).abs() < 1e-5, "{loss} of {start:?}");
        plugin.step(&TrainingOptions::new(2e-2), &cx).unwrap_or_else(|e| panic!("{e}"));
    }
    let end = losses(&plugin);
    assert!(end[0] < start[0] - 0.5 && end[1] < start[1] - 0.5, "{start:?} to {end:?}");
}
