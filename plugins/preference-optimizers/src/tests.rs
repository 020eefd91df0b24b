//! Gradients are those of the losses, and what has no preference moves nothing.

use crate::{
    Dpo, DpoLoss, DpoParameters, Grpo, GrpoParameters, Importance, Kto, KtoParameters, Normalisation, Pcpo,
    PcpoParameters, Reinforce, ReinforceParameters, Variant,
};
use adeval_sdk::prelude::*;

fn cx() -> CallContext<'static> {
    CallContext::detached()
}

fn environment() -> Environment {
    Environment::default()
}

/// A number in (-1, 1) that depends on the index only.
fn number(index: u64) -> f64 {
    (rng::derive(9, &[&index.to_string()]) >> 11) as f64 / (1u64 << 52) as f64 - 1.0
}

fn close(a: f64, b: f64, tolerance: f64) -> bool {
    (a - b).abs() <= tolerance * (1.0 + a.abs().max(b.abs()))
}

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

/// The batch with the log-probabilities of a policy a little away, and equal numbers of samples.
fn sampled() -> PreferenceBatch {
    let mut batch = batch(0);
    for (at, sample) in (100..).zip(batch.groups.iter_mut().flatten()) {
        let moved = |(t, p): (u64, &f64)| p + 0.3 * number(10 * at + t);
        sample.sampled = (0..).zip(&sample.clean.current).map(moved).collect();
    }
    batch
}

const LOSSES: [DpoLoss; 13] = [
    DpoLoss::Sigmoid,
    DpoLoss::Hinge,
    DpoLoss::Ipo,
    DpoLoss::Robust,
    DpoLoss::ExoPair,
    DpoLoss::NcaPair,
    DpoLoss::BcoPair,
    DpoLoss::SppoHard,
    DpoLoss::ApoZero,
    DpoLoss::ApoDown,
    DpoLoss::Discopop,
    DpoLoss::SigmoidNorm,
    DpoLoss::Simpo,
];

#[test]
fn gradients_match_finite_differences() {
    for loss in LOSSES {
        let label_smoothing = if loss == DpoLoss::ExoPair { 0.2 } else { 0.0 };
        check_gradient(
            &dpo(DpoParameters { loss, beta: 0.7, label_smoothing, ..Default::default() }),
            &batch(0),
        );
    }
    for label_smoothing in [0.0, 0.2] {
        check_gradient(&dpo(DpoParameters { beta: 0.7, label_smoothing, ..Default::default() }), &batch(0));
        let parameters = PcpoParameters { condition_weight: 1.3, label_smoothing, ..Default::default() };
        check_gradient(&Pcpo::create(parameters, &environment()).unwrap(), &batch(2));
    }
    check_gradient(&Kto::create(KtoParameters::default(), &environment()).unwrap(), &sampled());
    let reinforce = |kl_weight| {
        let parameters = ReinforceParameters { samples: 2, kl_weight, ..Default::default() };
        Reinforce::create(parameters, &environment()).unwrap()
    };
    check_gradient(&reinforce(0.0), &batch(0));
    check_gradient(&reinforce(0.1), &sampled());
    for normalisation in [Normalisation::Sequence, Normalisation::Token, Normalisation::DrGrpo] {
        for importance in [Importance::Token, Importance::Sequence] {
            let parameters =
                GrpoParameters { samples: 2, normalisation, importance, max_tokens: 8, ..Default::default() };
            let grpo = Grpo::create(parameters, &environment()).unwrap();
            check_gradient(&grpo, &sampled());
            check_gradient(&grpo, &batch(0));
        }
    }
}

#[test]
fn first_steps_of_clipped_and_plain_losses_are_the_same() {
    let mut fresh = batch(0);
    let plain = |o: &dyn Fn(&PreferenceBatch) -> LossAndGradient, batch: &PreferenceBatch| o(batch).groups;
    let grpo = Grpo::create(GrpoParameters { samples: 2, ..Default::default() }, &environment()).unwrap();
    let reinforce =
        Reinforce::create(ReinforceParameters { samples: 2, ..Default::default() }, &environment()).unwrap();
    let before = [
        plain(&|b| grpo.loss(b, &cx()).unwrap(), &fresh),
        plain(&|b| reinforce.loss(b, &cx()).unwrap(), &fresh),
    ];
    fresh.groups.iter_mut().flatten().for_each(|s| s.sampled.clone_from(&s.clean.current));
    let after = [
        plain(&|b| grpo.loss(b, &cx()).unwrap(), &fresh),
        plain(&|b| reinforce.loss(b, &cx()).unwrap(), &fresh),
    ];
    for (before, after) in before.iter().flatten().flatten().zip(after.iter().flatten().flatten()) {
        assert!(before.clean.iter().zip(&after.clean).all(|(a, b)| close(*a, *b, 1e-12)));
    }
}

#[test]
fn equal_rewards_move_nothing() {
    let mut tie = sampled();
    tie.groups.drain(..2);
    let still = |answer: LossAndGradient| {
        assert!(answer.groups.iter().flatten().all(|s| s.clean.iter().all(|v| *v == 0.0)), "{answer:?}");
        assert_eq!((answer.metrics["preferences"], answer.metrics["ties"]), (0.0, 1.0));
    };
    still(dpo(DpoParameters::default()).loss(&tie, &cx()).unwrap());
    still(Kto::create(KtoParameters::default(), &environment()).unwrap().loss(&tie, &cx()).unwrap());
    let parameters = ReinforceParameters { samples: 2, ..Default::default() };
    still(Reinforce::create(parameters, &environment()).unwrap().loss(&tie, &cx()).unwrap());
    let parameters = GrpoParameters { samples: 2, kl_weight: 0.0, ..Default::default() };
    still(Grpo::create(parameters, &environment()).unwrap().loss(&tie, &cx()).unwrap());
}

#[test]
fn parameters_that_would_do_nothing_are_refused() {
    let refused = |parameters: DpoParameters| Dpo::create(parameters, &environment()).err().unwrap().message;
    let with = |loss, label_smoothing| DpoParameters { loss, label_smoothing, ..Default::default() };
    assert!(refused(with(DpoLoss::Hinge, 0.1)).contains("no use for it"));
    assert!(refused(with(DpoLoss::ExoPair, 0.0)).contains("above 0"));
    assert!(refused(with(DpoLoss::Robust, 0.5)).contains("below 0.5"));
    let nothing = PcpoParameters { masking: false, swapping: false, ..Default::default() };
    assert!(Pcpo::create(nothing, &environment()).err().unwrap().message.contains("use dpo"));
    let parameters = ReinforceParameters { samples: 2, kl_weight: 0.1, ..Default::default() };
    let blind = Reinforce::create(parameters, &environment()).unwrap().loss(&batch(0), &cx()).unwrap_err();
    assert!(blind.message.contains("sampled"), "{blind}");
}

#[test]
fn the_released_variant_takes_an_answer_of_another_length() {
    let parameters = PcpoParameters { variant: Variant::Released, ..Default::default() };
    let pcpo = Pcpo::create(parameters, &environment()).unwrap();
    assert_eq!(pcpo.needs().corruptions[1], Corruption::SwappedPair);
    let mut batch = batch(2);
    for sample in batch.groups.iter_mut().flatten() {
        sample.corrupted[1] = LogProbs { current: vec![-0.4; 5], reference: vec![-0.7; 5] };
    }
    check_gradient(&pcpo, &batch);
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
