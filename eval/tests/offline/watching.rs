//! Intervals that are read after every value.

use crate::support::{chance, normal, rng, uniform};
use adeval_eval::statistics::sequential::{Betting, NormalMixture};

const TRIALS: u64 = 400;

/// Share of the runs in which the interval held the truth at every moment.
fn always_held(mut run: impl FnMut(u64) -> bool) -> f64 {
    (0..TRIALS).filter(|&trial| run(trial)).count() as f64 / TRIALS as f64
}

#[test]
fn bets_hold_at_every_moment_where_ordinary_intervals_do_not() {
    for truth in [0.5, 0.05] {
        let mut ordinary = 0;
        let share = always_held(|trial| {
            let mut rng = rng(trial);
            let mut betting = Betting::new(0.95).unwrap();
            let (mut held, mut ordinary_held, mut sum) = (true, true, 0.0);
            for n in 1..=1000 {
                let value = f64::from(u8::from(chance(&mut rng, truth)));
                betting.push(value).unwrap();
                sum += value;
                held &= betting.interval().is_some_and(|(low, high)| low <= truth && truth <= high);
                let (mean, n) = (sum / f64::from(n), f64::from(n));
                let reach = 1.96 * (truth * (1.0 - truth) / n).sqrt();
                ordinary_held &= n < 10.0 || (mean - truth).abs() <= reach;
            }
            ordinary += usize::from(ordinary_held);
            held
        });
        println!("betting, mean {truth}: held all of 1000 moments in {:.1}% of {TRIALS}", 100.0 * share);
        println!("a 95% interval with known variance: {:.1}%", 100.0 * ordinary as f64 / TRIALS as f64);
        assert!(share >= 0.95 && ordinary < TRIALS as usize * 3 / 4, "{share}, {ordinary}");
    }
}

#[test]
fn bets_narrow_nearly_as_an_ordinary_interval_does() {
    let mut rng = rng(7);
    let mut betting = Betting::new(0.95).unwrap();
    assert_eq!(betting.interval(), Some((0.0, 1.0)));
    let mut last = 1.0;
    for _ in 0..4000 {
        betting.push(0.3 + 0.2 * (uniform(&mut rng) - 0.5)).unwrap();
        let (low, high) = betting.interval().unwrap();
        assert!(high - low <= last);
        last = high - low;
    }
    // The ordinary interval is 0.0036 wide; the grid adds 0.001.
    println!("width after 4000 values of deviation 0.058: {last:.4}");
    assert!((0.0036..0.011).contains(&last), "{last}");
    assert_eq!((betting.len(), betting.is_empty()), (4000, false));
}

#[test]
fn the_mixture_holds_at_every_moment() {
    let share = always_held(|trial| {
        let mut rng = rng(trial);
        let mut mixture = NormalMixture::new(0.95, 300).unwrap();
        (0..3000).all(|n| {
            mixture.push(0.2 + normal(&mut rng)).unwrap();
            n < 30 || mixture.interval().is_some_and(|(low, high)| low <= 0.2 && 0.2 <= high)
        })
    });
    println!("normal mixture: held from 30 to 3000 in {:.1}% of {TRIALS}", 100.0 * share);
    assert!((0.95..=1.0).contains(&share), "{share}");
}

#[test]
fn a_drifting_mean_is_found_out_and_bad_values_are_refused() {
    let mut betting = Betting::new(0.95).unwrap();
    (0..300).for_each(|_| betting.push(0.1).unwrap());
    (0..3000).for_each(|_| betting.push(0.9).unwrap());
    assert_eq!(betting.interval(), None);
    let error = betting.push(f64::NAN).unwrap_err().to_string();
    assert!(error.contains("observation 3300"), "{error}");
    assert!(betting.push(1.1).is_err() && Betting::new(0.0).is_err());
    let mut mixture = NormalMixture::new(0.9, 50).unwrap();
    assert!(mixture.interval().is_none());
    assert!(mixture.push(f64::INFINITY).is_err());
    assert!(NormalMixture::new(0.9, 0).unwrap_err().to_string().contains("tuned_for"));
}
