//! Cross-fitting against the Open Bandit Pipeline, whose folds and regressor `fixtures/scripts/goldens_cross_fit.py` stores.

use adeval_eval::ope::cross_fit::CellMeans;
use adeval_eval::ope::{Estimator, Log, value};
use adeval_eval::{Bootstrap, EvalError};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Goldens {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    folds: usize,
    actions: usize,
    product: Vec<u32>,
    action: Vec<usize>,
    fold: Vec<usize>,
    reward: Vec<f64>,
    propensity: Vec<f64>,
    policy: Vec<f64>,
    q_hat: Vec<f64>,
    estimates: BTreeMap<String, f64>,
}

#[test]
fn cross_fitting_agrees_with_obp() {
    let text = include_str!("../../../fixtures/goldens/eval/cross_fit.json");
    let goldens: Goldens = serde_json::from_str(text).unwrap();
    let few = Bootstrap { resamples: 100, ..Bootstrap::default() };
    let (mut of_predictions, mut of_values) = (0.0_f64, 0.0_f64);
    for case in goldens.cases {
        let rounds = case.product.len();
        let mut means = CellMeans::new(case.folds);
        for row in 0..rounds {
            means.add(case.fold[row], case.product[row], case.action[row] as u32, case.reward[row]);
        }
        means.check().unwrap();
        let predict =
            |row: usize, action: usize| means.predict(case.fold[row], case.product[row], action as u32);
        let model: Vec<f64> = (0..rounds)
            .flat_map(|row| (0..case.actions).map(move |a| (row, a)))
            .map(|(r, a)| predict(r, a))
            .collect();
        for (got, wanted) in model.iter().zip(&case.q_hat) {
            of_predictions = of_predictions.max((got - wanted).abs());
        }
        let log = Log {
            actions: case.actions,
            action: case.action,
            reward: case.reward,
            propensity: case.propensity,
            policy: case.policy,
            reward_model: Some(model),
            ..Log::default()
        };
        let rounds = log.rounds().unwrap();
        for (name, wanted) in case.estimates {
            let estimator = match name.as_str() {
                "dm" => Estimator::DirectMethod,
                "dr" => Estimator::Dr { clip: f64::INFINITY },
                "sndr" => Estimator::Sndr,
                "switch_dr 2" => Estimator::SwitchDr { threshold: 2.0 },
                "dr_os 1" => Estimator::DrOs { lambda: 1.0 },
                other => panic!("no estimator {other}"),
            };
            let error = (value(&rounds, estimator, &few).unwrap().value - wanted).abs();
            assert!(error < 1e-9, "{} of {}: off by {error}", name, case.name);
            of_values = of_values.max(error);
        }
    }
    println!("cross-fitting, largest error of predictions {of_predictions:.1e}, of values {of_values:.1e}");
    assert!(of_predictions < 1e-9);
}

#[test]
fn a_round_does_not_predict_itself() {
    let mut means = CellMeans::new(2);
    (0..100).for_each(|_| means.add(0, 1, 1, 0.0));
    (0..100).for_each(|_| means.add(1, 1, 1, 1.0));
    // Fold 0 earned nothing and is predicted by fold 1, which earned always.
    assert_eq!((means.predict(0, 1, 1), means.predict(1, 1, 1)), (1.0, 0.0));
    // What was never seen is the mean of the other fold.
    assert_eq!(means.predict(0, 7, 7), 1.0);
    let mut lonely = CellMeans::new(3);
    lonely.add(1, 0, 0, 1.0);
    assert!(matches!(lonely.check(), Err(EvalError::TooFew { .. })));
    assert!(lonely.check().unwrap_err().to_string().contains("outside of fold 1"));
    assert!(matches!(CellMeans::new(1).check(), Err(EvalError::BadOption { .. })));
}
