//! Off-policy estimates against known truth, and what is refused.

use crate::support::{assert_nominal, chance, covers, rng, uniform};
use adeval_eval::Bootstrap;
use adeval_eval::ope::bounds::{Bound, Limits, Range};
use adeval_eval::ope::embedding::{Embedded, marginal_weights};
use adeval_eval::ope::slate::{Norm, Slates};
use adeval_eval::ope::tuning::{Family, Rule, choose};
use adeval_eval::ope::{Estimator, Log, OpeReport, overlap, round_values, value};

const CTR: [f64; 3] = [0.1, 0.3, 0.6];
const LOGGING: [f64; 3] = [0.6, 0.3, 0.1];
const POLICY: [f64; 3] = [0.1, 0.3, 0.6];

/// A log of users (clusters) who click more or less than others; `model` adds a reward model that is wrong by 0.1.
fn log(seed: u64, users: usize) -> Log {
    let mut rng = rng(seed);
    let mut log = Log { actions: 3, ..Log::default() };
    let (mut model, mut clusters) = (Vec::new(), Vec::new());
    for user in 0..users {
        let liking = 0.6 + 0.8 * uniform(&mut rng);
        for _ in 0..3 {
            let draw = uniform(&mut rng);
            let action = if draw < 0.6 { 0 } else { 1 + usize::from(draw >= 0.9) };
            log.action.push(action);
            log.reward.push(f64::from(u8::from(chance(&mut rng, CTR[action] * liking))));
            log.propensity.push(LOGGING[action]);
            log.policy.extend(POLICY);
            model.extend(CTR.map(|c| c + 0.1));
            clusters.push(user);
        }
    }
    log.reward_model = Some(model);
    log.cluster = Some(clusters);
    log
}

/// Sum of policy x CTR; liking is 1 on average.
const TRUTH: f64 = 0.46;

#[test]
fn weighted_estimators_find_the_truth_and_their_intervals_cover() {
    let estimators = [
        ("IPW", Estimator::Ipw { clip: f64::INFINITY }),
        ("SNIPW", Estimator::Snipw),
        ("DR", Estimator::Dr { clip: f64::INFINITY }),
        ("SNDR", Estimator::Sndr),
    ];
    let trials = 500;
    let (mut hits, mut sums) = ([0; 4], [0.0; 4]);
    for trial in 0..trials {
        let rounds = log(trial, 250).rounds().unwrap();
        let bootstrap = Bootstrap { seed: trial, resamples: 1000, level: 0.95 };
        for (k, (_, estimator)) in estimators.iter().enumerate() {
            let found = value(&rounds, *estimator, &bootstrap).unwrap();
            assert_eq!(found.n, 250);
            hits[k] += usize::from(covers(&found, TRUTH));
            sums[k] += found.value / trials as f64;
        }
    }
    for (k, (name, _)) in estimators.iter().enumerate() {
        assert_nominal(&format!("BCa of {name}, 3 rounds a user"), hits[k], trials as usize);
        assert!((sums[k] - TRUTH).abs() < 0.01, "{name} is biased: {}", sums[k]);
    }
    // The model is wrong, and the direct method with it.
    let direct =
        value(&log(1, 250).rounds().unwrap(), Estimator::DirectMethod, &Bootstrap::default()).unwrap();
    assert!((direct.value - (TRUTH + 0.1)).abs() < 1e-12, "{direct:?}");
}

#[test]
fn bounds_hold_at_least_what_they_say() {
    let range = Range { low: 0.0, high: 6.0 };
    let (trials, mut hits, mut widths) = (1000, [0; 3], [0.0; 3]);
    for trial in 0..trials {
        let rounds = log(trial, 300).rounds().unwrap();
        // One value a user, since the bounds take values as independent.
        let values = round_values(&rounds, Estimator::Ipw { clip: f64::INFINITY }).unwrap();
        let users: Vec<f64> = values.chunks(3).map(|v| v.iter().sum::<f64>() / 3.0).collect();
        for (k, bound) in [Bound::StudentT, Bound::EmpiricalBernstein(range), Bound::Hoeffding(range)]
            .into_iter()
            .enumerate()
        {
            let interval = bound.interval(&users, 0.95).unwrap();
            hits[k] += usize::from(covers(&interval, TRUTH));
            widths[k] += (interval.high.unwrap() - interval.low.unwrap()) / trials as f64;
        }
    }
    println!("widths: t {:.3}, Bernstein {:.3}, Hoeffding {:.3}", widths[0], widths[1], widths[2]);
    assert_nominal("Student's t of IPW", hits[0], trials as usize);
    assert!(hits[1] >= 990 && hits[2] >= 990, "{hits:?}");
    assert!(widths[0] < widths[1] && widths[1] < widths[2], "{widths:?}");
}

