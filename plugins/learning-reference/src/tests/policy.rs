use super::*;
use crate::{CategoricalParameters, CategoricalPrompt, TEMPLATES};

fn policy(initial_scale: f64) -> CategoricalPrompt {
    let parameters = CategoricalParameters { initial_scale, ..Default::default() };
    CategoricalPrompt::create(parameters, &environment()).unwrap()
}

fn answer(condition: &Product, token: u32) -> ConditionedAnswer {
    ConditionedAnswer { condition: condition.clone(), tokens: vec![token] }
}

fn log_prob(policy: &CategoricalPrompt, which: Policy, condition: &Product, token: u32) -> f64 {
    policy.log_probs(which, &[answer(condition, token)], &cx()).unwrap()[0][0]
}

fn lamp() -> Product {
    product("Red Lamp", "Lighting", [200, 30, 20])
}

#[test]
fn sampling_agrees_with_the_log_probs() {
    let policy = policy(2.0);
    let request = PromptRequest { samples: 4096, ..PromptRequest::new(lamp(), 4) };
    let mut counts = [0u32; TEMPLATES.len()];
    for sample in policy.generate(&request, &cx()).unwrap() {
        let token = sample.tokens[0];
        assert_eq!(sample.text, TEMPLATES[token as usize]);
        assert_eq!(sample.log_probs[0], log_prob(&policy, Policy::Current, &lamp(), token));
        counts[token as usize] += 1;
    }
    let mut total = 0.0;
    for (token, count) in counts.into_iter().enumerate() {
        let p = log_prob(&policy, Policy::Current, &lamp(), token as u32).exp();
        total += p;
        let bound = 5.0 * (p * (1.0 - p) / 4096.0).sqrt() + 1.0 / 4096.0;
        assert!((f64::from(count) / 4096.0 - p).abs() < bound, "token {token}: {count} of 4096 at p = {p}");
    }
    assert!(close(total, 1.0, 1e-12));
}

#[test]
fn temperature_and_nucleus_narrow_the_draw() {
    let policy = policy(2.0);
    let ask = |temperature, top_p| {
        let request = PromptRequest { samples: 500, temperature, top_p, ..PromptRequest::new(lamp(), 4) };
        let samples = policy.generate(&request, &cx()).unwrap();
        samples.iter().map(|s| s.tokens[0]).collect::<std::collections::BTreeSet<_>>().len()
    };
    assert_eq!(ask(1e-300, 1.0), 1);
    assert_eq!(ask(1.0, 1e-9), 1);
    assert!(ask(1.0, 0.5) < ask(1.0, 1.0));
}

#[test]
fn the_gradient_matches_finite_differences_of_the_saved_parameters() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("categorical-prompt.json");
    let start = policy(0.7);
    start.save(directory.path(), &cx()).unwrap();
    let saved: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let moved = |index: usize, by: f64| {
        let mut json = saved.clone();
        let value = &mut json["state"]["current"][index];
        *value = (value.as_f64().unwrap() + by).into();
        std::fs::write(&file, serde_json::to_vec(&json).unwrap()).unwrap();
        let mut policy = policy(0.0);
        policy.load(directory.path(), &cx()).unwrap();
        policy
    };
    let loss = |policy: &CategoricalPrompt| {
        let chair = product("Green Chair", "Seating", [20, 120, 40]);
        1.5 * log_prob(policy, Policy::Current, &lamp(), 3)
            - 0.5 * log_prob(policy, Policy::Current, &chair, 7)
    };
    let mut trained = start;
    let chair = product("Green Chair", "Seating", [20, 120, 40]);
    let items = [
        AnswerGradient { answer: answer(&lamp(), 3), loss_by_log_prob: vec![1.5] },
        AnswerGradient { answer: answer(&chair, 7), loss_by_log_prob: vec![-0.5] },
    ];
    trained.accumulate_gradient(&items, &whole(), &cx()).unwrap();
    let gradient = trained.gradient().to_vec();
    assert!(gradient.iter().any(|g| g.abs() > 0.1));
    for (index, &value) in gradient.iter().enumerate().step_by(5) {
        let numeric = (loss(&moved(index, 1e-5)) - loss(&moved(index, -1e-5))) / 2e-5;
        assert!(close(value, numeric, 1e-7), "parameter {index}: {value} and {numeric}");
    }
}

