//! The bootstrap over clusters (products): seeded, parallel, the same for any number of threads.
//!
//! A resample is a vector of counts: how often each cluster was drawn. Each resample has a random stream of its own
//! (seed, index), so neither the thread count nor the order of work changes a bit of the result.

use super::check_level;
use crate::{EvalError, Result};
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

/// How to resample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bootstrap {
    /// Seed of all streams.
    pub seed: u64,
    /// Number of resamples, 100 to 1,000,000.
    pub resamples: u32,
    /// Confidence level, in (0, 1).
    pub level: f64,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Self { seed: 0, resamples: 10_000, level: 0.95 }
    }
}

/// Weights of a block of resamples that are multiplied at once: about 4 MB, whatever the number of clusters.
const BLOCK_WEIGHTS: usize = 1 << 19;

impl Bootstrap {
    /// Checks the options' ranges.
    ///
    /// # Errors
    /// [`EvalError::BadOption`].
    pub fn validate(&self) -> Result<()> {
        if !(100..=1_000_000).contains(&self.resamples) {
            let value = self.resamples.to_string();
            return Err(EvalError::BadOption {
                option: "resamples",
                value,
                rule: "it must be 100 to 1,000,000",
            });
        }
        check_level(self.level)
    }

    /// Runs a statistic on every resample of `clusters` clusters. `statistic` gets the counts (they sum to `clusters`)
    /// and writes `width` numbers. The result holds `resamples` rows of `width` numbers.
    ///
    /// For statistics that are functions of sums over clusters [`super::Sums`] is many times faster.
    pub fn run<F>(&self, clusters: usize, width: usize, statistic: F) -> Vec<f64>
    where
        F: Fn(&[u32], &mut [f64]) + Sync,
    {
        let mut out = vec![f64::NAN; self.resamples as usize * width];
        if clusters == 0 || width == 0 {
            return out;
        }
        let draws = Draws::new(self.seed, clusters);
        out.par_chunks_mut(width).enumerate().for_each_init(
            || draws.scratch(),
            |scratch, (index, row)| statistic(draws.counts(index, scratch), row),
        );
        out
    }

    /// The column sums of every resample: `resamples` rows of as many numbers as `table` (clusters x columns) has
    /// columns. A matrix product of counts and table, so the counts are drawn once however many columns there are.
    pub(super) fn column_sums(&self, table: MatRef<'_, f64>) -> Vec<f64> {
        let (clusters, columns) = (table.nrows(), table.ncols());
        let mut out = vec![f64::NAN; self.resamples as usize * columns];
        if clusters == 0 || columns == 0 {
            return out;
        }
        let draws = Draws::new(self.seed, clusters);
        let block = (BLOCK_WEIGHTS / clusters).clamp(4, 64);
        out.par_chunks_mut(block * columns).enumerate().for_each_init(
            || (draws.scratch(), vec![0.0; block * clusters]),
            |(scratch, weights), (index, sums)| {
                let rows = sums.len() / columns;
                for (row, weights) in weights.chunks_exact_mut(clusters).take(rows).enumerate() {
                    let counts = draws.counts(index * block + row, scratch);
                    weights.iter_mut().zip(counts).for_each(|(w, c)| *w = f64::from(*c));
                }
                let weights = MatRef::from_row_major_slice(&weights[..rows * clusters], rows, clusters);
                let sums = MatMut::from_row_major_slice_mut(sums, rows, columns);
                matmul(sums, Accum::Replace, weights, table, 1.0, Par::Seq);
            },
        );
        out
    }
}

/// The counts of each resample.
struct Draws {
    root: ChaCha8Rng,
    clusters: usize,
}

struct Scratch {
    counts: Vec<u32>,
    bytes: Vec<u8>,
}

impl Draws {
    fn new(seed: u64, clusters: usize) -> Self {
        Self { root: ChaCha8Rng::seed_from_u64(seed), clusters }
    }

    fn scratch(&self) -> Scratch {
        Scratch { counts: vec![0; self.clusters], bytes: vec![0; 4 * self.clusters] }
    }

    /// How often resample `index` drew each cluster.
    fn counts<'a>(&self, index: usize, scratch: &'a mut Scratch) -> &'a [u32] {
        let mut rng = self.root.clone();
        rng.set_stream(index as u64);
        rng.fill_bytes(&mut scratch.bytes);
        scratch.counts.fill(0);
        for word in scratch.bytes.as_chunks::<4>().0 {
            // Multiply-shift: its bias is below clusters / 2^32.
            let draw = (u64::from(u32::from_le_bytes(*word)) * self.clusters as u64) >> 32;
            let count = &mut scratch.counts[draw as usize];
            *count = count.wrapping_add(1);
        }
        &scratch.counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_one_draw_a_cluster_from_the_stream() {
        let draws = Draws::new(5, 37);
        let mut scratch = draws.scratch();
        for index in [0, 1, 900] {
            let counts = draws.counts(index, &mut scratch).to_vec();
            let mut rng = ChaCha8Rng::seed_from_u64(5);
            rng.set_stream(index as u64);
            let mut wanted = vec![0_u32; 37];
            (0..37).for_each(|_| wanted[((u64::from(rng.next_u32()) * 37) >> 32) as usize] += 1);
            assert_eq!(counts, wanted);
        }
    }

    #[test]
    fn products_and_counts_give_the_same_sums() {
        let bootstrap = Bootstrap { seed: 3, resamples: 333, level: 0.9 };
        let (clusters, columns) = (101, 3);
        let cells: Vec<f64> = (0..clusters * columns).map(|i| (i as f64 * 0.7).sin()).collect();
        let table = MatRef::from_row_major_slice(&cells, clusters, columns);
        let fast = bootstrap.column_sums(table);
        let slow = bootstrap.run(clusters, columns, |counts, out| {
            out.fill(0.0);
            for (count, row) in counts.iter().zip(cells.chunks_exact(columns)) {
                out.iter_mut().zip(row).for_each(|(o, v)| *o += f64::from(*count) * v);
            }
        });
        assert!(fast.iter().zip(&slow).all(|(a, b)| (a - b).abs() < 1e-11));
    }
}