#[test]
fn overlap_says_what_a_log_can_tell() {
    let rounds = log(3, 400).rounds().unwrap();
    let found = overlap(&rounds, &Bootstrap::default()).unwrap();
    let (sum, square) = rounds.weights().iter().fold((0.0, 0.0), |(s, q), w| (s + w, q + w * w));
    assert!((found.effective_sample_size - sum * sum / square).abs() < 1e-9);
    // In expectation 1 / sum policy^2 / logging = 1 / 3.9167.
    assert!((found.effective_share - 0.2553).abs() < 0.03, "{found:?}");
    assert!(
        !found.suspicious && (found.largest_weight - 6.0).abs() < 1e-12 && found.zero_share == 0.0,
        "{found:?}"
    );
    assert!((found.quantiles[0] - 1.0 / 6.0).abs() < 1e-12);
    let mut wrong = log(3, 400);
    wrong.propensity.iter_mut().for_each(|p| *p *= 0.8);
    assert!(overlap(&wrong.rounds().unwrap(), &Bootstrap::default()).unwrap().suspicious);
}

#[test]
fn a_better_model_makes_doubly_robust_narrower() {
    let rounds = log(4, 400).rounds().unwrap();
    let width = |estimator| {
        let found = value(&rounds, estimator, &Bootstrap::default()).unwrap();
        found.high.unwrap() - found.low.unwrap()
    };
    assert!(width(Estimator::Dr { clip: f64::INFINITY }) < width(Estimator::Ipw { clip: f64::INFINITY }));
}

#[test]
fn logs_that_cannot_be_are_named() {
    let good = log(1, 5);
    let with = |change: &dyn Fn(&mut Log)| {
        let mut log = good.clone();
        change(&mut log);
        log.rounds().unwrap_err().to_string()
    };
    let text = with(&|l| l.propensity[7] = 0.0);
    assert!(text.contains("row 7") && text.contains("propensity is 0") && text.contains("(0, 1]"), "{text}");
    assert!(with(&|l| l.propensity[2] = f64::NAN).contains("NaN"));
    assert!(with(&|l| l.propensity[2] = 1.5).contains("1.5"));
    assert!(with(&|l| l.action[3] = 3).contains("unknown action \"3\"; known: 0 to 2"));
    assert!(with(&|l| l.policy[4] = 0.9).contains("row 1: the sum"));
    assert!(with(&|l| l.policy[4] = -0.3).contains("[0, 1]"));
    assert!(with(&|l| l.reward[1] = f64::INFINITY).contains("inf"));
    assert!(with(&|l| l.reward_model.as_mut().unwrap()[0] = f64::NAN).contains("prediction"));
    assert!(with(&|l| l.balanced_weight = Some(vec![-1.0; 15])).contains("weight"));
    assert!(with(&|l| l.marginal_weight = Some(vec![1.0; 3])).contains("marginal_weight has size 3"));
    assert!(with(&|l| l.cluster = Some(vec![0])).contains("cluster has size 1, but 15"));
    assert!(with(&|l| l.reward.truncate(3)).contains("reward has size 3"));
    assert!(Log { actions: 3, ..Log::default() }.rounds().unwrap_err().to_string().contains("at least 2"));
}

