//! Selection of creatives from logs.

use crate::support::{binomial, rng, uniform};
use adeval_eval::Bootstrap;
use adeval_eval::ranking::{
    Catalogue, Creative, Day, Policy, ScoreOptions, Settings, compare_policies, evaluate_scores, playback,
};
use adeval_eval::statistics::beta::Beta;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The prior of VAM-HBM.
const PRIOR: Beta = Beta { a: 3.43046, b: 109.78302 };

fn bootstrap() -> Bootstrap {
    Bootstrap { seed: 1, resamples: 500, level: 0.95 }
}

/// The catalogue of `fixtures/scripts/goldens_ranking.py`.
fn formula() -> Catalogue {
    let creative = |p: u64, c: u64| Creative {
        score: Some(((p * 7 + c * 29) % 17) as f64),
        features: (0..10).map(|j| (((p * 3 + c * 7 + j * 5) % 11) as f64 - 5.0) / 10.0).collect(),
        days: (0..5)
            .map(|d| {
                let impressions = 40 + (37 * p + 53 * c + 11 * d) % 60;
                Day { clicks: impressions * ((p * 7 + c * 29) % 17 + 3) / 100, impressions }
            })
            .collect(),
    };
    Catalogue::new((0..30).map(|p| (0..3 + p % 4).map(|c| creative(p, c)).collect()).collect()).unwrap()
}

#[derive(Deserialize)]
struct Golden {
    sctr: f64,
    error: f64,
}

#[test]
fn policies_earn_what_the_script_of_vam_hbm_finds() {
    let text = include_str!("../../../fixtures/goldens/eval/ranking.json");
    let goldens: BTreeMap<String, Golden> = serde_json::from_str(text).unwrap();
    let policies = [
        ("uniform", Policy::Uniform),
        ("epsilon_greedy", Policy::EpsilonGreedy { epsilon: 0.1 }),
        ("thompson", Policy::Thompson { prior: PRIOR }),
        ("ucb", Policy::Ucb { width: 0.1 }),
        ("lin_ucb", Policy::LinUcb { width: 0.1 }),
    ];
    for (name, policy) in policies {
        let tallies = playback(&formula(), policy, Settings { seed: 3, repeats: 200 }).unwrap();
        let (clicks, shown) = tallies.iter().fold((0.0, 0.0), |s, t| (s.0 + t.clicks, s.1 + t.impressions));
        let (got, wanted) = (clicks / shown, &goldens[name]);
        println!("{name}: {got:.5}, theirs {:.5} +- {:.5}", wanted.sctr, wanted.error);
        // Both sides draw; ours draws twice as often.
        assert!((got - wanted.sctr).abs() <= 5.0 * wanted.error + 1e-9, "{name}");
    }
}

#[test]
fn policies_are_compared_with_a_uniform_choice() {
    let policies = [
        Policy::Uniform,
        Policy::Thompson { prior: PRIOR },
        Policy::Scores,
        Policy::EpsilonGreedy { epsilon: 1.0 },
    ];
    let settings = Settings { seed: 1, repeats: 20 };
    let report = compare_policies(&formula(), &policies, settings, &bootstrap()).unwrap();
    let rows = &report.policies;
    assert_eq!((report.products, rows[0].lift.value, rows[0].lift.low), (30, 0.0, Some(0.0)));
    // Scores that know the CTRs: no regret, and nothing beats them.
    assert!(rows[2].regret.value.abs() < 5e-3 && rows[2].lift.low.unwrap() > 0.3, "{:?}", rows[2]);
    assert!(rows[1].lift.low.unwrap() > 0.0 && rows[1].sctr.value < rows[2].sctr.value, "{:?}", rows[1]);
    assert!(rows[1].regret.value < rows[0].regret.value);
    // Always exploring is a uniform choice; a third to a sixth of what the log holds would have been shown.
    assert!((rows[3].sctr.value - rows[0].sctr.value).abs() < 0.003, "{:?}", rows[3]);
    assert!((rows[0].matched - 0.22).abs() < 0.03, "{}", rows[0].matched);
    let again = compare_policies(&formula(), &policies, settings, &bootstrap()).unwrap();
    let single = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    assert_eq!(report, again);
    assert_eq!(
        report,
        single.install(|| compare_policies(&formula(), &policies, settings, &bootstrap())).unwrap()
    );
}

fn creative(score: f64, clicks: u64, impressions: u64) -> Creative {
    Creative { score: Some(score), features: Vec::new(), days: vec![Day { clicks, impressions }] }
}

