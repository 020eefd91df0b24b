//! AUC and calibration.

use crate::support::{assert_nominal, beta, binomial, chance, covers, normal, rng, uniform};
use adeval_eval::Bootstrap;
use adeval_eval::statistics::auc::{Scored, auc_estimate};
use adeval_eval::statistics::calibration::{Binning, Forecast, calibration};

fn bootstrap(seed: u64, resamples: u32) -> Bootstrap {
    Bootstrap { seed, resamples, level: 0.95 }
}

#[test]
fn auc_intervals_cover_with_products_as_clusters() {
    let (trials, mut hits) = (500, 0);
    // Positives score 1 higher on average: P(N(1, s) > N(0, s)) with s^2 = 1 + 0.5^2, apart from pairs within a product.
    let truth = 0.736_46;
    for trial in 0..trials {
        let mut rng = rng(trial);
        let mut items = Vec::new();
        for cluster in 0..80 {
            let product = 0.5 * normal(&mut rng);
            for _ in 0..6 {
                let positive = f64::from(u8::from(chance(&mut rng, 0.4)));
                let score = positive + product + normal(&mut rng);
                items.push(Scored { cluster, score, positives: positive, negatives: 1.0 - positive });
            }
        }
        let estimate = auc_estimate(&items, 80, &bootstrap(trial, 1000)).unwrap().unwrap();
        hits += usize::from(covers(&estimate, truth));
    }
    assert_nominal("BCa of an AUC, 6 creatives a product", hits, trials as usize);
    assert!(auc_estimate(&[], 0, &bootstrap(0, 100)).unwrap().is_none());
}

#[test]
fn the_parts_of_a_brier_score_add_up() {
    let mut rng = rng(5);
    let forecasts: Vec<Forecast> = (0..400)
        .map(|i| {
            let predicted = uniform(&mut rng);
            let trials = 1.0 + (i % 4) as f64;
            let successes = (0..i % 4 + 1).filter(|_| chance(&mut rng, predicted * predicted)).count() as f64;
            Forecast { cluster: i / 4, predicted, successes, trials }
        })
        .collect();
    for binning in [Binning::EqualWidth(10), Binning::EqualMass(7), Binning::EqualWidth(1)] {
        let found = calibration(&forecasts, 100, binning, &bootstrap(1, 200)).unwrap();
        let parts = found.reliability.value - found.resolution.value
            + found.uncertainty.value
            + found.within_bin.value;
        assert!((found.brier.value - parts).abs() < 1e-14, "{found:?}");
        let by_hand: f64 = forecasts
            .iter()
            .map(|f| {
                f.successes * (1.0 - f.predicted).powi(2) + (f.trials - f.successes) * f.predicted.powi(2)
            })
            .sum::<f64>()
            / forecasts.iter().map(|f| f.trials).sum::<f64>();
        assert!((found.brier.value - by_hand).abs() < 1e-14);
        let trials: f64 = found.curve.iter().map(|b| b.trials).sum();
        assert_eq!(trials, 1000.0);
        assert!(found.curve.windows(2).all(|w| w[0].predicted < w[1].predicted));
        // p instead of p squared: it promises too much.
        assert!(found.bias.low.unwrap() > 0.0 && found.ece.value > 0.05, "{found:?}");
    }
}

#[test]
fn bins_by_hand() {
    let of = |predicted, successes: f64| Forecast { cluster: 0, predicted, successes, trials: 1.0 };
    let forecasts = [of(0.1, 0.0), of(0.2, 1.0), of(0.5, 1.0), of(1.0, 1.0)];
    let wide = calibration(&forecasts, 1, Binning::EqualWidth(2), &bootstrap(0, 100)).unwrap();
    // Bins {0.1, 0.2} with rate 1/2 and {0.5, 1.0} with rate 1: (2 * 0.35 + 2 * 0.25) / 4.
    assert!((wide.ece.value - 0.3).abs() < 1e-15 && wide.curve.len() == 2);
    assert_eq!((wide.ece.n, wide.ece.low), (1, None));
    let even = calibration(&forecasts, 1, Binning::EqualMass(4), &bootstrap(0, 100)).unwrap();
    assert!((even.ece.value - (0.1 + 0.8 + 0.5 + 0.0) / 4.0).abs() < 1e-15);
    // Equal predictions cannot be told apart.
    let same = calibration(&[of(0.3, 1.0); 9], 1, Binning::EqualMass(5), &bootstrap(0, 100)).unwrap();
    assert_eq!(same.curve.len(), 1);
}

#[test]
fn a_calibrated_model_of_ctr_is_found_calibrated() {
    let (trials, mut hits) = (300, 0);
    for trial in 0..trials {
        let mut rng = rng(trial);
        let forecasts: Vec<Forecast> = (0..150)
            .map(|cluster| {
                let predicted = beta(&mut rng, 3.0, 27.0);
                let successes = binomial(&mut rng, 200, predicted) as f64;
                Forecast { cluster, predicted, successes, trials: 200.0 }
            })
            .collect();
        let found = calibration(&forecasts, 150, Binning::EqualMass(5), &bootstrap(trial, 1000)).unwrap();
        hits += usize::from(covers(&found.bias, 0.0));
        assert!(found.ece.value < 0.02, "{found:?}");
    }
    assert_nominal("BCa of calibration in the large", hits, trials as usize);
}

#[test]
fn forecasts_that_cannot_be_are_named() {
    let good = Forecast { cluster: 0, predicted: 0.5, successes: 1.0, trials: 1.0 };
    let run = |forecasts: &[Forecast], binning| {
        calibration(forecasts, 1, binning, &bootstrap(0, 100)).unwrap_err().to_string()
    };
    let with = |f: Forecast| run(&[good, f], Binning::EqualWidth(10));
    assert!(with(Forecast { predicted: f64::NAN, ..good }).contains("forecast 1"));
    assert!(with(Forecast { predicted: 1.2, ..good }).contains("[0, 1]"));
    assert!(with(Forecast { successes: 2.0, ..good }).contains("2 clicks of 1 impressions"));
    assert!(with(Forecast { trials: 0.0, successes: 0.0, ..good }).contains("0 impressions"));
    assert!(run(&[], Binning::EqualWidth(10)).contains("at least 1"));
    assert!(run(&[good], Binning::EqualMass(0)).contains("bins"));
}
