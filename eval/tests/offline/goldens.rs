//! Agreement with scipy, statsmodels and mpmath; `fixtures/scripts/goldens_statistics.py` writes the values.

use crate::support::near;
use adeval_eval::comparison::davidson::Games;
use adeval_eval::comparison::krippendorff::{Scale, Unit, alpha};
use adeval_eval::statistics::beta::{self, Beta};
use adeval_eval::statistics::power::{Goal, paired_products, trials_per_arm};
use adeval_eval::statistics::{mcnemar::mcnemar, multiplicity, permutation::sign_flip, student};
use serde::Deserialize;

#[derive(Deserialize)]
struct Goldens {
    student: Vec<Quantile>,
    t_power: Vec<TPower>,
    paired_products: Vec<Products>,
    trials: Vec<Trials>,
    mcnemar: Vec<Discordant>,
    corrections: Corrections,
    sign_flips: Vec<Flips>,
    beta_order: Vec<Order>,
    beta_binomial: Vec<Counts>,
    davidson: Davidson,
    krippendorff: Agreement,
}

#[derive(Deserialize)]
struct Quantile {
    p: f64,
    freedom: f64,
    value: f64,
}

#[derive(Deserialize)]
struct TPower {
    shift: f64,
    n: usize,
    level: f64,
    value: f64,
}

#[derive(Deserialize)]
struct Products {
    difference: f64,
    deviation: f64,
    level: f64,
    power: f64,
    value: f64,
}

#[derive(Deserialize)]
struct Trials {
    first: f64,
    second: f64,
    level: f64,
    power: f64,
    value: f64,
}

#[derive(Deserialize)]
struct Discordant {
    first: u64,
    second: u64,
    exact: f64,
    mid_p: f64,
}

#[derive(Deserialize)]
struct Corrections {
    p: Vec<f64>,
    holm: Vec<f64>,
    benjamini_hochberg: Vec<f64>,
}

#[derive(Deserialize)]
struct Flips {
    differences: Vec<f64>,
    p: f64,
}

#[derive(Deserialize)]
struct Order {
    x: [f64; 2],
    y: [f64; 2],
    value: f64,
}

#[derive(Deserialize)]
struct Counts {
    clicks: Vec<u64>,
    impressions: Vec<u64>,
    prior: [f64; 2],
}

#[derive(Deserialize)]
struct Davidson {
    wins: Vec<f64>,
    ties: Vec<f64>,
    strength: Vec<f64>,
    tie: f64,
}

#[derive(Deserialize)]
struct Agreement {
    answers: Vec<Vec<Option<f64>>>,
    nominal: f64,
    ordinal: f64,
    interval: f64,
}

const TEXT: &str = include_str!("../../../fixtures/goldens/eval/statistics.json");

fn goldens() -> Goldens {
    serde_json::from_str(TEXT).unwrap()
}

#[test]
fn quantiles_of_student_t() {
    for case in goldens().student {
        let got = student::quantile(case.p, case.freedom);
        assert!(near(got, case.value, 1e-11), "t({}, {}): {got}, not {}", case.p, case.freedom, case.value);
        assert!(near(student::quantile(1.0 - case.p, case.freedom), -case.value, 1e-9));
    }
    assert!(student::quantile(0.5, 3.0) == 0.0 && student::quantile(1.0, 3.0).is_nan());
}

#[test]
fn the_power_of_a_t_test() {
    for case in goldens().t_power {
        let got = student::power(case.shift, case.n, case.level);
        assert!(near(got, case.value, 1e-9), "n = {}: {got}, not {}", case.n, case.value);
    }
}

#[test]
fn sample_sizes() {
    for case in goldens().paired_products {
        let goal = Goal { level: case.level, power: case.power };
        assert_eq!(paired_products(case.difference, case.deviation, goal).unwrap(), case.value.ceil() as u64);
    }
    for case in goldens().trials {
        let goal = Goal { level: case.level, power: case.power };
        assert_eq!(trials_per_arm(case.first, case.second, goal).unwrap(), case.value.ceil() as u64);
    }
}

