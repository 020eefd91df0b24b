use super::*;
use crate::{LogisticParameters, LogisticReward};
use image::{Rgb, RgbImage};

fn model() -> LogisticReward {
    LogisticReward::create(LogisticParameters::default(), &environment()).unwrap()
}

fn creative(seed: u64) -> Image {
    let level = |k: u64| (127.0 + 127.0 * number(1000 * seed + k)) as u8;
    let (a, b) = ([level(1), level(2), level(3)], [level(4), level(5), level(6)]);
    RgbImage::from_fn(80, 80, |x, y| Rgb(if (20..60).contains(&x) && (20..60).contains(&y) { a } else { b }))
        .into()
}

fn brightness(image: &Image) -> f64 {
    image.bytes().iter().map(|b| f64::from(*b)).sum::<f64>() / image.bytes().len() as f64
}

/// Users of this toy world like bright creatives.
fn labelled(seed: u64) -> LabelledPair {
    let pair = PairRequest {
        product: product("p", "c", [9; 3]),
        left: creative(2 * seed),
        right: creative(2 * seed + 1),
    };
    let (l, r) = (brightness(&pair.left), brightness(&pair.right));
    LabelledPair { left: f64::from(u8::from(l > r)), ctr: Some((l / 2550.0, r / 2550.0)), pair }
}

#[test]
fn the_gradient_matches_finite_differences() {
    let pairs: Vec<_> =
        (0..3).map(labelled).chain([LabelledPair { left: 0.3, ctr: None, ..labelled(7) }]).collect();
    let weights: Vec<f64> = (0..model().weights().len() as u64).map(|i| 0.5 * number(i)).collect();
    let at = |index: usize, by: f64| {
        let mut model = model();
        model.weights_mut().copy_from_slice(&weights);
        model.weights_mut()[index] += by;
        let report = model.accumulate_gradient(&pairs, &whole(), &cx()).unwrap();
        (report.loss.unwrap(), model.gradient().to_vec())
    };
    let gradient = at(0, 0.0).1;
    assert!(gradient.iter().all(|g| g.abs() > 1e-9));
    for (index, &value) in gradient.iter().enumerate() {
        let numeric = (at(index, 1e-5).0 - at(index, -1e-5).0) / 2e-5;
        assert!(close(value, numeric, 1e-8), "weight {index}: {value} and {numeric}");
    }
}

#[test]
fn training_learns_the_toy_preference_and_generalises() {
    let pairs: Vec<_> = (0..80).map(labelled).collect();
    let mut model = model();
    let mut losses = Vec::new();
    for _ in 0..150 {
        losses.push(model.accumulate_gradient(&pairs, &whole(), &cx()).unwrap().loss.unwrap());
        let report = model.step(&TrainingOptions::new(0.05), &cx()).unwrap();
        let counts = ["parameters/trained", "parameters/total"].map(|name| report.metrics[name]);
        assert_eq!(counts, [21.0; 2]);
    }
    assert!(losses[0] > 0.69 && losses[149] < 0.3, "{} -> {}", losses[0], losses[149]);
    let right = (1000..1100)
        .map(labelled)
        .filter(|p| (model.compare(&p.pair, &cx()).unwrap().left > 0.5) == (p.left > 0.5));
    let right = right.count();
    assert!(right >= 85, "{right} of 100 unseen pairs");
}

#[test]
fn swapped_sides_mirror_and_saves_round_trip() {
    let directory = tempfile::tempdir().unwrap();
    let mut trained = model();
    trained.accumulate_gradient(&[labelled(1), labelled(2)], &whole(), &cx()).unwrap();
    trained.step(&TrainingOptions::new(0.3), &cx()).unwrap();
    let pair = labelled(3).pair;
    let swapped = PairRequest { left: pair.right.clone(), right: pair.left.clone(), ..pair.clone() };
    let left = trained.compare(&pair, &cx()).unwrap().left;
    assert!(left != 0.5);
    assert_eq!(left, 1.0 - trained.compare(&swapped, &cx()).unwrap().left);
    trained.save(directory.path(), &cx()).unwrap();
    let from = Environment { weights: Some(directory.path().into()), ..environment() };
    let loaded = LogisticReward::create(LogisticParameters::default(), &from).unwrap();
    assert_eq!(loaded.compare(&pair, &cx()).unwrap().left, left);
    std::fs::write(directory.path().join("logistic-reward.json"), "{").unwrap();
    assert_eq!(trained.load(directory.path(), &cx()).unwrap_err().kind, ErrorKind::BadWeights);
    assert_eq!(trained.compare(&pair, &cx()).unwrap().left, left);
}

#[test]
fn labels_out_of_range_are_refused() {
    for bad in [
        LabelledPair { left: 1.5, ..labelled(1) },
        LabelledPair { left: f64::NAN, ..labelled(1) },
        LabelledPair { ctr: Some((0.1, -0.1)), ..labelled(1) },
    ] {
        let error = model().accumulate_gradient(&[bad], &whole(), &cx()).unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidRequest);
    }
    assert!(model().accumulate_gradient(&[], &whole(), &cx()).unwrap_err().message.contains("no pairs"));
}

#[test]
fn an_untrained_model_says_its_base_rate() {
    let request = ScoreRequest { product: product("p", "c", [9; 3]), creative: creative(1) };
    assert!(close(model().score(&request, &cx()).unwrap().ctr, 0.03, 1e-12));
}
