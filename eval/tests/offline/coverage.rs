//! Do the intervals hold what they promise?

use crate::support::{assert_nominal, binomial, chance, covers, normal, rng, uniform};
use adeval_eval::{Bootstrap, ClusterTable, Method, Sums, paired};

const TRIALS: u64 = 1000;

fn bootstrap(seed: u64) -> Bootstrap {
    Bootstrap { seed: 1_000_000 + seed, resamples: 1000, level: 0.95 }
}

/// Products of very different size and CTR: pooled rates, with intervals over products.
#[test]
fn bca_of_a_pooled_rate_over_products() {
    for products in [60, 200] {
        let mut hits = 0;
        for trial in 0..TRIALS {
            let mut rng = rng(trial);
            let mut sums = Sums::new(products, 2);
            for product in 0..products {
                let impressions = 50 + (150.0 * uniform(&mut rng)) as u64;
                let ctr = 0.1 + 0.1 * (uniform(&mut rng) - 0.5);
                sums.add(product, 0, binomial(&mut rng, impressions, ctr) as f64);
                sums.add(product, 1, impressions as f64);
            }
            let rate =
                sums.estimates(&bootstrap(trial), 1, |s, out| out[0] = s[0] / s[1]).unwrap()[0].unwrap();
            assert_eq!((rate.method, rate.n), (Method::Bca, products));
            hits += usize::from(covers(&rate, 0.1));
        }
        assert_nominal(&format!("BCa of a pooled rate, {products} products"), hits, TRIALS as usize);
    }
}

/// Several pairs a product that succeed and fail together: an interval over pairs would be far too narrow.
#[test]
fn clusters_widen_what_they_should() {
    let products = 80;
    let (mut by_product, mut by_pair) = (0, 0);
    for trial in 0..TRIALS {
        let mut rng = rng(trial);
        let mut clustered = Sums::new(products, 2);
        let mut single = Sums::new(products * 8, 2);
        for product in 0..products {
            let accuracy = if chance(&mut rng, 0.6) { 0.9 } else { 0.15 };
            for pair in 0..8 {
                let right = f64::from(u8::from(chance(&mut rng, accuracy)));
                clustered.add(product, 0, right);
                clustered.add(product, 1, 1.0);
                single.add(product * 8 + pair, 0, right);
                single.add(product * 8 + pair, 1, 1.0);
            }
        }
        let rate = |sums: &Sums| {
            sums.estimates(&bootstrap(trial), 1, |s, out| out[0] = s[0] / s[1]).unwrap()[0].unwrap()
        };
        by_product += usize::from(covers(&rate(&clustered), 0.6));
        if trial < 200 {
            by_pair += usize::from(covers(&rate(&single), 0.6));
        }
    }
    assert_nominal("BCa of an accuracy, 8 pairs a product, by product", by_product, TRIALS as usize);
    println!("the same by pair, which is wrong: {:.1}% of 200", by_pair as f64 / 2.0);
    assert!(by_pair < 160, "{by_pair} of 200: the clusters of this test do not matter");
}

#[test]
fn studentised_and_bca_differences_with_missing_products() {
    let (mut studentised, mut accelerated, mut alarms) = (0, 0, 0);
    for trial in 0..TRIALS {
        let mut rng = rng(trial);
        let mut table = ClusterTable::new(90, 2);
        for cluster in 0..90 {
            let product = 3.0 * normal(&mut rng);
            for column in 0..2 {
                // Skewed noise, and a tenth of the creatives failed.
                let noise = -(1.0 - uniform(&mut rng)).ln();
                if chance(&mut rng, 0.9) {
                    table.set(cluster, column, product + noise);
                }
            }
        }
        let compared = paired::compare(&table, &[(0, 1)], &bootstrap(trial)).unwrap()[0];
        studentised += usize::from(covers(&compared.difference, 0.0));
        alarms += usize::from(compared.p < 0.05);
        let bca = paired::differences(&table, &[(0, 1)], &bootstrap(trial)).unwrap()[0].unwrap();
        assert_eq!(
            (bca.n, bca.value.to_bits()),
            (compared.difference.n, compared.difference.value.to_bits())
        );
        accelerated += usize::from(covers(&bca, 0.0));
    }
    let trials = TRIALS as usize;
    assert_nominal("bootstrap-t of a paired difference, tenths missing", studentised, trials);
    assert_nominal("BCa of a paired difference, tenths missing", accelerated, trials);
    assert_nominal("bootstrap-t, no false alarm", trials - alarms, trials);
}

#[test]
fn tables_with_few_or_no_values_have_documented_answers() {
    let sums = Sums::new(5, 2);
    let ratio = |sums: &Sums| sums.estimates(&bootstrap(0), 1, |s, out| out[0] = s[0] / s[1]).unwrap()[0];
    assert!(ratio(&sums).is_none(), "0 / 0 is no number");
    let mut one = Sums::new(5, 2);
    one.add(2, 0, 3.0);
    one.add(2, 1, 4.0);
    let estimate = ratio(&one).unwrap();
    assert_eq!((estimate.value, estimate.n, estimate.low), (0.75, 1, None));
    assert!(ratio(&Sums::new(0, 2)).is_none());
    let bad = Bootstrap { resamples: 3, ..bootstrap(0) };
    assert!(one.estimates(&bad, 1, |_, _| ()).is_err());
}
