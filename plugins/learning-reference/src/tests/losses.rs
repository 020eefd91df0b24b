use super::*;
use crate::{Dpo, DpoParameters, Pcpo, PcpoParameters};

/// Three groups of two to four samples with one to three tokens.
fn batch(corruptions: usize) -> PreferenceBatch {
    let mut next = 0;
    let mut draw = || {
        next += 1;
        number(next)
    };
    let mut probs = |tokens: usize| LogProbs {
        current: (0..tokens).map(|_| draw() - 1.5).collect(),
        reference: (0..tokens).map(|_| draw() - 1.5).collect(),
    };
    let mut sample = |reward: f64, tokens: usize| SampleEvidence {
        reward,
        clean: probs(tokens),
        corrupted: (0..corruptions).map(|_| probs(tokens)).collect(),
        sampled: vec![],
    };
    let groups = vec![
        vec![sample(0.3, 2), sample(0.7, 1)],
        vec![sample(0.9, 3), sample(0.1, 2), sample(0.5, 1), sample(0.2, 2)],
        vec![sample(0.4, 1), sample(0.4, 1)],
    ];
    PreferenceBatch { groups }
}

fn dpo(parameters: DpoParameters) -> Dpo {
    Dpo::create(parameters, &environment()).unwrap()
}

/// Compares every derivative with a central difference.
fn check_gradient(optimizer: &impl RlOptimizer, batch: &PreferenceBatch) {
    let analytic = optimizer.loss(batch, &cx()).unwrap().groups;
    let step = 1e-5;
    let numeric = |change: &dyn Fn(&mut PreferenceBatch, f64)| {
        let at = |by: f64| {
            let mut moved = batch.clone();
            change(&mut moved, by);
            optimizer.loss(&moved, &cx()).unwrap().loss
        };
        (at(step) - at(-step)) / (2.0 * step)
    };
    for (g, group) in analytic.iter().enumerate() {
        for (s, sample) in group.iter().enumerate() {
            for (t, &value) in sample.clean.iter().enumerate() {
                let wanted = numeric(&|b, by| b.groups[g][s].clean.current[t] += by);
                assert!(close(value, wanted, 1e-8), "clean {g} {s} {t}: {value} and {wanted}");
            }
            for (c, corrupted) in sample.corrupted.iter().enumerate() {
                for (t, &value) in corrupted.iter().enumerate() {
                    let wanted = numeric(&|b, by| b.groups[g][s].corrupted[c].current[t] += by);
                    assert!(close(value, wanted, 1e-8), "corrupted {g} {s} {c} {t}: {value} and {wanted}");
                }
            }
        }
    }
    assert!(analytic.iter().flatten().flat_map(|s| &s.clean).any(|v| v.abs() > 1e-3));
}

#[test]
fn dpo_is_its_closed_form() {
    let one = |reward, current: f64, reference: f64| SampleEvidence {
        reward,
        clean: LogProbs { current: vec![current / 2.0; 2], reference: vec![reference] },
        corrupted: vec![],
        sampled: vec![],
    };
    // Different token numbers are a fault of the caller; so give both two tokens.
    let mut batch = PreferenceBatch { groups: vec![vec![one(1.0, -2.0, -3.0), one(0.0, -1.0, -1.5)]] };
    assert_eq!(
        dpo(DpoParameters::default()).loss(&batch, &cx()).unwrap_err().kind,
        ErrorKind::InvalidRequest
    );
    for sample in &mut batch.groups[0] {
        sample.clean.reference = vec![sample.clean.reference[0] / 2.0; 2];
    }
    let answer = dpo(DpoParameters { beta: 0.5, ..Default::default() }).loss(&batch, &cx()).unwrap();
    // margin = 0.5 * ((-2 + 3) - (-1 + 1.5)) = 0.25; loss = ln(1 + e^-0.25)
    assert!(close(answer.loss, (1.0 + (-0.25f64).exp()).ln(), 1e-12));
    assert!(close(answer.groups[0][0].clean[1], -0.5 / (1.0 + 0.25f64.exp()), 1e-12));
    for (name, value) in [
        ("rewards/chosen", 0.5),
        ("rewards/rejected", 0.25),
        ("rewards/margins", 0.25),
        ("rewards/accuracies", 1.0),
        ("logps/chosen", -2.0),
        ("logps/rejected", -1.0),
        ("preferences", 1.0),
    ] {
        assert!(close(answer.metrics[name], value, 1e-12), "{name}");
    }
    let same = |s: &mut SampleEvidence| s.clean.reference.clone_from(&s.clean.current);
    batch.groups[0].iter_mut().for_each(same);
    let start = dpo(DpoParameters::default()).loss(&batch, &cx()).unwrap();
    assert!(close(start.loss, std::f64::consts::LN_2, 1e-12), "a policy at its reference loses ln 2");
}

