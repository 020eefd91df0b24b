//! Sums by cluster have the values of the rounds, in any order of clusters, and intervals that do not resample.

use crate::support::{assert_nominal, chance, covers, rng, uniform};
use adeval_eval::ope::bounds::{Bound, Limits, Range};
use adeval_eval::ope::tuning::{Family, Rule, choose};
use adeval_eval::ope::{Estimator, Extras, Log, Round, Rounds, Tally, overlap, round_values, value};
use adeval_eval::{Bootstrap, Estimate, EvalError, Method};

const CLICKS: Limits = Limits { reward: Some(Range { low: 0.0, high: 1.0 }), weight: None };

/// 400 rounds of two actions in clusters of eight, for a policy that takes the second with this chance.
fn log(second: f64, modelled: bool) -> Log {
    let n = 400;
    Log {
        actions: 2,
        action: (0..n).map(|i| i % 2).collect(),
        reward: (0..n).map(|i| f64::from(u8::from(i % 7 == 0 || i % 11 == 3))).collect(),
        propensity: (0..n).map(|i| 0.02 + 0.9 * ((i * 37) % 101) as f64 / 101.0).collect(),
        policy: (0..n).flat_map(|_| [1.0 - second, second]).collect(),
        reward_model: modelled.then(|| {
            (0..n).flat_map(|i| [0.1 + 0.001 * (i % 90) as f64, 0.2 + 0.0005 * (i % 50) as f64]).collect()
        }),
        balanced_weight: Some((0..n).map(|i| 0.5 + (i % 5) as f64).collect()),
        marginal_weight: Some((0..n).map(|i| 0.25 * (i % 9) as f64).collect()),
        cluster: Some((0..n).map(|i| i / 8).collect()),
    }
}

fn few() -> Bootstrap {
    Bootstrap { resamples: 300, ..Bootstrap::default() }
}

fn alike(a: &Estimate, b: &Estimate) -> bool {
    let ends = |e: &Estimate| [e.value, e.low.unwrap(), e.high.unwrap()];
    ends(a).iter().zip(ends(b)).all(|(a, b)| (a - b).abs() < 1e-12) && a.n == b.n
}

#[test]
fn sums_have_the_values_of_the_rounds() {
    for (second, modelled) in [(0.3, false), (0.3, true), (0.0, true)] {
        let rounds = log(second, modelled).rounds().unwrap();
        let found = rounds.tally().report(&few(), &CLICKS).unwrap();
        for row in &found.estimates {
            let wanted = value(&rounds, row.estimator, &few()).unwrap();
            assert!(alike(&row.value, &wanted), "{}: {:?} is not {wanted:?}", row.estimator, row.value);
        }
        let names = |tuned| {
            found.estimates.iter().filter(|r| r.tuned == tuned).map(|r| r.estimator).collect::<Vec<_>>()
        };
        let plain = names(false);
        assert!(
            plain.contains(&Estimator::Mipw)
                && plain.contains(&Estimator::BalancedIpw { clip: f64::INFINITY })
        );
        let weights = [1.0, 3.0, 10.0, 30.0, 100.0, 1000.0, f64::INFINITY];
        assert!(
            names(true)
                .contains(&choose(&rounds, Family::Ipw, &weights, Rule::Slope, 0.1).unwrap().estimator)
        );
        let overlap = overlap(&rounds, &few()).unwrap();
        assert!((overlap.effective_sample_size - found.overlap.effective_sample_size).abs() < 1e-9);
        assert_eq!(overlap.quantiles, found.overlap.quantiles);
    }
}

#[test]
fn a_difference_is_that_of_the_values_and_narrower_than_either() {
    let (a, b) = (log(0.7, false).rounds().unwrap(), log(0.6, false).rounds().unwrap());
    let (x, y) = (a.tally(), b.tally());
    let of = |rounds: &Rounds| value(rounds, Estimator::Snipw, &few()).unwrap();
    let found = Tally::differences(&[(&x, Some(&y)), (&x, None)], &few()).unwrap();
    assert!((found[0].value - (of(&a).value - of(&b).value)).abs() < 1e-14);
    let logged = x.report(&few(), &CLICKS).unwrap().logged;
    assert!((found[1].value - (of(&a).value - logged.value)).abs() < 1e-14);
    let width = |e: Estimate| e.high.unwrap() - e.low.unwrap();
    assert!(width(found[0]) < 0.5 * width(of(&a)), "what both share cancels: {found:?}");
    let mut merged = y.clone();
    merged.renumber(|_| 0);
    assert_eq!((merged.clusters(), merged.rounds()), (1, 400));
    assert!(Tally::differences(&[(&x, Some(&merged))], &few()).is_err());
}

#[test]
fn clusters_without_rounds_count_for_nothing() {
    let tally = log(0.3, true).rounds().unwrap().tally();
    let mut spread = tally.clone();
    spread.renumber(|cluster| 3 * cluster + 1);
    assert_eq!(spread.clusters(), 50);
    assert_eq!(spread.report(&few(), &CLICKS).unwrap(), tally.report(&few(), &CLICKS).unwrap());
}

