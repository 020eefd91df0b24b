//! Do the intervals hold what they promise? A longer run of what the tests simulate.
//!
//! `cargo run --release -p adeval-eval --example coverage -- 2000` prints the share of so many simulated sets whose 95%
//! interval holds the truth, by number of products.

#![allow(clippy::print_stdout)] // It is there to print.

use adeval_eval::statistics::permutation::sign_flip;
use adeval_eval::{Bootstrap, ClusterTable, Estimate, Result, Sums, paired};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

const PRODUCTS: [usize; 4] = [30, 60, 120, 300];

fn uniform(rng: &mut ChaCha8Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

fn normal(rng: &mut ChaCha8Rng) -> f64 {
    let radius = (-2.0 * (1.0 - uniform(rng)).ln()).sqrt();
    radius * (std::f64::consts::TAU * uniform(rng)).cos()
}

fn exponential(rng: &mut ChaCha8Rng) -> f64 {
    -(1.0 - uniform(rng)).ln()
}

/// One simulated set: whether the interval held the truth.
type Trial = fn(&mut ChaCha8Rng, usize, &Bootstrap) -> Result<bool>;

fn holds(estimate: Option<Estimate>, truth: f64) -> bool {
    let ends = estimate.and_then(|e| e.low.zip(e.high));
    ends.is_some_and(|(low, high)| low <= truth && truth <= high)
}

fn mean_of(
    draw: fn(&mut ChaCha8Rng) -> f64,
    rng: &mut ChaCha8Rng,
    n: usize,
    b: &Bootstrap,
) -> Result<Option<Estimate>> {
    let mut table = ClusterTable::new(n, 1);
    (0..n).for_each(|c| table.set(c, 0, draw(rng)));
    Ok(table.means(b, false)?[0])
}

/// A pooled rate of products of 50 to 200 impressions, CTR 1% to 5%.
fn pooled(rng: &mut ChaCha8Rng, n: usize, b: &Bootstrap) -> Result<bool> {
    let mut sums = Sums::new(n, 2);
    for product in 0..n {
        let (shown, ctr) = (50 + (150.0 * uniform(rng)) as u64, 0.01 + 0.04 * uniform(rng));
        sums.add(product, 0, (0..shown).filter(|_| uniform(rng) < ctr).count() as f64);
        sums.add(product, 1, shown as f64);
    }
    Ok(holds(sums.estimates(b, 1, |s, out| out[0] = s[0] / s[1])?[0], 0.03))
}

/// Two entries with skewed noise on products that differ far more.
fn two_entries(rng: &mut ChaCha8Rng, n: usize) -> ClusterTable {
    let mut table = ClusterTable::new(n, 2);
    for c in 0..n {
        let product = 3.0 * normal(rng);
        (0..2).for_each(|k| table.set(c, k, product + exponential(rng)));
    }
    table
}

const TRIALS: [(&str, Trial); 7] = [
    ("BCa, mean of normals", |rng, n, b| Ok(holds(mean_of(normal, rng, n, b)?, 0.0))),
    ("BCa, mean of exponentials", |rng, n, b| Ok(holds(mean_of(exponential, rng, n, b)?, 1.0))),
    ("BCa, mean of log-normals", |rng, n, b| {
        Ok(holds(mean_of(|r| normal(r).exp(), rng, n, b)?, 0.5_f64.exp()))
    }),
    ("BCa, pooled CTR", pooled),
    ("BCa, paired difference", |rng, n, b| {
        Ok(holds(paired::differences(&two_entries(rng, n), &[(0, 1)], b)?[0], 0.0))
    }),
    ("bootstrap-t, paired difference", |rng, n, b| {
        Ok(holds(Some(paired::compare(&two_entries(rng, n), &[(0, 1)], b)?[0].difference), 0.0))
    }),
    ("sign flips, no false alarm", |rng, n, b| {
        Ok(sign_flip(&two_entries(rng, n).differences(0, 1), 999, b.seed)?.p >= 0.05)
    }),
];

fn main() -> Result<()> {
    let trials: u64 = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(2000);
    println!("| of {trials} sets each | {} |", PRODUCTS.map(|n| format!("n = {n}")).join(" | "));
    println!("|---|{}", "---:|".repeat(PRODUCTS.len()));
    for (name, trial) in TRIALS {
        let mut cells = Vec::new();
        for n in PRODUCTS {
            let held = (0..trials).into_par_iter().map(|seed| {
                let bootstrap = Bootstrap { seed: u64::MAX - seed, resamples: 2000, level: 0.95 };
                trial(&mut ChaCha8Rng::seed_from_u64(seed), n, &bootstrap)
            });
            let hits = held.collect::<Result<Vec<bool>>>()?.into_iter().filter(|h| *h).count();
            cells.push(format!("{:.1}%", 100.0 * hits as f64 / trials as f64));
        }
        println!("| {name} | {} |", cells.join(" | "));
    }
    Ok(())
}
