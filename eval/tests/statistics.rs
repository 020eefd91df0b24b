//! Do the intervals hold what they promise? Simulations with fixed seeds, and exact properties.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // Helpers of tests may fail and print.

use adeval_eval::{
    Bootstrap, ClusterTable, Method, Moments, Preferences, Question, bradley_terry, frechet_estimate,
    frechet_from_moments, frechet_from_rows, paired, statistics::multiplicity::holm,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

fn uniform(rng: &mut ChaCha8Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

fn normal(rng: &mut ChaCha8Rng) -> f64 {
    let radius = (-2.0 * (1.0 - uniform(rng)).ln()).sqrt();
    radius * (std::f64::consts::TAU * uniform(rng)).cos()
}

fn assert_nominal(name: &str, hits: usize, trials: usize) {
    let coverage = 100.0 * hits as f64 / trials as f64;
    println!("{name}: {coverage:.1}% of {trials}");
    assert!((92.0..=98.0).contains(&coverage), "{name}: {coverage:.1}%");
}

/// Share of trials whose interval holds the truth.
fn mean_coverage(name: &str, n: usize, truth: f64, draw: fn(&mut ChaCha8Rng) -> f64) {
    let (trials, mut hits) = (500, 0);
    for trial in 0..trials {
        let mut rng = rng(trial);
        let mut table = ClusterTable::new(n, 1);
        (0..n).for_each(|c| table.set(c, 0, draw(&mut rng)));
        let bootstrap = Bootstrap { seed: 1000 + trial, resamples: 1000, level: 0.95 };
        let estimate = table.means(&bootstrap, false).unwrap()[0].unwrap();
        assert_eq!(estimate.method, Method::Bca);
        hits += usize::from(estimate.low.unwrap() <= truth && truth <= estimate.high.unwrap());
    }
    assert_nominal(&format!("BCa of a mean, {name}, n = {n}"), hits, trials as usize);
}

#[test]
fn bca_intervals_cover() {
    for n in [30, 60, 100] {
        mean_coverage("normal", n, 0.0, normal);
        mean_coverage("a win rate against five", n, 0.6, |rng| {
            let strength = 0.6 + 0.2 * (uniform(rng) - 0.5);
            (0..5).map(|_| f64::from(u8::from(uniform(rng) < strength))).sum::<f64>() / 5.0
        });
    }
    mean_coverage("exponential", 100, 1.0, |rng| -(1.0 - uniform(rng)).ln());
}

#[test]
fn paired_comparisons_cover_and_rarely_cry_wolf() {
    for n in [30, 100] {
        let (trials, mut hits, mut alarms, mut found) = (500, 0, 0, 0);
        for trial in 0..trials {
            let mut rng = rng(trial);
            let mut table = ClusterTable::new(n, 3);
            for cluster in 0..n {
                // Products differ much more than entries do: pairing must take that out.
                let product = 3.0 * normal(&mut rng);
                for (column, shift) in [0.0, 0.0, 0.8].into_iter().enumerate() {
                    table.set(cluster, column, product + shift + normal(&mut rng));
                }
            }
            let bootstrap = Bootstrap { seed: trial, resamples: 1000, level: 0.95 };
            let compared = paired::compare(&table, &[(0, 1), (2, 0)], &bootstrap).unwrap();
            let (low, high) = (compared[0].difference.low.unwrap(), compared[0].difference.high.unwrap());
            hits += usize::from(low <= 0.0 && 0.0 <= high);
            alarms += usize::from(compared[0].p < 0.05);
            found += usize::from(compared[1].p < 0.05);
        }
        assert_nominal(&format!("bootstrap-t of a paired difference, n = {n}"), hits, trials as usize);
        assert_nominal(&format!("no false alarm, n = {n}"), trials as usize - alarms, trials as usize);
        assert!(found > trials as usize * 7 / 10, "power {found} of {trials}");
    }
}

/// Feature rows of differing scale, with heavier tails than a normal's.
fn features(rng: &mut ChaCha8Rng, n: usize, d: usize, scale: f64, shift: f64) -> Vec<Vec<f32>> {
    (0..n)
        .map(|_| {
            let stretch = (0.3 * normal(rng)).exp();
            let wide = |k: usize| scale * (1.5 - 1.3 * k as f64 / d as f64);
            (0..d).map(|k| (stretch * (wide(k) * normal(rng) + shift)) as f32).collect()
        })
        .collect()
}

#[test]
fn frechet_intervals_cover_what_another_draw_of_products_gives() {
    for (n, d) in [(30, 8), (60, 8), (40, 64)] {
        let reference = features(&mut rng(99), 100, d, 1.2, 0.0);
        let clusters: Vec<usize> = (0..n).collect();
        let estimates: Vec<_> = (0..200)
            .map(|trial| {
                let sample = features(&mut rng(trial), n, d, 1.0, 0.15);
                frechet_estimate(&sample, &clusters, &reference, 0.95).unwrap()
            })
            .collect();
        let truth = (200..1000)
            .map(|trial| frechet_from_rows(&features(&mut rng(trial), n, d, 1.0, 0.15), &reference).unwrap())
            .sum::<f64>()
            / 800.0;
        let hits = estimates.iter().filter(|e| e.low.unwrap() <= truth && truth <= e.high.unwrap()).count();
        assert_nominal(&format!("jackknife of FD, n = {n}, d = {d}"), hits, estimates.len());
    }
}

#[test]
fn frechet_rows_of_one_product_are_left_out_together() {
    let reference = features(&mut rng(1), 50, 6, 1.0, 0.0);
    let single = features(&mut rng(2), 20, 6, 1.0, 0.2);
    let alone: Vec<usize> = (0..20).collect();
    let one = frechet_estimate(&single, &alone, &reference, 0.95).unwrap();
    // Every row twice, almost: no more information than once, so hardly a narrower interval.
    let double: Vec<Vec<f32>> = single.iter().chain(&single).cloned().collect();
    let clusters: Vec<usize> = alone.iter().chain(&alone).copied().collect();
    let two = frechet_estimate(&double, &clusters, &reference, 0.95).unwrap();
    let width = |e: &adeval_eval::Estimate| e.high.unwrap() - e.low.unwrap();
    assert_eq!(two.n, 20);
    assert!(width(&two) > 0.7 * width(&one), "{one:?} {two:?}");
}

#[test]
fn unequal_clusters_do_not_widen_the_frechet_interval() {
    let reference = features(&mut rng(1), 60, 40, 1.0, 0.0);
    let sample = features(&mut rng(2), 41, 40, 1.0, 0.2);
    let equal = frechet_estimate(&sample[..40], &(0..40).collect::<Vec<_>>(), &reference, 0.95).unwrap();
    let mut clusters: Vec<usize> = (0..40).collect();
    clusters.push(39);
    let unequal = frechet_estimate(&sample, &clusters, &reference, 0.95).unwrap();
    let width = |e: &adeval_eval::Estimate| e.high.unwrap() - e.low.unwrap();
    assert!(width(&unequal) < 1.3 * width(&equal), "{equal:?} {unequal:?}");
}

#[test]
fn moments_add_up() {
    let rows = features(&mut rng(5), 90, 10, 1.0, 0.3);
    let whole = Moments::of(&rows).unwrap();
    let mut parts = Moments::new(10);
    for part in rows.chunks(37) {
        parts.merge(&Moments::of(part).unwrap()).unwrap();
    }
    assert_eq!(parts.count(), 90);
    let gap = (whole.covariance().unwrap() - parts.covariance().unwrap()).norm_max();
    assert!(gap < 1e-12, "{gap}");
    assert!(frechet_from_moments(&whole, &parts).unwrap().abs() < 1e-9);
    assert!(parts.merge(&Moments::new(9)).unwrap_err().to_string().contains("size 9, but 10"));
}

#[test]
fn bad_features_are_named() {
    let rows = vec![vec![1.0, 2.0], vec![1.0, f32::NAN], vec![3.0, 1.0]];
    let error = frechet_from_rows(&rows, &rows).unwrap_err().to_string();
    assert!(error.contains("row 1") && error.contains("NaN"), "{error}");
    assert!(frechet_from_rows(&rows[..1], &rows).unwrap_err().to_string().contains("at least 2"));
    let ragged = vec![vec![1.0], vec![1.0, 2.0]];
    assert!(Moments::of(&ragged).unwrap_err().to_string().contains("row 1"));
    // Constant images: a covariance of zero is no error.
    let constant = vec![vec![2.0_f32, 3.0]; 5];
    assert!(frechet_from_rows(&constant, &constant).unwrap().abs() < 1e-12);
}

#[test]
fn holm_by_hand() {
    let corrected = holm(&[0.01, 0.04, 0.03, 0.005]);
    let wanted = [0.03, 0.06, 0.06, 0.02];
    assert!(corrected.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-15), "{corrected:?}");
    assert_eq!(holm(&[0.9, 0.8]), [1.0, 1.0]);
    assert!(holm(&[]).is_empty());
}

#[test]
fn thread_counts_change_no_bit() {
    let mut rng = rng(3);
    let mut table = ClusterTable::new(50, 4);
    for cluster in 0..50 {
        (0..4).filter(|k| (cluster + k) % 7 != 0).for_each(|k| table.set(cluster, k, uniform(&mut rng)));
    }
    let reference = features(&mut rng, 80, 48, 1.0, 0.0);
    let sample = features(&mut rng, 60, 48, 1.0, 0.1);
    let clusters: Vec<usize> = (0..60).collect();
    let work = || {
        let bootstrap = Bootstrap { seed: 8, resamples: 2000, level: 0.9 };
        (
            format!("{:?}", table.means(&bootstrap, true).unwrap()),
            format!("{:?}", paired::compare(&table, &[(0, 1), (2, 3)], &bootstrap).unwrap()),
            format!("{:?}", frechet_estimate(&sample, &clusters, &reference, 0.9).unwrap()),
        )
    };
    let on = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(work);
    let one = on(1);
    assert_eq!(one, on(2));
    assert_eq!(one, on(7));
}

#[test]
fn degenerate_inputs_have_documented_answers() {
    let bootstrap = Bootstrap { seed: 1, resamples: 500, level: 0.95 };
    let mut table = ClusterTable::new(20, 3);
    (0..20).for_each(|c| table.set(c, 0, 1.0));
    table.set(4, 1, 0.5);
    let means = table.means(&bootstrap, true).unwrap();
    // All won: Wilson's 20 of 20.
    let all = means[0].unwrap();
    assert_eq!(all.method, Method::Wilson);
    assert!((all.low.unwrap() - 0.8389).abs() < 1e-3 && all.high == Some(1.0), "{all:?}");
    assert_eq!((means[1].unwrap().n, means[1].unwrap().low), (1, None));
    assert!(means[2].is_none());
    let compared = paired::compare(&table, &[(0, 1), (0, 2), (0, 0)], &bootstrap).unwrap();
    assert!(compared.iter().all(|c| c.p == 1.0 && c.difference.low.is_none()), "{compared:?}");
    assert!(
        Bootstrap { resamples: 5, ..bootstrap }.validate().unwrap_err().to_string().contains("resamples")
    );
    assert!(Bootstrap { level: f64::NAN, ..bootstrap }.validate().is_err());
}

#[test]
fn orders_are_symmetrised_and_their_quality_reported() {
    let ask = |product, left, right, p_left| Question { product, sample: 0, left, right, p_left };
    let questions = [
        ask(0, 0, 1, 0.9), // 0 is better, both orders agree
        ask(0, 1, 0, 0.2),
        ask(1, 0, 1, 0.8), // the left one twice: 0 keeps a small lead
        ask(1, 1, 0, 0.7),
        ask(2, 0, 1, 0.5), // a tie
        ask(2, 1, 0, 0.5),
        ask(3, 1, 0, 0.6), // one order only
    ];
    let preferences = Preferences::collect(2, 4, &questions, 1e-6).unwrap();
    let orders = preferences.orders;
    assert_eq!((orders.pairs, orders.both, orders.consistent, orders.ties), (4, 3, 2, 1));
    assert!((orders.position_bias().unwrap() - (0.05 + 0.25 + 0.0) / 3.0).abs() < 1e-12);
    let table = preferences.table();
    assert_eq!((0..4).map(|p| table.get(p, 0).unwrap()).collect::<Vec<_>>(), [1.0, 1.0, 0.5, 0.0]);
    let rates = preferences.win_rates(&Bootstrap::default()).unwrap();
    assert_eq!((rates[0].unwrap().value, rates[1].unwrap().value), (0.625, 0.375));
    let again = Preferences::collect(2, 4, &[questions[0], questions[0]], 0.0).unwrap_err();
    assert!(again.to_string().contains("more than once"), "{again}");
    assert!(Preferences::collect(2, 4, &[ask(0, 0, 1, 1.2)], 0.0).is_err());
    assert!(Preferences::collect(2, 4, &[ask(0, 1, 1, 0.5)], 0.0).is_err());
}

#[test]
fn strengths_recover_the_truth_and_stay_finite() {
    let truth = [0.9, 0.2, -0.3, -0.8];
    let mut rng = rng(4);
    let mut questions = Vec::new();
    for product in 0..400 {
        for (left, right) in (0..4).flat_map(|a| (0..4).map(move |b| (a, b))).filter(|(a, b)| a < b) {
            let p = 1.0 / (1.0 + f64::exp(truth[right] - truth[left]));
            let p_left = f64::from(u8::from(uniform(&mut rng) < p));
            questions.push(Question { product, sample: 0, left, right, p_left });
        }
    }
    let preferences = Preferences::collect(4, 400, &questions, 0.0).unwrap();
    let bootstrap = Bootstrap { seed: 2, resamples: 1000, level: 0.99 };
    for (estimate, truth) in
        bradley_terry::strengths(&preferences, &bootstrap).unwrap().into_iter().zip(truth)
    {
        let estimate = estimate.unwrap();
        assert!(estimate.low.unwrap() < truth && truth < estimate.high.unwrap(), "{estimate:?} {truth}");
    }
    // One entry wins every game, and one never plays.
    let fitted = bradley_terry::fit(&[0.0, 50.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], 3);
    assert!(fitted[0] > 1.9 && fitted[0].is_finite() && fitted[2].abs() < 1e-9, "{fitted:?}");
    assert!(fitted.iter().sum::<f64>().abs() < 1e-9);
}
