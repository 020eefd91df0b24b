//! How long do 10,000 resamples of 10,000 products x 10 entries take?
//!
//! `cargo run --release -p adeval-eval --example resampling`

#![allow(clippy::print_stdout)] // It is there to print.

use adeval_eval::statistics::permutation::sign_flip;
use adeval_eval::{Bootstrap, ClusterTable, paired};
use std::time::Instant;

const PRODUCTS: usize = 10_000;
const ENTRIES: usize = 10;

fn main() -> adeval_eval::Result<()> {
    let mut table = ClusterTable::new(PRODUCTS, ENTRIES);
    for product in 0..PRODUCTS {
        for entry in 0..ENTRIES {
            let cell = (product * ENTRIES + entry) as f64;
            table.set(
                product,
                entry,
                (cell * 12.9898).sin() * 0.5 + (product as f64).cos() + 0.01 * entry as f64,
            );
        }
    }
    let bootstrap = Bootstrap { seed: 1, resamples: 10_000, level: 0.95 };
    let pairs: Vec<(usize, usize)> =
        (0..ENTRIES).flat_map(|a| (a + 1..ENTRIES).map(move |b| (a, b))).collect();
    println!("{} threads", rayon::current_num_threads());
    for _ in 0..3 {
        let start = Instant::now();
        let means = table.means(&bootstrap, false)?;
        println!("{} means with BCa intervals: {:.2} s", means.len(), start.elapsed().as_secs_f64());
        let start = Instant::now();
        let compared = paired::compare(&table, &pairs, &bootstrap)?;
        println!("{} paired bootstrap-t: {:.2} s", compared.len(), start.elapsed().as_secs_f64());
        let start = Instant::now();
        let flips = sign_flip(&table.differences(0, 1), 10_000, 1)?;
        println!("one sign-flip test, p = {:.4}: {:.2} s", flips.p, start.elapsed().as_secs_f64());
    }
    Ok(())
}
