//! Estimators of slates in worlds whose truth is known: each is right where its assumption about users holds, and wrong where not.
//!
//! Positions are filled from the top with creatives that do not come again. Expectations are exact: every slate is in the log as often
//! as the logging policy shows it, with its expected reward, so what is left of the truth is bias and nothing else.

use crate::support::{assert_nominal, chance, covers, rng, uniform};
use adeval_eval::Bootstrap;
use adeval_eval::ope::slate::{Cascade, SlateEstimator, SlateLog};
use std::collections::BTreeMap;

const ITEMS: usize = 4;
const POSITIONS: usize = 3;
/// Weights of creatives: chances of the next one are theirs among those that are left. In sums of 1 to 10, so that the numbers of
/// slates in a log of all are whole.
const LOGGING: [f64; ITEMS] = [1.0, 2.0, 3.0, 4.0];
const POLICY: [f64; ITEMS] = [5.0, 3.0, 2.0, 1.0];
const LIKING: [f64; ITEMS] = [0.5, 0.35, 0.2, 0.1];

/// How users look at a slate.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Users {
    /// At each position alone.
    Alone,
    /// From the top, and less after what they liked.
    TopDown,
    /// At all at once: a loud neighbour anywhere takes attention away.
    Whole,
}

impl Users {
    /// Expected reward at each position of a slate.
    fn rewards(self, slate: &[usize]) -> [f64; POSITIONS] {
        std::array::from_fn(|k| {
            let liked = LIKING[slate[k]] / (1.0 + 0.2 * k as f64);
            let others = |range: &mut dyn Iterator<Item = usize>| {
                range.map(|j| 1.0 - LIKING[slate[j]]).product::<f64>()
            };
            match self {
                Self::Alone => liked,
                Self::TopDown => liked * others(&mut (0..k)),
                Self::Whole => liked * others(&mut (0..slate.len()).filter(|j| *j != k)),
            }
        })
    }
}

fn given_above(weights: &[f64; ITEMS], above: &[usize], item: usize) -> f64 {
    let left: f64 = (0..ITEMS).filter(|i| !above.contains(i)).map(|i| weights[i]).sum();
    if above.contains(&item) { 0.0 } else { weights[item] / left }
}

/// All slates that start like this.
fn slates(above: &[usize]) -> Vec<Vec<usize>> {
    if above.len() == POSITIONS {
        return vec![above.to_vec()];
    }
    let next = (0..ITEMS).filter(|i| !above.contains(i));
    next.flat_map(|i| slates(&[above, &[i]].concat())).collect()
}

fn probability(weights: &[f64; ITEMS], slate: &[usize]) -> f64 {
    (0..POSITIONS).map(|k| given_above(weights, &slate[..k], slate[k])).product()
}

/// Chance of an item at a position, whatever is above.
fn at_position(weights: &[f64; ITEMS], position: usize, item: usize) -> f64 {
    slates(&[]).iter().filter(|s| s[position] == item).map(|s| probability(weights, s)).sum()
}

fn truth(users: Users) -> f64 {
    slates(&[]).iter().map(|s| probability(&POLICY, s) * users.rewards(s).iter().sum::<f64>()).sum()
}

/// Expected reward from the last position of `start` on, if the policy fills the rest; times `off`, for a model that is wrong.
fn to_go(users: Users, start: &[usize], off: f64) -> f64 {
    let above: f64 = probability_of(start);
    let from = start.len() - 1;
    let all = slates(start);
    let value: f64 =
        all.iter().map(|s| probability(&POLICY, s) * users.rewards(s)[from..].iter().sum::<f64>()).sum();
    off * value / above
}

fn probability_of(start: &[usize]) -> f64 {
    (0..start.len()).map(|k| given_above(&POLICY, &start[..k], start[k])).product()
}

/// A log of these slates with these rewards.
fn log(users: Users, shown: &[(Vec<usize>, [f64; POSITIONS])], off: f64) -> SlateLog {
    let mut log = SlateLog { positions: POSITIONS, ..SlateLog::default() };
    let (mut items, mut model) =
        ([Vec::new(), Vec::new()], Cascade { shown: Vec::new(), expected: Vec::new() });
    let mut known: BTreeMap<Vec<usize>, [f64; 4]> = BTreeMap::new();
    for (slate, rewards) in shown {
        for k in 0..POSITIONS {
            let start = &slate[..=k];
            let [p, q, shown, expected] = *known.entry(start.to_vec()).or_insert_with(|| {
                let above = &slate[..k];
                let next = (0..ITEMS).filter(|i| !above.contains(i));
                let each =
                    next.map(|i| given_above(&POLICY, above, i) * to_go(users, &[above, &[i]].concat(), off));
                let [p, q] = [&LOGGING, &POLICY].map(|w| at_position(w, k, slate[k]));
                [p, q, to_go(users, start, off), each.sum()]
            });
            log.reward.push(rewards[k]);
            log.logging.push(given_above(&LOGGING, &slate[..k], slate[k]));
            log.policy.push(given_above(&POLICY, &slate[..k], slate[k]));
            items[0].push(p);
            items[1].push(q);
            model.shown.push(shown);
            model.expected.push(expected);
        }
    }
    log.item = Some(items);
    log.model = Some(model);
    log
}