#[test]
fn gradients_match_finite_differences() {
    for label_smoothing in [0.0, 0.2] {
        check_gradient(&dpo(DpoParameters { beta: 0.7, label_smoothing, min_margin: 0.0 }), &batch(0));
        let parameters = PcpoParameters { condition_weight: 1.3, label_smoothing, ..Default::default() };
        check_gradient(&Pcpo::create(parameters, &environment()).unwrap(), &batch(2));
    }
}

#[test]
fn pcpo_without_its_condition_term_is_dpo() {
    let plain = dpo(DpoParameters { beta: 0.5, ..Default::default() }).loss(&batch(0), &cx()).unwrap();
    let mut with = batch(2);
    for (to, from) in with.groups.iter_mut().flatten().zip(batch(0).groups.into_iter().flatten()) {
        to.clean = from.clean;
    }
    let parameters = PcpoParameters { condition_weight: 0.0, ..Default::default() };
    let pcpo = Pcpo::create(parameters, &environment()).unwrap().loss(&with, &cx()).unwrap();
    assert_eq!(pcpo.loss, plain.loss);
    let full = Pcpo::create(PcpoParameters::default(), &environment()).unwrap();
    assert!(full.loss(&with, &cx()).unwrap().loss > plain.loss + 0.1);
    assert_eq!(full.needs().corruptions.len(), 2);
}

#[test]
fn ties_and_small_margins_make_no_preference() {
    let mut batch = batch(0);
    let answer = dpo(DpoParameters::default()).loss(&batch, &cx()).unwrap();
    assert_eq!((answer.metrics["preferences"], answer.metrics["ties"]), (2.0, 1.0));
    assert!(answer.groups[2].iter().all(|s| s.clean.iter().all(|v| *v == 0.0)));
    let strict = dpo(DpoParameters { min_margin: 0.5, ..Default::default() });
    assert_eq!(strict.loss(&batch, &cx()).unwrap().metrics["preferences"], 1.0);
    batch.groups.drain(..2);
    let none = strict.loss(&batch, &cx()).unwrap();
    assert_eq!((none.loss, none.metrics["preferences"]), (0.0, 0.0));
}

#[test]
fn extremes_stay_finite_and_nan_is_named() {
    let mut batch = batch(0);
    batch.groups[0][1].clean.current[0] = -1e6;
    let answer = dpo(DpoParameters { beta: 100.0, ..Default::default() }).loss(&batch, &cx()).unwrap();
    assert!(answer.loss.is_finite() && answer.loss > 1e6);
    batch.groups[0][1].clean.current[0] = f64::NAN;
    let error = dpo(DpoParameters::default()).loss(&batch, &cx()).unwrap_err();
    assert!(error.kind == ErrorKind::Numerical && error.message.contains("group 0, sample 1"), "{error}");
    let bad = Dpo::create(DpoParameters { beta: 0.0, ..Default::default() }, &environment()).err().unwrap();
    assert!(bad.kind == ErrorKind::InvalidParameters && bad.message.contains("beta"));
}