#[test]
fn corrupted_conditions_change_the_log_probs() {
    let policy = policy(0.5);
    let clean = log_prob(&policy, Policy::Current, &lamp(), 2);
    let mut masked = lamp();
    masked.image =
        RgbaImage::from_fn(16, 16, |x, _| Rgba(if x < 12 { [0; 4] } else { [200, 30, 20, 255] })).into();
    let mut swapped = product("Green Chair", "Seating", [1; 3]);
    swapped.image = lamp().image;
    for corrupted in [masked, swapped] {
        assert!((log_prob(&policy, Policy::Current, &corrupted, 2) - clean).abs() > 1e-4);
    }
}

#[test]
fn the_reference_stays_until_it_is_set() {
    let mut policy = policy(0.1);
    let before = log_prob(&policy, Policy::Reference, &lamp(), 5);
    let item = AnswerGradient { answer: answer(&lamp(), 5), loss_by_log_prob: vec![-1.0] };
    policy.accumulate_gradient(&[item], &whole(), &cx()).unwrap();
    let report = policy.step(&TrainingOptions::new(0.05), &cx()).unwrap();
    assert!(report.grad_norm.unwrap() > 0.1);
    assert_eq!(log_prob(&policy, Policy::Reference, &lamp(), 5), before);
    let now = log_prob(&policy, Policy::Current, &lamp(), 5);
    assert!(now > before);
    policy.set_reference().unwrap();
    assert_eq!(log_prob(&policy, Policy::Reference, &lamp(), 5), now);
}

#[test]
fn bad_answers_and_gradients_are_refused_and_change_nothing() {
    let mut policy = policy(0.1);
    let ask = |policy: &CategoricalPrompt, tokens: Vec<u32>| {
        let answers = [ConditionedAnswer { condition: lamp(), tokens }];
        policy.log_probs(Policy::Current, &answers, &cx()).unwrap_err()
    };
    assert!(ask(&policy, vec![24]).message.contains("token 24"));
    assert!(ask(&policy, vec![]).message.contains("0 tokens"));
    let item = |loss_by_log_prob| AnswerGradient { answer: answer(&lamp(), 0), loss_by_log_prob };
    let short = policy.accumulate_gradient(&[item(vec![1.0]), item(vec![])], &whole(), &cx()).unwrap_err();
    assert_eq!(short.kind, ErrorKind::InvalidRequest);
    assert!(policy.gradient().iter().all(|g| *g == 0.0));
    let before = log_prob(&policy, Policy::Current, &lamp(), 0);
    policy.accumulate_gradient(&[item(vec![f64::NAN])], &whole(), &cx()).unwrap();
    assert_eq!(policy.step(&TrainingOptions::new(0.1), &cx()).unwrap_err().kind, ErrorKind::Numerical);
    assert_eq!(log_prob(&policy, Policy::Current, &lamp(), 0), before);
    let still = policy.step(&TrainingOptions::new(0.0), &cx()).unwrap_err();
    assert!(still.message.contains("learning_rate"));
}

#[test]
fn saves_round_trip_and_damage_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let mut policy = policy(0.3);
    policy.save(directory.path(), &cx()).unwrap();
    let mut other = CategoricalPrompt::create(CategoricalParameters::default(), &environment()).unwrap();
    other.load(directory.path(), &cx()).unwrap();
    let ask = |p: &CategoricalPrompt| log_prob(p, Policy::Current, &lamp(), 9);
    assert_eq!(ask(&other), ask(&policy));
    let file = directory.path().join("categorical-prompt.json");
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    assert_eq!(policy.load(directory.path(), &cx()).unwrap_err().kind, ErrorKind::BadWeights);
    std::fs::write(&file, String::from_utf8(whole).unwrap().replacen("categorical-prompt", "other", 1))
        .unwrap();
    assert!(policy.load(directory.path(), &cx()).unwrap_err().message.contains("\"other\""));
    assert_eq!(ask(&other), ask(&policy));
    std::fs::remove_file(&file).unwrap();
    assert_eq!(policy.load(directory.path(), &cx()).unwrap_err().kind, ErrorKind::MissingWeights);
    std::fs::write(&file, "x").unwrap();
    assert_eq!(policy.save(&file, &cx()).unwrap_err().kind, ErrorKind::Io);
}
