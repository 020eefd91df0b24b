//! How long the distances between sets of features take: 10,000 x 2048 unless told (rows, dimensions).
//!
//!     cargo run --release -p adeval-eval --example distances [ROWS [DIMENSIONS]]
//!
//! `fixtures/scripts/speed_distribution.py` does the same with torch-fidelity, torch and scipy.

#![allow(clippy::print_stdout, missing_docs)]

use adeval_eval::distribution::{cmmd, kid, manifolds};
use adeval_eval::{EvalError, Moments, frechet_estimate, frechet_from_moments};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::time::Instant;

fn features(rows: usize, dimensions: usize, seed: u64, shift: f32) -> Vec<Vec<f32>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut value = || (0..4).map(|_| rng.next_u32() as f32 / u32::MAX as f32).sum::<f32>() / 4.0 + shift;
    (0..rows).map(|_| (0..dimensions).map(|_| value()).collect()).collect()
}

fn timed<T>(name: &str, run: impl FnOnce() -> Result<T, EvalError>) -> Result<T, EvalError> {
    let start = Instant::now();
    let value = run()?;
    println!("{name:<28} {:>8.2} s", start.elapsed().as_secs_f64());
    Ok(value)
}

fn main() -> Result<(), EvalError> {
    let mut arguments = std::env::args().skip(1).map(|a| a.parse().expect("a number of rows or dimensions"));
    let (rows, dimensions) = (arguments.next().unwrap_or(10_000), arguments.next().unwrap_or(2048));
    let (x, y) = (features(rows, dimensions, 1, 0.02), features(rows, dimensions, 2, 0.0));
    let alone: Vec<usize> = (0..rows).collect();
    println!("{rows} x {dimensions} each, {} threads", rayon::current_num_threads());
    let a = timed("moments of one set", || Moments::of(&x))?;
    let b = Moments::of(&y)?;
    timed("Fréchet from moments", || frechet_from_moments(&a, &b))?;
    timed("Fréchet with its interval", || frechet_estimate(&x, &alone, &y, 0.95))?;
    timed("KID, all pairs, interval", || kid(&x, &alone, &y, 0.95))?;
    timed("CMMD, interval", || cmmd(&x, &alone, &y, 0.95))?;
    timed("precision ... coverage, k 3", || manifolds(&x, &alone, &y, 3, 0.95))?;
    Ok(())
}
