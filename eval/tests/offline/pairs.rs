//! Reward models on pairs of creatives, against simulated truth.

use crate::support::{assert_nominal, beta, binomial, chance, covers, rng};
use adeval_eval::pairs::{Arm, Options, Pair, Prior, Report, evaluate};
use adeval_eval::statistics::beta::Beta;
use adeval_eval::{Bootstrap, Method};
use rand_chacha::ChaCha8Rng;

/// Products whose creatives' true CTRs vary around the product's with this concentration.
struct World {
    products: usize,
    pairs: usize,
    impressions: u64,
    concentration: f64,
}

struct Truth {
    pair: Pair,
    first_is_better: bool,
}

impl World {
    fn draw(&self, rng: &mut ChaCha8Rng) -> Vec<Truth> {
        let mut out = Vec::new();
        for product in 0..self.products {
            let mean = beta(rng, 4.0, 76.0).clamp(0.002, 0.5);
            for _ in 0..self.pairs {
                let mut creative = || {
                    let ctr = beta(rng, mean * self.concentration, (1.0 - mean) * self.concentration);
                    (ctr, Arm { clicks: binomial(rng, self.impressions, ctr), impressions: self.impressions })
                };
                let ((a, first), (b, second)) = (creative(), creative());
                let pair =
                    Pair { product, category: None, first, second, first_left: None, second_left: None };
                out.push(Truth { pair, first_is_better: a > b });
            }
        }
        out
    }
}

/// Answers of a judge who is right about the true order with probability `skill`, the same in both orders.
fn judged(truths: &[Truth], skill: f64, rng: &mut ChaCha8Rng) -> Vec<Pair> {
    truths
        .iter()
        .map(|t| {
            let p = if chance(rng, skill) == t.first_is_better { 0.8 } else { 0.2 };
            Pair { first_left: Some(p), second_left: Some(1.0 - p), ..t.pair.clone() }
        })
        .collect()
}

fn options(resamples: u32) -> Options {
    Options { bootstrap: Bootstrap { seed: 9, resamples, level: 0.95 }, ..Options::default() }
}

fn report(pairs: &[Pair], prior: Prior) -> Report {
    evaluate(pairs, &Options { prior, ..options(500) }).unwrap()
}

#[test]
fn the_ceiling_is_what_an_oracle_reaches() {
    let world = World { products: 4000, pairs: 3, impressions: 1500, concentration: 600.0 };
    let mut rng = rng(1);
    let truths = world.draw(&mut rng);
    let oracle = report(&judged(&truths, 1.0, &mut rng), Prior::WithinProduct).overall;
    println!("oracle {:.4}, ceiling {:.4}", oracle.accuracy.value, oracle.ceiling.value);
    assert!((oracle.accuracy.value - oracle.ceiling.value).abs() < 0.01, "{oracle:?}");
    assert!((0.7..0.9).contains(&oracle.ceiling.value));
    // A prior that takes creatives of one product for as different as those of two: far too high a ceiling.
    let flat = report(&judged(&truths, 1.0, &mut rng), Prior::Beta(Beta { a: 1.0, b: 1.0 })).overall;
    println!("with a flat prior {:.4}", flat.ceiling.value);
    assert!(flat.ceiling.value > oracle.accuracy.value + 0.02, "{flat:?}");
}

#[test]
fn the_concentration_is_found_again() {
    let mut rng = rng(2);
    for concentration in [100.0, 1000.0] {
        let world = World { products: 3000, pairs: 2, impressions: 800, concentration };
        let found = report(&judged(&world.draw(&mut rng), 0.7, &mut rng), Prior::WithinProduct).concentration;
        assert!((found / concentration - 1.0).abs() < 0.12, "{found}, not {concentration}");
    }
}