#[test]
fn mcnemar_exact_and_mid_p() {
    for case in goldens().mcnemar {
        let got = mcnemar(case.first, case.second);
        assert!(near(got.exact, case.exact, 1e-9), "{got:?}, not {}", case.exact);
        assert!(near(got.mid_p, case.mid_p, 1e-9), "{got:?}, not {}", case.mid_p);
        assert_eq!(got, mcnemar(case.second, case.first));
    }
    assert_eq!(mcnemar(0, 0).exact, 1.0);
}

#[test]
fn corrections_for_many() {
    let case = goldens().corrections;
    let same = |got: Vec<f64>, wanted: &[f64]| got.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-14);
    assert!(same(multiplicity::holm(&case.p), &case.holm));
    assert!(same(multiplicity::benjamini_hochberg(&case.p), &case.benjamini_hochberg));
    assert!(multiplicity::benjamini_hochberg(&[]).is_empty());
}

#[test]
fn all_sign_flips() {
    for case in goldens().sign_flips {
        let got = sign_flip(&case.differences, 1000, 0).unwrap();
        assert!(got.exact && (got.p - case.p).abs() < 1e-15, "{got:?}, not {}", case.p);
    }
}

#[test]
fn which_of_two_betas_is_higher() {
    for case in goldens().beta_order {
        let of = |[a, b]: [f64; 2]| Beta { a, b };
        let got = of(case.x).exceeds(of(case.y));
        assert!((got - case.value).abs() < 1e-9, "{:?} over {:?}: {got}, not {}", case.x, case.y, case.value);
        assert!((of(case.y).exceeds(of(case.x)) + got - 1.0).abs() < 1e-12);
    }
}

#[test]
fn beta_priors_by_maximum_likelihood() {
    for case in goldens().beta_binomial {
        let counts: Vec<_> = case.clicks.iter().copied().zip(case.impressions.iter().copied()).collect();
        let got = beta::fit(&counts).unwrap();
        assert!(
            near(got.a, case.prior[0], 1e-5) && near(got.b, case.prior[1], 1e-5),
            "{got:?} {:?}",
            case.prior
        );
    }
    // No more spread than chance: as narrow a prior as there is.
    let alike = beta::fit(&[(30, 1000), (30, 1000), (31, 1000), (29, 1000)]).unwrap();
    assert!(alike.a + alike.b > 1e5, "{alike:?}");
    assert!(beta::fit(&[(3, 10)]).is_err() && beta::fit(&[(0, 10), (0, 20)]).is_err());
}

#[test]
fn strengths_with_ties_by_a_general_optimiser() {
    let case = goldens().davidson;
    let fit = Games { entries: 4, wins: case.wins, ties: case.ties }.fit();
    assert!(near(fit.tie, case.tie, 1e-6), "{fit:?}, not {}", case.tie);
    assert!(
        fit.strength.iter().zip(&case.strength).all(|(a, b)| (a - b).abs() < 1e-6),
        "{fit:?} {:?}",
        case.strength
    );
}

#[test]
fn alpha_of_krippendorff_on_every_scale() {
    let case = goldens().krippendorff;
    let units: Vec<Unit> =
        case.answers.into_iter().enumerate().map(|(cluster, answers)| Unit { cluster, answers }).collect();
    let bootstrap = adeval_eval::Bootstrap { seed: 0, resamples: 100, level: 0.95 };
    for (scale, wanted) in
        [(Scale::Nominal, case.nominal), (Scale::Ordinal, case.ordinal), (Scale::Interval, case.interval)]
    {
        let got = alpha(&units, units.len(), scale, &bootstrap).unwrap().unwrap().value;
        assert!((got - wanted).abs() < 1e-12, "{scale:?}: {got}, not {wanted}");
    }
}