#[test]
fn scores_by_hand() {
    let catalogue = Catalogue::new(vec![
        vec![creative(2.0, 10, 100), creative(1.0, 30, 100), creative(0.0, 20, 200)],
        vec![creative(0.5, 40, 100), creative(0.5, 0, 100)],
        vec![creative(9.0, 1, 10)],
        vec![creative(1.0, 0, 0), creative(0.0, 1, 5), creative(0.0, 2, 5)],
    ])
    .unwrap();
    assert_eq!((catalogue.len(), catalogue.single, catalogue.unseen), (3, 1, 1));
    let options = ScoreOptions { bootstrap: bootstrap(), prior: Some(PRIOR), top: vec![1, 2, 9] };
    let found = evaluate_scores(&catalogue, &options).unwrap();
    // Chosen: 10 of 100; half of each of 40 and 0 of 100; half of each of 1 and 2 of 5.
    assert!((found.sctr.value - (10.0 + 20.0 + 1.5) / (100.0 + 100.0 + 5.0)).abs() < 1e-12, "{found:?}");
    let weighted = |a: f64, b: f64, c: f64| (400.0 * a + 200.0 * b + 10.0 * c) / 610.0;
    assert!((found.nsctr.value - weighted(0.1, 0.2, 0.3)).abs() < 1e-12);
    let uniform = weighted((0.1 + 0.3 + 0.1) / 3.0, 0.2, 0.3);
    assert!((found.uniform.value - uniform).abs() < 1e-12);
    assert!((found.lift.value - (found.nsctr.value / uniform - 1.0)).abs() < 1e-12);
    assert!((found.top[0].lift.value - found.lift.value).abs() < 1e-12);
    assert!((found.top[1].lift.value - (weighted(0.2, 0.2, 0.3) / uniform - 1.0)).abs() < 1e-12);
    assert!(found.top[2].lift.value.abs() < 1e-12, "all creatives are a uniform choice");
    let smooth = |c: f64, n: f64| (PRIOR.a + c) / (PRIOR.a + PRIOR.b + n);
    let regret = (smooth(30.0, 100.0) - smooth(10.0, 100.0))
        + (smooth(40.0, 100.0) - smooth(0.0, 100.0)) / 2.0
        + (smooth(2.0, 5.0) - smooth(1.0, 5.0)) / 2.0;
    assert!((found.regret.value - regret / 3.0).abs() < 1e-12, "{found:?}");
    // Within the second and third product all scores are equal: 1/2. Within the first, of 60 clicks and 340 others:
    let area = (10.0 * (70.0 + 180.0 + 45.0) + 30.0 * (180.0 + 35.0) + 20.0 * 90.0) / (60.0 * 340.0);
    let gauc = found.gauc.unwrap();
    assert!((gauc.value - (400.0 * area + 210.0 * 0.5) / 610.0).abs() < 1e-12, "{gauc:?}");
    assert_eq!(gauc.n, 3);
}

#[test]
fn good_scores_are_told_from_bad_ones() {
    let mut rng = rng(6);
    let mut products = (Vec::new(), Vec::new());
    for _ in 0..300 {
        let creatives: Vec<(f64, Creative)> = (0..4)
            .map(|_| {
                let ctr = 0.05 + 0.1 * uniform(&mut rng);
                (ctr, creative(0.0, binomial(&mut rng, 400, ctr), 400))
            })
            .collect();
        let with = |score: &mut dyn FnMut(f64) -> f64| -> Vec<Creative> {
            creatives.iter().map(|(ctr, c)| Creative { score: Some(score(*ctr)), ..c.clone() }).collect()
        };
        products.0.push(with(&mut |ctr| ctr));
        products.1.push(with(&mut |_| uniform(&mut rng)));
    }
    let options = ScoreOptions { bootstrap: bootstrap(), ..ScoreOptions::default() };
    let report = |p: Vec<Vec<Creative>>| evaluate_scores(&Catalogue::new(p).unwrap(), &options).unwrap();
    let (good, bad) = (report(products.0), report(products.1));
    assert!(good.lift.low.unwrap() > 0.2 && good.auc.unwrap().low.unwrap() > 0.55, "{good:?}");
    assert!(bad.lift.low.unwrap() < 0.0 && bad.lift.high.unwrap() > 0.0, "{bad:?}");
    assert!(good.regret.high.unwrap() < bad.regret.low.unwrap());
    // The fitted prior is that of the CTRs: mean 0.1, deviation 0.029.
    let spread = good.prior.a + good.prior.b;
    assert!(
        (good.prior.a / spread - 0.1).abs() < 0.004 && (70.0..160.0).contains(&spread),
        "{:?}",
        good.prior
    );
}

#[test]
fn catalogues_and_policies_that_cannot_be_are_named() {
    let refused = |products| Catalogue::new(products).unwrap_err().to_string();
    let text = refused(vec![vec![creative(1.0, 1, 2), creative(1.0, 3, 2)]]);
    assert!(text.contains("product 0, creative 1, day 0: 3 clicks of 2"), "{text}");
    assert!(refused(vec![vec![creative(f64::NAN, 1, 2)]]).contains("score is NaN"));
    assert!(refused(vec![vec![creative(1.0, 1, 2)]]).contains("two creatives"));
    assert!(refused(Vec::new()).contains("two creatives"));
    let short = Creative { days: Vec::new(), ..creative(1.0, 1, 2) };
    assert!(refused(vec![vec![creative(1.0, 1, 2), short]]).contains("days has size 0, but 1"));
    let bare = Creative { score: None, ..creative(1.0, 1, 2) };
    let catalogue = Catalogue::new(vec![vec![bare.clone(), bare]]).unwrap();
    let play = |policy, repeats| {
        playback(&catalogue, policy, Settings { seed: 1, repeats }).unwrap_err().to_string()
    };
    assert!(play(Policy::Scores, 1).contains("a score for every creative"));
    assert!(play(Policy::LinUcb { width: 0.1 }, 1).contains("features"));
    assert!(play(Policy::EpsilonGreedy { epsilon: 1.1 }, 1).contains("epsilon"));
    assert!(play(Policy::Ucb { width: -1.0 }, 1).contains("width"));
    assert!(play(Policy::Thompson { prior: Beta { a: 0.0, b: 1.0 } }, 1).contains("prior"));
    assert!(play(Policy::Uniform, 0).contains("repeats"));
    let options = ScoreOptions { bootstrap: bootstrap(), ..ScoreOptions::default() };
    assert!(
        evaluate_scores(&catalogue, &options).unwrap_err().to_string().contains("a score for creative 0")
    );
    let options = ScoreOptions { top: vec![0], ..options };
    assert!(evaluate_scores(&catalogue, &options).unwrap_err().to_string().contains("top"));
}