#[test]
fn the_papers_pair_filter_does_not_move_a_ceiling_whose_prior_is_given() {
    let world = World { products: 6000, pairs: 4, impressions: 1200, concentration: 500.0 };
    let mut rng = rng(3);
    let mut truths = world.draw(&mut rng);
    truths.retain(|t| {
        t.pair.first.clicks.min(t.pair.second.clicks) > 0 && (1.05..=1.2).contains(&t.pair.gap())
    });
    let pairs = judged(&truths, 1.0, &mut rng);
    let oracle = report(&pairs, Prior::Concentration(500.0)).overall;
    println!(
        "filtered: oracle {:.4}, ceiling {:.4} of {}",
        oracle.accuracy.value, oracle.ceiling.value, oracle.pairs
    );
    assert!((oracle.accuracy.value - oracle.ceiling.value).abs() < 0.015, "{oracle:?}");
    assert!(oracle.ceiling.value < 0.75, "pairs this close are largely noise: {oracle:?}");
    let fitted = report(&pairs, Prior::WithinProduct);
    assert!(fitted.concentration > 1000.0, "filtered pairs look more alike than creatives are");
}

#[test]
fn accuracy_on_the_true_order_is_recovered_from_noisy_labels() {
    let world = World { products: 4000, pairs: 2, impressions: 1000, concentration: 300.0 };
    let mut rng = rng(4);
    let truths = world.draw(&mut rng);
    let found = report(&judged(&truths, 0.75, &mut rng), Prior::WithinProduct).overall;
    let recovered = found.true_order_accuracy.unwrap();
    assert!(covers(&recovered, 0.75) && (recovered.value - 0.75).abs() < 0.02, "{found:?}");
    assert!(found.accuracy.value < 0.72, "{found:?}");
    let c = found.ceiling.value;
    assert!((found.share_of_ceiling.value - found.accuracy.value / c).abs() < 1e-12);
}

#[test]
fn intervals_of_accuracy_and_its_share_of_the_ceiling_cover() {
    let world = World { products: 120, pairs: 3, impressions: 250, concentration: 60.0 };
    let answer = |seed: u64, world: &World| {
        let mut rng = rng(seed);
        let truths = world.draw(&mut rng);
        judged(&truths, 0.8, &mut rng)
    };
    let many = World { products: 20_000, ..world };
    let prior = Prior::Concentration(60.0);
    let truth = report(&answer(77, &many), prior).overall;
    let (trials, mut accuracy, mut share) = (1000, 0, 0);
    for trial in 0..trials {
        let found = report(&answer(1000 + trial, &world), prior).overall;
        accuracy += usize::from(covers(&found.accuracy, truth.accuracy.value));
        share += usize::from(covers(&found.share_of_ceiling, truth.share_of_ceiling.value));
    }
    assert_nominal("BCa of pairwise accuracy, 3 pairs a product", accuracy, trials as usize);
    assert_nominal("BCa of accuracy / ceiling", share, trials as usize);
}

fn pair(product: usize, clicks: (u64, u64), answers: (f64, f64)) -> Pair {
    let arm = |clicks| Arm { clicks, impressions: 1000 };
    Pair {
        product,
        category: Some(if product < 2 { "shoes" } else { "bags" }.into()),
        first: arm(clicks.0),
        second: arm(clicks.1),
        first_left: Some(answers.0),
        second_left: Some(answers.1),
    }
}

