//! Learning.

use super::*;
use crate::ranker::{Ranker, Trained};

for_each_model! {
    learning: the_toy_task_is_learned;
    adding_up: gradients_add_up_and_are_cleared;
    stepping: a_step_is_adamw_s;
    labels: labels_that_make_no_sense_are_refused;
    overflowing: a_step_that_is_not_finite_changes_nothing;
}

fn accumulate<R: Ranker>(model: &mut Trained<R>, pairs: &[LabelledPair], weight: f64) -> TrainingReport {
    model.accumulate_gradient(pairs, &GradientOptions { weight, seed: 3 }, &cx()).unwrap()
}

fn the_toy_task_is_learned<M: TrainableRewardModel>(create: impl Fn() -> M) {
    let mut model = create();
    let losses = train(&mut model, &pairs(0..16), 40, 3e-3);
    let (first, last) = (losses[0], losses[39]);
    assert!((first - std::f64::consts::LN_2).abs() < 0.2, "{first}");
    assert!(last < 0.5 * first, "from {first} to {last}");
    let unseen = pairs(100..140);
    let right = unseen.iter().filter(|item| {
        let left = model.compare(&item.pair, &cx()).unwrap().left;
        (left > 0.5) == (item.left > 0.5)
    });
    let right = right.count();
    assert!(right >= 34, "{right} of 40 unseen pairs");
    let ctr = |item: &LabelledPair| {
        let request = ScoreRequest { product: item.pair.product.clone(), creative: item.pair.left.clone() };
        model.score(&request, &cx()).unwrap().ctr
    };
    let mean = |wins: bool| {
        let ctrs: Vec<f64> = unseen.iter().filter(|i| (i.left > 0.5) == wins).map(ctr).collect();
        ctrs.iter().sum::<f64>() / ctrs.len() as f64
    };
    assert!(mean(true) > mean(false), "{} for winners, {} for losers", mean(true), mean(false));
}

fn gradients_add_up_and_are_cleared<R: Ranker>(create: impl Fn() -> Trained<R>) {
    let mut model = create();
    let items = pairs(0..8);
    let whole = accumulate(&mut model, &items, 1.0).grad_norm.unwrap();
    assert!(whole > 0.0);
    let reference = model.gradient.clone();
    model.clear_gradient().unwrap();
    accumulate(&mut model, &items[..2], 0.25);
    let parts = accumulate(&mut model, &items[2..], 0.75).grad_norm.unwrap();
    assert!((parts - whole).abs() < 1e-6 * whole, "{parts}, not {whole}");
    let off = model.gradient.iter().zip(&reference).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(off < 1e-6 * whole, "{off} of {whole}");
    model.clear_gradient().unwrap();
    accumulate(&mut model, &items, 1.0);
    let back = accumulate(&mut model, &items, -1.0).grad_norm.unwrap();
    assert_eq!(back, 0.0);
}

/// The first step of AdamW (Loshchilov and Hutter, 2019) by hand: the moments' corrections leave `g / (|g| + eps)`.
fn a_step_is_adamw_s<R: Ranker>(create: impl Fn() -> Trained<R>) {
    let mut model = create();
    let report = accumulate(&mut model, &pairs(0..4), 1.0);
    let (before, gradient) = (model.weights.clone(), model.gradient.clone());
    let norm = report.grad_norm.unwrap();
    let options = TrainingOptions { learning_rate: 1e-2, max_grad_norm: Some(norm / 4.0), weight_decay: 0.1 };
    let step = model.step(&options, &cx()).unwrap();
    assert_eq!(step.grad_norm, Some(norm));
    for ((w, g), after) in before.iter().zip(gradient).zip(&model.weights) {
        let (w, g) = (f64::from(*w), g / 4.0);
        let wanted = w * (1.0 - 1e-3) - 1e-2 * g / (g.abs() + 1e-8);
        assert!((wanted - f64::from(*after)).abs() < 2e-6 * (1.0 + wanted.abs()), "{after}, not {wanted}");
    }
    let trained = step.metrics["parameters/trained"];
    assert_eq!(trained, before.len() as f64);
    let frozen = if R::ID == "vam-reward" { 0.0 } else { 3_371_008.0 };
    assert_eq!(step.metrics["parameters/total"], trained + frozen);
    assert!(model.gradient.iter().all(|g| *g == 0.0));
}

fn labels_that_make_no_sense_are_refused<M: TrainableRewardModel>(create: impl Fn() -> M) {
    let mut model = create();
    let mut refused = |items: &[LabelledPair]| {
        model.accumulate_gradient(items, &GradientOptions::default(), &cx()).unwrap_err()
    };
    for bad in [
        LabelledPair { left: 1.5, ..labelled(1) },
        LabelledPair { left: f64::NAN, ..labelled(1) },
        LabelledPair { ctr: Some((0.1, -0.1)), ..labelled(1) },
        LabelledPair { ctr: Some((f64::INFINITY, 0.1)), ..labelled(1) },
    ] {
        let error = refused(&[labelled(0), bad]);
        assert_eq!(error.kind, ErrorKind::InvalidRequest);
        assert!(error.message.contains("product-1"), "{error}");
    }
    assert!(refused(&[]).message.contains("no pairs"));
}

fn a_step_that_is_not_finite_changes_nothing<R: Ranker>(create: impl Fn() -> Trained<R>) {
    let mut model = create();
    accumulate(&mut model, &pairs(0..2), 1.0);
    let before = model.weights.clone();
    let error = model.step(&TrainingOptions::new(1e39), &cx()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Numerical, "{error}");
    assert_eq!(model.weights, before);
    assert_eq!(model.optimizer.steps(), 0);
    accumulate(&mut model, &pairs(0..2), f64::MAX);
    accumulate(&mut model, &pairs(0..2), f64::MAX);
    let error = model.step(&TrainingOptions::new(1e-3), &cx()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Numerical, "{error}");
    assert_eq!(model.weights, before);
    model.step(&TrainingOptions::new(1e-3), &cx()).unwrap();
}
