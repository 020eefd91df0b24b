//! Agreement with the Open Bandit Pipeline; `fixtures/scripts/goldens_ope.py` writes the values.

use adeval_eval::Bootstrap;
use adeval_eval::ope::bounds::{Bound, Range};
use adeval_eval::ope::embedding::{Embedded, marginal_weights};
use adeval_eval::ope::slate::{ActionModel, Norm, Slates};
use adeval_eval::ope::tuning::{Family, Rule, choose};
use adeval_eval::ope::{Estimator, Log, Rounds, round_values, value};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Goldens {
    bandits: Vec<Bandit>,
    embedded: EmbeddedCase,
    slate: SlateCase,
}

#[derive(Deserialize)]
struct Bandit {
    name: String,
    log: Stored,
    estimates: BTreeMap<String, f64>,
    tuned: Vec<Tuned>,
    bounds: Bounds,
}

#[derive(Deserialize)]
struct Stored {
    actions: usize,
    reward: Vec<f64>,
    action: Vec<usize>,
    propensity: Vec<f64>,
    policy: Vec<f64>,
    q_hat: Vec<f64>,
    weights: Vec<f64>,
    by_position: Option<ByPosition>,
}

/// A policy and a model that depend on the position alone.
#[derive(Deserialize)]
struct ByPosition {
    position: Vec<usize>,
    policy: Vec<f64>,
    q_hat: Vec<f64>,
}

#[derive(Deserialize)]
struct Tuned {
    family: String,
    method: String,
    bound: bool,
    chosen: f64,
    value: f64,
    scores: Vec<(f64, f64)>,
}

#[derive(Deserialize)]
struct Bounds {
    most: f64,
    hoeffding: f64,
    bernstein: f64,
    student_t: f64,
}

#[derive(Deserialize)]
struct EmbeddedCase {
    actions: usize,
    action: Vec<usize>,
    reward: Vec<f64>,
    embedding: Vec<Vec<usize>>,
    behavior: Vec<f64>,
    policy: Vec<f64>,
    p_e_a: Vec<Vec<Vec<f64>>>,
    estimates: BTreeMap<String, f64>,
}

#[derive(Deserialize)]
struct SlateCase {
    positions: usize,
    actions: usize,
    action: Vec<usize>,
    reward: Vec<f64>,
    pscore: Vec<f64>,
    pscore_item_position: Vec<f64>,
    pscore_cascade: Vec<f64>,
    evaluation_policy_pscore: Vec<f64>,
    evaluation_policy_pscore_item_position: Vec<f64>,
    evaluation_policy_pscore_cascade: Vec<f64>,
    q_hat: Vec<f64>,
    evaluation_policy_action_dist: Vec<f64>,
    estimates: BTreeMap<String, f64>,
}

fn goldens() -> Goldens {
    serde_json::from_str(include_str!("../../../fixtures/goldens/eval/ope.json")).unwrap()
}

const LIMIT: f64 = 1e-9;
const FEW: Bootstrap = Bootstrap { seed: 0, resamples: 100, level: 0.95 };

impl Stored {
    fn rounds(&self) -> Rounds {
        let expand = |of: &dyn Fn(&ByPosition) -> &Vec<f64>, full: &Vec<f64>| match &self.by_position {
            None => full.clone(),
            Some(by) => by
                .position
                .iter()
                .flat_map(|p| of(by)[p * self.actions..(p + 1) * self.actions].iter().copied())
                .collect(),
        };
        let log = Log {
            actions: self.actions,
            action: self.action.clone(),
            reward: self.reward.clone(),
            propensity: self.propensity.clone(),
            policy: expand(&|by| &by.policy, &self.policy),
            reward_model: Some(expand(&|by| &by.q_hat, &self.q_hat)),
            balanced_weight: Some(self.weights.clone()),
            ..Log::default()
        };
        log.rounds().unwrap()
    }
}

fn estimator(name: &str) -> Estimator {
    let (family, parameter) = name.split_once(' ').unwrap_or((name, "0"));
    let at: f64 = parameter.parse().unwrap();
    match family {
        "replay" => Estimator::Replay,
        "dm" => Estimator::DirectMethod,
        "ipw" => Estimator::Ipw { clip: at },
        "snipw" => Estimator::Snipw,
        "dr" => Estimator::Dr { clip: at },
        "sndr" => Estimator::Sndr,
        "switch_dr" => Estimator::SwitchDr { threshold: at },
        "dr_os" => Estimator::DrOs { lambda: at },
        "sg_ipw" => Estimator::SgIpw { lambda: at },
        "sg_dr" => Estimator::SgDr { lambda: at },
        "balanced_ipw" => Estimator::BalancedIpw { clip: at },
        other => panic!("no estimator {other}"),
    }
}

/// The largest error so far, by name, printed at the end.
fn note(worst: &mut BTreeMap<String, f64>, name: &str, got: f64, wanted: f64) {
    let family = name.split(' ').next().unwrap_or(name).to_owned();
    let error = (got - wanted).abs();
    assert!(error <= LIMIT, "{name}: {got}, not {wanted}");
    let entry = worst.entry(family).or_insert(0.0);
    *entry = entry.max(error);
}

#[test]
fn estimators_agree_with_obp() {
    let (mut worst, mut count) = (BTreeMap::new(), 0);
    for case in goldens().bandits {
        let rounds = case.log.rounds();
        for (name, wanted) in &case.estimates {
            if name == "replay" && *wanted == 0.0 {
                // No logged action is certain under the policy: obp says 0, which is no value.
                let error = value(&rounds, Estimator::Replay, &FEW).unwrap_err().to_string();
                assert!(error.contains("logged actions"), "{}: {error}", case.name);
                continue;
            }
            let got = value(&rounds, estimator(name), &FEW).unwrap().value;
            note(&mut worst, name, got, *wanted);
            let rows = round_values(&rounds, estimator(name)).unwrap();
            note(&mut worst, name, rows.iter().sum::<f64>() / rows.len() as f64, *wanted);
            count += 1;
        }
    }
    println!("{count} estimates, largest error: {worst:?}");
    assert!(count > 150 && worst.len() == 11, "{count} {worst:?}");
}