#[test]
fn a_round_without_a_prediction_takes_the_model_out() {
    let mut tally = Tally::new(Extras { model: true, ..Extras::default() });
    let round = |model| Round { reward: 1.0, weight: 0.5, model, ..Round::default() };
    tally.add(0, &round(Some([0.1, 0.2])));
    tally.add(1, &round(None));
    tally.add(2, &round(Some([0.1, 0.2])));
    let found = tally.report(&few(), &CLICKS).unwrap();
    assert!(found.estimates.iter().all(|row| !row.estimator.needs_model()));
    let snipw = found.estimates.iter().find(|row| row.estimator == Estimator::Snipw).unwrap();
    assert!((snipw.value.value - 1.0).abs() < 1e-15);
}

#[test]
fn intervals_of_single_rounds_are_the_bounds_that_goldens_hold() {
    let mut single = log(0.3, true);
    single.cluster = None;
    let rounds = single.rounds().unwrap();
    let limits = Limits { weight: Some(40.0), ..CLICKS };
    let found = rounds.tally().report(&few(), &limits).unwrap();
    let range = Range { low: 0.0, high: 40.0 };
    let doubly = Range { low: -40.0, high: 41.0 };
    for (estimator, range) in [
        (Estimator::Ipw { clip: f64::INFINITY }, range),
        (Estimator::Dr { clip: f64::INFINITY }, doubly),
        (Estimator::Mipw, Range { low: 0.0, high: 2.0 }),
    ] {
        let values = round_values(&rounds, estimator).unwrap();
        let row = found.estimates.iter().find(|row| row.estimator == estimator && !row.tuned).unwrap();
        let bounds = [Bound::StudentT, Bound::EmpiricalBernstein(range), Bound::Hoeffding(range)];
        for (got, bound) in row.intervals.iter().zip(bounds) {
            let wanted = bound.interval(&values, 0.95).unwrap();
            assert_eq!(got.method, wanted.method);
            assert!(alike(got, &wanted), "{estimator}: {got:?} is not {wanted:?}");
        }
        assert_eq!(row.intervals.len(), 3);
    }
    let snipw = found.estimates.iter().find(|row| row.estimator == Estimator::Snipw).unwrap();
    assert_eq!(snipw.intervals.iter().map(|i| i.method).collect::<Vec<_>>(), [Method::StudentT]);
    let of = |limits: &Limits| rounds.tally().report(&few(), limits);
    assert!(of(&Limits::default()).unwrap().estimates.iter().all(|row| row.intervals.len() == 1));
    let small = Limits { weight: Some(1.0), ..CLICKS };
    assert!(matches!(of(&small), Err(EvalError::OutOfRange { .. })));
    let low = Limits { reward: Some(Range { low: 0.0, high: 0.5 }), weight: None };
    assert!(of(&low).unwrap_err().to_string().contains("a reward is 1"));
}

/// Coverage over users with one to nine rounds each: Student's t of a ratio is nominal, the bounds hold.
#[test]
fn intervals_cover_where_clusters_have_different_sizes() {
    const CTR: [f64; 3] = [0.1, 0.3, 0.6];
    const LOGGING: [f64; 3] = [0.6, 0.3, 0.1];
    const POLICY: [f64; 3] = [0.1, 0.3, 0.6];
    let (trials, truth) = (1000, 0.46);
    let (mut hits, mut hoeffding) = ([0; 4], [0; 2]);
    for trial in 0..trials {
        let mut rng = rng(trial);
        let mut tally = Tally::new(Extras { model: true, ..Extras::default() });
        for user in 0..250 {
            let liking = 0.6 + 0.8 * uniform(&mut rng);
            for _ in 0..1 + (user % 9) {
                let draw = uniform(&mut rng);
                let action = if draw < 0.6 { 0 } else { 1 + usize::from(draw >= 0.9) };
                let reward = f64::from(u8::from(chance(&mut rng, CTR[action] * liking)));
                let weight = POLICY[action] / LOGGING[action];
                tally.add(user, &Round { reward, weight, model: Some([0.4, 0.4]), ..Round::default() });
            }
        }
        let limits = Limits { weight: Some(6.0), ..CLICKS };
        let found = tally.report(&Bootstrap { resamples: 100, ..Bootstrap::default() }, &limits).unwrap();
        let of =
            |estimator| found.estimates.iter().find(|row| row.estimator == estimator && !row.tuned).unwrap();
        let clip = f64::INFINITY;
        let estimators = [Estimator::Ipw { clip }, Estimator::Snipw, Estimator::Dr { clip }, Estimator::Sndr];
        for (hit, estimator) in hits.iter_mut().zip(estimators) {
            *hit += usize::from(covers(&of(estimator).intervals[0], truth));
        }
        for (hit, interval) in hoeffding.iter_mut().zip(&of(Estimator::Ipw { clip }).intervals[1..]) {
            *hit += usize::from(covers(interval, truth));
        }
    }
    for (hits, name) in hits.into_iter().zip(["IPW", "SNIPW", "DR", "SNDR"]) {
        assert_nominal(&format!("Student's t of {name}, 1 to 9 rounds a user"), hits, trials as usize);
    }
    println!("Bernstein and Hoeffding of IPW, 1 to 9 rounds a user: {hoeffding:?} of {trials}");
    assert!(hoeffding.iter().all(|hits| *hits >= 990), "{hoeffding:?}");
}