#[test]
fn a_report_by_hand() {
    let pairs = [
        pair(0, (40, 30), (0.9, 0.2)), // right, both orders agree
        pair(0, (30, 31), (0.9, 0.2)), // wrong
        pair(1, (40, 20), (0.8, 0.7)), // right by a little; always says left
        pair(2, (20, 30), (0.5, 0.5)), // undecided
        pair(3, (25, 25), (0.9, 0.1)), // no order to be right about
    ];
    let found = evaluate(&pairs, &options(200)).unwrap();
    assert_eq!((found.pairs, found.products, found.equal_ctr, found.undecided), (5, 4, 1, 1));
    assert_eq!((found.overall.accuracy.value, found.overall.accuracy.n, found.overall.pairs), (0.625, 3, 4));
    assert_eq!((found.both_orders, found.swap_consistency.unwrap().value), (5, 0.8));
    let bias = (0.05 + 0.05 + 0.25 + 0.0 + 0.0) / 5.0;
    assert!((found.position_bias.unwrap().value - bias).abs() < 1e-15);
    let names = |groups: &[adeval_eval::pairs::Group]| {
        groups.iter().map(|g| (g.name.clone(), g.pairs, g.accuracy.value)).collect::<Vec<_>>()
    };
    assert_eq!(names(&found.by_category), [("bags".into(), 1, 0.5), ("shoes".into(), 3, 2.0 / 3.0)]);
    let gaps = [
        ("1 to 1.05".into(), 1, 0.0),
        ("1.2 to 1.5".into(), 1, 1.0),
        ("1.5 to 2".into(), 1, 0.5),
        ("2 and more".into(), 1, 1.0),
    ];
    assert_eq!(names(&found.by_gap), gaps);
    // Winners scored 0.85, 0.15, 0.55, 0.5; losers 0.15, 0.85, 0.45, 0.5.
    assert!((found.auc.unwrap().value - 9.5 / 16.0).abs() < 1e-15, "{:?}", found.auc);
    let json = serde_json::to_string(&found).unwrap();
    assert_eq!(serde_json::from_str::<Report>(&json).unwrap().overall.pairs, 4);
}

#[test]
fn a_perfect_judge_gets_wilsons_interval() {
    let pairs: Vec<Pair> = (0..20).map(|p| pair(p, (60, 20), (0.9, 0.1))).collect();
    let accuracy = evaluate(&pairs, &options(200)).unwrap().overall.accuracy;
    assert_eq!((accuracy.value, accuracy.method), (1.0, Method::Wilson));
    assert!((accuracy.low.unwrap() - 0.8389).abs() < 1e-3);
}

#[test]
fn pairs_that_cannot_be_are_named() {
    let good = pair(4, (10, 20), (0.5, 0.6));
    let with = |bad: Pair| evaluate(&[good.clone(), bad], &options(200)).unwrap_err().to_string();
    let shown = |clicks, impressions| Pair { second: Arm { clicks, impressions }, ..good.clone() };
    let text = with(shown(11, 10));
    assert!(
        text.contains("pair 1 of product 4, second creative") && text.contains("11 clicks of 10"),
        "{text}"
    );
    assert!(with(shown(0, 0)).contains("0 impressions"));
    assert!(with(Pair { first_left: Some(f64::NAN), ..good.clone() }).contains("NaN"));
    assert!(with(Pair { second_left: Some(-0.1), ..good.clone() }).contains("[0, 1]"));
    assert!(with(Pair { first_left: None, second_left: None, ..good.clone() }).contains("an answer"));
    assert!(evaluate(&[], &options(200)).unwrap_err().to_string().contains("at least 1"));
    let equal = [pair(0, (5, 5), (0.5, 0.5)), pair(1, (7, 7), (0.5, 0.5))];
    let given = Options { prior: Prior::Concentration(100.0), ..options(200) };
    assert!(evaluate(&equal, &given).unwrap_err().to_string().contains("different CTRs"));
    let refused = |options: Options| evaluate(std::slice::from_ref(&good), &options).unwrap_err().to_string();
    assert!(refused(Options { gaps: vec![1.5, 1.2], ..options(200) }).contains("gaps"));
    assert!(refused(Options { tie_margin: 0.5, ..options(200) }).contains("tie_margin"));
    assert!(refused(Options { prior: Prior::Concentration(0.0), ..options(200) }).contains("concentration"));
    assert!(
        refused(Options { prior: Prior::Beta(Beta { a: 0.0, b: 1.0 }), ..options(200) }).contains("prior")
    );
}