#[test]
fn choices_agree_with_obp() {
    let mut worst = BTreeMap::new();
    for case in goldens().bandits {
        let rounds = case.log.rounds();
        for tuned in &case.tuned {
            let name = format!("{} {} {}, {}", tuned.family, tuned.method, tuned.bound, case.name);
            let (family, grid) = match tuned.family.as_str() {
                "ipw" => (Family::Ipw, [0.3, 1.0, 3.0, 10.0, 100.0]),
                "dr" => (Family::Dr, [0.3, 1.0, 3.0, 10.0, 100.0]),
                "switch_dr" => (Family::SwitchDr, [0.3, 1.0, 3.0, 10.0, 100.0]),
                "dr_os" => (Family::DrOs, [0.3, 1.0, 3.0, 10.0, 100.0]),
                "sg_ipw" => (Family::SgIpw, [0.005, 0.02, 0.1, 0.4, 0.9]),
                _ => (Family::SgDr, [0.005, 0.02, 0.1, 0.4, 0.9]),
            };
            let rule = match tuned.method.as_str() {
                "slope" => Rule::Slope,
                _ => Rule::Mse { upper_bound: tuned.bound },
            };
            let choice = choose(&rounds, family, &grid, rule, 0.1).unwrap();
            let got = value(&rounds, choice.estimator, &FEW).unwrap().value;
            assert_eq!(choice.chosen, tuned.chosen, "{name}");
            note(&mut worst, &name, got, tuned.value);
            for ((at, score), (wanted_at, wanted)) in choice.scores.iter().zip(&tuned.scores) {
                assert_eq!(at, wanted_at, "{name}");
                note(&mut worst, &name, *score, *wanted);
            }
        }
    }
    println!("108 choices, largest error of values and scores: {worst:?}");
}

#[test]
fn bounds_agree_with_obp() {
    let mut worst = BTreeMap::new();
    for case in goldens().bandits {
        let values = round_values(&case.log.rounds(), Estimator::Ipw { clip: 10.0 }).unwrap();
        let range = Range { low: 0.0, high: case.bounds.most };
        for (name, bound, wanted) in [
            ("hoeffding", Bound::Hoeffding(range), case.bounds.hoeffding),
            ("bernstein", Bound::EmpiricalBernstein(range), case.bounds.bernstein),
            ("student_t", Bound::StudentT, case.bounds.student_t),
        ] {
            note(&mut worst, name, bound.lower(&values, 0.05).unwrap(), wanted);
        }
    }
    println!("bounds, largest error: {worst:?}");
}

#[test]
fn marginal_weights_agree_with_obp() {
    let case = goldens().embedded;
    let tables: Vec<Vec<f64>> = case.p_e_a.iter().map(|t| t.concat()).collect();
    let weights = marginal_weights(Embedded {
        actions: case.actions,
        logging: &case.behavior,
        policy: &case.policy,
        embedding: &case.embedding.concat(),
        given_action: &tables,
    })
    .unwrap();
    let cell = |(row, action): (usize, &usize)| case.behavior[row * case.actions + action];
    let log = Log {
        actions: case.actions,
        propensity: case.action.iter().enumerate().map(cell).collect(),
        action: case.action,
        reward: case.reward,
        policy: case.policy,
        marginal_weight: Some(weights),
        ..Log::default()
    };
    let rounds = log.rounds().unwrap();
    let mut worst = BTreeMap::new();
    for (name, estimator) in [("mipw", Estimator::Mipw), ("snmipw", Estimator::Snmipw)] {
        note(&mut worst, name, value(&rounds, estimator, &FEW).unwrap().value, case.estimates[name]);
    }
    println!("marginalised, largest error: {worst:?}");
}

#[test]
fn slate_estimators_agree_with_obp() {
    let case = goldens().slate;
    let of = |logging: &[f64], policy: &[f64]| Slates {
        positions: case.positions,
        reward: case.reward.clone(),
        logging: logging.to_vec(),
        policy: policy.to_vec(),
        cluster: None,
    };
    let whole = of(&case.pscore, &case.evaluation_policy_pscore);
    let item = of(&case.pscore_item_position, &case.evaluation_policy_pscore_item_position);
    let cascade = of(&case.pscore_cascade, &case.evaluation_policy_pscore_cascade);
    let mut worst = BTreeMap::new();
    for (name, slates, norm) in [
        ("sips", &whole, Norm::None),
        ("iips", &item, Norm::None),
        ("rips", &cascade, Norm::None),
        ("snsips", &whole, Norm::Overall),
        ("sniips", &item, Norm::ByPosition),
        ("snrips", &cascade, Norm::ByPosition),
    ] {
        note(&mut worst, name, slates.value(norm, &FEW).unwrap().value, case.estimates[name]);
    }
    let model = ActionModel {
        actions: case.actions,
        action: case.action.clone(),
        reward_to_go: case.q_hat.clone(),
        policy: case.evaluation_policy_action_dist.clone(),
    };
    let got = cascade.cascade_dr(&model.cascade().unwrap(), &FEW).unwrap().value;
    note(&mut worst, "cascade_dr", got, case.estimates["cascade_dr"]);
    println!("slates, largest error: {worst:?}");
}