/// Every slate as often as the logging policy shows it among 5040 x 10, with what it earns on average.
fn whole_world(users: Users, off: f64) -> SlateLog {
    let mut shown = Vec::new();
    for slate in slates(&[]) {
        let times = probability(&LOGGING, &slate) * 50_400.0;
        assert!((times - times.round()).abs() < 1e-6, "{slate:?} is shown {times} times");
        let rewards = users.rewards(&slate);
        (0..times.round() as usize).for_each(|_| shown.push((slate.clone(), rewards)));
    }
    log(users, &shown, off)
}

/// The bias of each estimator.
fn biases(users: Users) -> BTreeMap<String, f64> {
    let few = Bootstrap { resamples: 100, ..Bootstrap::default() };
    let report = whole_world(users, 0.7).report(&few).unwrap();
    let truth = truth(users);
    let mut found = BTreeMap::new();
    for row in report.estimates {
        found.insert(row.estimator.to_string(), row.value.value - truth);
    }
    println!(
        "{users:?}, truth {truth:.4}, bias: {}",
        found.iter().map(|(name, bias)| format!("{name} {bias:+.4}")).collect::<Vec<_>>().join(", ")
    );
    found
}

#[test]
fn each_estimator_is_right_where_its_assumption_holds_and_wrong_where_not() {
    let right = |found: &BTreeMap<String, f64>, names: &[&str]| {
        for (name, bias) in found {
            match names.contains(&name.as_str()) {
                true => assert!(bias.abs() < 1e-9, "{name}: {bias}"),
                false => assert!(bias.abs() > 0.01, "{name} is right by chance: {bias}"),
            }
        }
    };
    // The self-normalised ones are right in this log, too: the mean weight of all slates is 1.
    let (whole, down, alone) = (["SIPS", "SNSIPS"], ["RIPS", "SNRIPS", "Cascade DR"], ["IIPS", "SNIIPS"]);
    right(&biases(Users::Alone), &[&whole[..], &down, &alone].concat());
    right(&biases(Users::TopDown), &[&whole[..], &down].concat());
    right(&biases(Users::Whole), &whole);
}

/// A log of users who go from the top: clicks, drawn.
fn drawn(seed: u64, users: usize) -> SlateLog {
    let mut rng = rng(seed);
    let mut shown = Vec::new();
    for _ in 0..users {
        let mut slate = Vec::new();
        while slate.len() < POSITIONS {
            let mut draw = uniform(&mut rng);
            let next = (0..ITEMS).find(|i| {
                draw -= given_above(&LOGGING, &slate, *i);
                draw < 0.0
            });
            slate.push(next.unwrap_or_else(|| (0..ITEMS).find(|i| !slate.contains(i)).unwrap()));
        }
        let expected = Users::TopDown.rewards(&slate);
        shown.push((slate, expected.map(|p| f64::from(u8::from(chance(&mut rng, p))))));
    }
    log(Users::TopDown, &shown, 0.7)
}

#[test]
fn intervals_cover_and_fewer_weights_make_them_narrower() {
    let (trials, truth) = (400, truth(Users::TopDown));
    let names =
        [SlateEstimator::Sips, SlateEstimator::Rips, SlateEstimator::Snrips, SlateEstimator::CascadeDr];
    let (mut hits, mut widths) = ([0; 4], [0.0; 4]);
    for trial in 0..trials {
        let bootstrap = Bootstrap { seed: trial, resamples: 500, level: 0.95 };
        let report = drawn(trial, 800).report(&bootstrap).unwrap();
        for (k, name) in names.iter().enumerate() {
            let row = report.estimates.iter().find(|row| row.estimator == *name).unwrap();
            hits[k] += usize::from(covers(&row.value, truth));
            widths[k] += (row.value.high.unwrap() - row.value.low.unwrap()) / trials as f64;
        }
    }
    for ((name, hits), width) in names.iter().zip(hits).zip(widths) {
        println!("{name}, 800 slates: mean width {width:.3}");
        if *name != SlateEstimator::Sips {
            assert_nominal(&format!("BCa of {name}, users from the top"), hits, trials as usize);
        }
    }
    println!("BCa of SIPS: {:.1}% of {trials}", 100.0 * hits[0] as f64 / trials as f64);
    assert!(widths[1] < widths[0] && widths[3] < widths[1], "{widths:?}");
}

#[test]
fn users_are_resampled_together() {
    let mut log = drawn(3, 300);
    let alone = log.report(&Bootstrap::default()).unwrap();
    log.cluster = Some((0..300).map(|slate| slate / 3).collect());
    let together = log.report(&Bootstrap::default()).unwrap();
    assert_eq!((alone.logged.n, together.logged.n), (300, 100));
    assert_eq!(alone.estimates[0].value.value, together.estimates[0].value.value);
    let over = &together.estimates[0];
    assert!((over.over_log.value - (over.value.value - together.logged.value)).abs() < 1e-12);
}
