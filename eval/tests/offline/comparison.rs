//! Entries against each other, and judges.

use crate::support::{assert_nominal, chance, covers, rng, uniform};
use adeval_eval::comparison::davidson::{self, Games};
use adeval_eval::comparison::krippendorff::{Scale, Unit, alpha};
use adeval_eval::comparison::{Preferences, Question, matrix};
use adeval_eval::{Bootstrap, bradley_terry};

fn bootstrap(seed: u64) -> Bootstrap {
    Bootstrap { seed, resamples: 1000, level: 0.95 }
}

const STRENGTHS: [f64; 3] = [0.8, 0.0, -0.8];

/// Games by Davidson's model with v = 1: equals tie in a third of their games.
fn played(seed: u64, products: usize) -> Preferences {
    let mut rng = rng(seed);
    let mut questions = Vec::new();
    for product in 0..products {
        for (left, right) in [(0, 1), (0, 2), (1, 2)] {
            let odds =
                [STRENGTHS[left], (STRENGTHS[left] + STRENGTHS[right]) / 2.0, STRENGTHS[right]].map(f64::exp);
            let draw = uniform(&mut rng) * odds.iter().sum::<f64>();
            let p_left = if draw < odds[0] {
                0.9
            } else if draw < odds[0] + odds[1] {
                0.5
            } else {
                0.1
            };
            questions.push(Question { product, sample: 0, left, right, p_left });
        }
    }
    Preferences::collect(3, products, &questions, 0.01).unwrap()
}

#[test]
fn davidson_recovers_strengths_and_ties_and_its_intervals_cover() {
    let (trials, mut hits, mut tie_hits) = (2000, 0, 0);
    for trial in 0..trials {
        let (strengths, tie) = davidson::strengths(&played(trial, 150), &bootstrap(trial)).unwrap();
        hits += usize::from(covers(&strengths[0].unwrap(), STRENGTHS[0]));
        tie_hits += usize::from(covers(&tie.unwrap(), 1.0 / 3.0));
        assert!((strengths.iter().map(|s| s.unwrap().value).sum::<f64>()).abs() < 1e-9);
    }
    assert_nominal("BCa of a Davidson strength", hits, trials as usize);
    assert_nominal("BCa of P(tie of equals)", tie_hits, trials as usize);
}

#[test]
fn without_ties_davidson_is_bradley_terry() {
    let wins = vec![0.0, 20.0, 30.0, 10.0, 0.0, 25.0, 4.0, 9.0, 0.0];
    let fit = Games { entries: 3, wins: wins.clone(), ties: vec![0.0; 9] }.fit();
    let plain = bradley_terry::fit(&wins, 3);
    assert!(
        fit.tie == 0.0 && fit.strength.iter().zip(&plain).all(|(a, b)| (a - b).abs() < 1e-9),
        "{fit:?} {plain:?}"
    );
    // One entry always wins, and all others always tie: strengths stay finite.
    let extreme = Games {
        entries: 3,
        wins: vec![0.0, 99.0, 99.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        ties: vec![0.0, 0.0, 0.0, 0.0, 0.0, 99.0, 0.0, 99.0, 0.0],
    };
    let fit = extreme.fit();
    assert!(fit.strength.iter().all(|s| s.is_finite()) && fit.strength[0] > 3.0, "{fit:?}");
}

#[test]
fn the_matrix_mirrors_itself() {
    let preferences = played(5, 200);
    let found = matrix(&preferences, &bootstrap(1)).unwrap();
    for (a, row) in found.iter().enumerate() {
        assert!(row[a].is_none());
        for b in (0..3).filter(|b| *b != a) {
            let (one, other) = (row[b].unwrap(), found[b][a].unwrap());
            assert!((one.win_rate.value + other.win_rate.value - 1.0).abs() < 1e-12);
            assert!((one.win_rate.low.unwrap() + other.win_rate.high.unwrap() - 1.0).abs() < 0.01);
            assert_eq!((one.ties, one.win_rate.n), (other.ties, 200));
        }
    }
    assert!(found[0][2].unwrap().win_rate.low.unwrap() > 0.6);
    // Two entries that never met.
    let ask = |left, right| Question { product: 0, sample: 0, left, right, p_left: 0.7 };
    let few = Preferences::collect(3, 1, &[ask(0, 1)], 0.0).unwrap();
    assert!(matrix(&few, &bootstrap(1)).unwrap()[0][2].is_none());
}

#[test]
fn judges_agree_as_much_as_was_put_in() {
    // Two judges who copy the truth with chance 0.7 and guess otherwise: alpha is 0.49 for many units.
    let truth = 0.49;
    let (trials, mut hits) = (400, 0);
    for trial in 0..trials {
        let mut rng = rng(trial);
        let mut units = Vec::new();
        for cluster in 0..80 {
            for _ in 0..3 {
                let real = f64::from(u8::from(chance(&mut rng, 0.5)));
                let mut judge =
                    || if chance(&mut rng, 0.7) { real } else { f64::from(u8::from(chance(&mut rng, 0.5))) };
                units.push(Unit { cluster, answers: vec![Some(judge()), Some(judge())] });
            }
        }
        let found = alpha(&units, 80, Scale::Nominal, &bootstrap(trial)).unwrap().unwrap();
        hits += usize::from(covers(&found, truth));
        // With two answers all scales are one.
        for scale in [Scale::Ordinal, Scale::Interval] {
            let other = alpha(&units, 80, scale, &bootstrap(trial)).unwrap().unwrap();
            assert!((other.value - found.value).abs() < 1e-9, "{other:?} {found:?}");
        }
    }
    assert_nominal("BCa of Krippendorff's alpha", hits, trials as usize);
}

#[test]
fn agreement_that_cannot_be_told_has_no_value() {
    let unit = |answers: &[f64]| Unit { cluster: 0, answers: answers.iter().map(|a| Some(*a)).collect() };
    for scale in [Scale::Nominal, Scale::Ordinal, Scale::Interval] {
        let of = |units: &[Unit]| alpha(units, 1, scale, &bootstrap(0)).unwrap();
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[unit(&[1.0]), unit(&[2.0])]), None, "one answer each");
        assert_eq!(of(&[unit(&[0.3, 0.3]), unit(&[0.3, 0.3])]), None, "all alike");
        assert!((of(&[unit(&[1.0, 1.0]), unit(&[2.0, 2.0])]).unwrap().value - 1.0).abs() < 1e-12);
    }
    assert!(alpha(&[unit(&[1.0, f64::NAN])], 1, Scale::Interval, &bootstrap(0)).is_err());
    let many: Vec<Unit> = (0..70).map(|i| unit(&[f64::from(i), f64::from(i)])).collect();
    assert!(
        alpha(&many, 1, Scale::Nominal, &bootstrap(0)).unwrap_err().to_string().contains("interval scale")
    );
}
