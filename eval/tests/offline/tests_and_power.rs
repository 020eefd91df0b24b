//! The size of tests, and whether the promised power comes true.

use crate::support::{assert_nominal, binomial, chance, normal, rng};
use adeval_eval::statistics::mcnemar::mcnemar;
use adeval_eval::statistics::permutation::sign_flip;
use adeval_eval::statistics::power::{
    Goal, design_effect, detectable_rise, mcnemar_pairs, paired_difference, paired_products,
    proportions_power, trials_per_arm,
};
use adeval_eval::statistics::student;

#[test]
fn sign_flips_keep_their_size_and_find_what_is_there() {
    let (trials, mut alarms, mut found) = (1000, 0, 0);
    for trial in 0..trials {
        let mut rng = rng(trial);
        let null: Vec<f64> = (0..40).map(|_| normal(&mut rng).powi(3)).collect();
        alarms += usize::from(sign_flip(&null, 999, trial).unwrap().p < 0.05);
        let shifted: Vec<f64> = (0..40).map(|_| normal(&mut rng) + 0.5).collect();
        found += usize::from(sign_flip(&shifted, 999, trial).unwrap().p < 0.05);
    }
    assert_nominal("sign flips, heavy tails, no false alarm", trials as usize - alarms, trials as usize);
    // The t test finds 86.9%.
    assert!((830..=900).contains(&found), "{found} of {trials}");
}

#[test]
fn exact_and_random_flips_agree() {
    let mut rng = rng(1);
    let differences: Vec<f64> = (0..19).map(|_| normal(&mut rng) + 0.35).collect();
    let exact = sign_flip(&differences, 100, 0).unwrap();
    // Zeros take no part, so the padded ones are as exact; beyond 20 the signs are drawn.
    let mut padded = differences.clone();
    padded.resize(60, 0.0);
    assert_eq!(exact, sign_flip(&padded, 100, 0).unwrap());
    padded.truncate(19);
    padded.extend([1e-9, -1e-9]);
    let drawn = sign_flip(&padded, 100_000, 0).unwrap();
    assert!(exact.exact && !drawn.exact && (exact.p - drawn.p).abs() < 0.005, "{exact:?} {drawn:?}");
    assert_eq!(sign_flip(&[0.0, 0.0], 100, 0).unwrap().p, 1.0);
    assert!(sign_flip(&[], 100, 0).unwrap_err().to_string().contains("at least 1"));
    assert!(sign_flip(&[1.0, f64::NAN], 100, 0).unwrap_err().to_string().contains("item 1"));
    assert!(sign_flip(&[1.0], 10, 0).unwrap_err().to_string().contains("flips"));
}

#[test]
fn mid_p_is_nearer_to_its_size_than_exact() {
    let (trials, mut exact, mut mid) = (4000, 0, 0);
    for trial in 0..trials {
        let mut rng = rng(trial);
        let first = binomial(&mut rng, 30, 0.5);
        let test = mcnemar(first, 30 - first);
        exact += usize::from(test.exact < 0.05);
        mid += usize::from(test.mid_p < 0.05);
    }
    assert!(exact <= mid && mid <= 240, "{exact} and {mid} of {trials}");
}

#[test]
fn promised_power_comes_true() {
    let goal = Goal::default();
    let products = paired_products(0.03, 0.1, goal).unwrap() as usize;
    let pairs = mcnemar_pairs(0.25, 0.15, goal).unwrap();
    let trials = trials_per_arm(0.10, 0.15, goal).unwrap();
    let (mut t_found, mut m_found, mut p_found) = (0, 0, 0);
    for trial in 0..1000 {
        let mut rng = rng(trial);
        let d: Vec<f64> = (0..products).map(|_| 0.03 + 0.1 * normal(&mut rng)).collect();
        let n = products as f64;
        let mean = d.iter().sum::<f64>() / n;
        let error = (d.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n * (n - 1.0))).sqrt();
        t_found += usize::from(mean.abs() / error > student::quantile(0.975, n - 1.0));
        let (mut first, mut second) = (0, 0);
        for _ in 0..pairs {
            match chance(&mut rng, 0.25) {
                true => first += 1,
                false => second += u64::from(chance(&mut rng, 0.15 / 0.75)),
            }
        }
        m_found += usize::from(mcnemar(first, second).mid_p < 0.05);
        let (a, b) = (binomial(&mut rng, trials, 0.1) as f64, binomial(&mut rng, trials, 0.15) as f64);
        let middle = (a + b) / (2.0 * trials as f64);
        let z = (b - a) / (2.0 * trials as f64 * middle * (1.0 - middle)).sqrt();
        p_found += usize::from(z.abs() > 1.959964);
    }
    println!("power of 80% came true: t {t_found}, McNemar {m_found}, proportions {p_found} of 1000");
    for found in [t_found, m_found, p_found] {
        assert!((765..=840).contains(&found), "{found}");
    }
}

#[test]
fn sizes_and_effects_are_each_others_inverse() {
    let goal = Goal { level: 0.95, power: 0.9 };
    let products = paired_products(0.05, 0.2, goal).unwrap();
    let seen = |n| paired_difference(n, 0.2, goal).unwrap();
    assert!(seen(products) <= 0.05 && seen(products - 1) > 0.05);
    let trials = trials_per_arm(0.03, 0.033, goal).unwrap();
    let rise = detectable_rise(0.03, trials, goal).unwrap().unwrap();
    assert!((rise - 0.003).abs() < 1e-6, "{rise}");
    assert!((proportions_power(0.03, 0.033, trials, 0.95).unwrap() - 0.9).abs() < 1e-4);
    assert_eq!(detectable_rise(1.0, 100, goal).unwrap(), None);
    assert_eq!(detectable_rise(0.5, 2, goal).unwrap(), None);
    assert_eq!(design_effect(5.0, 0.25).unwrap(), 2.0);
}

#[test]
fn what_no_size_can_be_told_for_is_refused() {
    let goal = Goal::default();
    assert!(paired_products(0.0, 1.0, goal).unwrap_err().to_string().contains("difference"));
    assert!(paired_products(0.1, f64::NAN, goal).is_err());
    assert!(paired_products(1e-12, 1.0, goal).unwrap_err().to_string().contains("sample size"));
    assert!(trials_per_arm(0.1, 0.1, goal).is_err());
    assert!(trials_per_arm(0.1, 1.1, goal).unwrap_err().to_string().contains("[0, 1]"));
    assert!(mcnemar_pairs(0.6, 0.5, goal).is_err());
    assert!(paired_difference(1, 1.0, goal).unwrap_err().to_string().contains("at least 2"));
    assert!(design_effect(0.5, 0.1).is_err() && design_effect(2.0, -0.1).is_err());
    let weak = Goal { power: 0.04, ..goal };
    assert!(paired_products(0.1, 1.0, weak).unwrap_err().to_string().contains("power"));
    assert!(paired_products(0.1, 1.0, Goal { level: 1.0, ..goal }).is_err());
}