#[test]
fn estimators_that_cannot_be_are_named() {
    let mut bare = log(1, 5);
    bare.reward_model = None;
    let rounds = bare.rounds().unwrap();
    let refused = |estimator| value(&rounds, estimator, &Bootstrap::default()).unwrap_err().to_string();
    assert!(refused(Estimator::Sndr).contains("reward model"));
    assert!(refused(Estimator::BalancedIpw { clip: 1.0 }).contains("estimated importance weights"));
    assert!(refused(Estimator::Mipw).contains("weights of embeddings"));
    assert!(refused(Estimator::Ipw { clip: f64::NAN }).contains("clip"));
    assert!(refused(Estimator::SgIpw { lambda: 1.5 }).contains("[0, 1]"));
    assert!(refused(Estimator::Replay).contains("logged actions that the policy would take"));
    let choose =
        |grid: &[f64], delta| choose(&rounds, Family::Ipw, grid, Rule::Slope, delta).unwrap_err().to_string();
    assert!(choose(&[], 0.1).contains("grid") && choose(&[1.0], 1.0).contains("level"));
    let values = [0.1, 0.2, 7.0];
    let range = Range { low: 0.0, high: 1.0 };
    assert!(Bound::Hoeffding(range).lower(&values, 0.05).unwrap_err().to_string().contains("round 2"));
    let empty = Range { low: 1.0, high: 1.0 };
    assert!(Bound::Hoeffding(empty).lower(&values, 0.05).unwrap_err().to_string().contains("range"));
    assert!(Bound::StudentT.interval(&values[..1], 0.95).is_err());
}

#[test]
fn slates_and_embeddings_that_cannot_be_are_named() {
    let good = Slates {
        positions: 2,
        reward: vec![1.0; 6],
        logging: vec![0.5; 6],
        policy: vec![0.2; 6],
        cluster: None,
    };
    assert_eq!(good.value(Norm::Overall, &Bootstrap::default()).unwrap().value, 2.0);
    let with = |change: &dyn Fn(&mut Slates)| {
        let mut slates = good.clone();
        change(&mut slates);
        slates.value(Norm::None, &Bootstrap::default()).unwrap_err().to_string()
    };
    assert!(with(&|s| s.logging[3] = 0.0).contains("slate 1, position 1"));
    assert!(with(&|s| s.policy[0] = 1.2).contains("[0, 1]"));
    assert!(with(&|s| s.positions = 4).contains("size 6, but 8"));
    assert!(with(&|s| s.positions = 0).contains("size"));
    assert!(with(&|s| s.reward.truncate(2)).contains("size"));
    let weights = |embedding: &[usize], logging: &[f64]| {
        let given_action = [vec![1.0, 0.0, 0.0, 1.0]];
        let log =
            Embedded { actions: 2, logging, policy: &[0.5, 0.5], embedding, given_action: &given_action };
        marginal_weights(log)
    };
    assert_eq!(weights(&[1], &[0.75, 0.25]).unwrap(), [2.0]);
    assert!(weights(&[2], &[0.75, 0.25]).unwrap_err().to_string().contains("unknown embedding"));
    assert!(weights(&[1], &[1.0, 0.0]).unwrap_err().to_string().contains("propensity is 0"));
    assert!(weights(&[1, 0], &[0.75, 0.25]).unwrap_err().to_string().contains("size 2, but 1"));
}

#[test]
fn a_report_holds_every_estimator_that_the_log_allows() {
    let bootstrap = Bootstrap { seed: 2, resamples: 200, level: 0.95 };
    let report = |log: Log| log.rounds().unwrap().tally().report(&bootstrap, &Limits::default()).unwrap();
    let full = report(log(2, 300));
    // IPW, SNIPW, DM, DR, SNDR, and six families whose hyper-parameter SLOPE chose.
    assert_eq!((full.estimates.len(), full.estimates.iter().filter(|e| e.tuned).count()), (11, 6));
    assert!((full.logged.value - 0.21).abs() < 0.05, "0.6 x 0.1 + 0.3 x 0.3 + 0.1 x 0.6: {full:?}");
    for row in full.estimates.iter().filter(|e| !matches!(e.estimator, Estimator::DirectMethod)) {
        assert!((row.value.value - TRUTH).abs() < 0.15, "{row:?}");
    }
    let back: OpeReport = serde_json::from_str(&serde_json::to_string(&full).unwrap()).unwrap();
    assert_eq!(back.estimates[0].estimator, Estimator::Ipw { clip: f64::INFINITY });
    let mut bare = log(2, 300);
    bare.reward_model = None;
    assert_eq!(report(bare).estimates.len(), 4);
}
