//! Products of all rows of one set with all rows of another, a block at a time: what kernels and distances are made of.

use crate::linalg::product;
use faer::{Mat, MatRef};
use rayon::prelude::*;
use std::ops::Range;

/// Rows of a block. Two blocks of 2048 features in f64 are 16 MB, and their products 2 MB.
const ROWS: usize = 512;

/// The products of two blocks of rows.
pub(super) struct Block<'a> {
    /// Rows of the first set.
    pub rows: Range<usize>,
    /// Rows of the second set.
    pub columns: Range<usize>,
    /// x_i . y_j, rows x columns.
    pub products: MatRef<'a, f64>,
}

/// Calls `f` for every block of a x b, in parallel, and gives the results in the blocks' order, which neither the number
/// of threads nor their speed changes.
pub(super) fn map<A, B, T, F>(a: &[A], b: &[B], f: F) -> Vec<T>
where
    A: AsRef<[f32]> + Sync,
    B: AsRef<[f32]> + Sync,
    T: Send,
    F: Fn(Block<'_>) -> T + Sync,
{
    let pairs =
        ranges(a.len()).into_iter().flat_map(|r| ranges(b.len()).into_iter().map(move |c| (r.clone(), c)));
    run(a, b, pairs.collect(), f)
}

/// As [`map`] for a set with itself, without the blocks below the diagonal: x_i . x_j = x_j . x_i.
pub(super) fn map_upper<A, T, F>(a: &[A], f: F) -> Vec<T>
where
    A: AsRef<[f32]> + Sync,
    T: Send,
    F: Fn(Block<'_>) -> T + Sync,
{
    let all = ranges(a.len());
    let pairs =
        all.iter().enumerate().flat_map(|(i, r)| all[i..].iter().map(move |c| (r.clone(), c.clone())));
    run(a, a, pairs.collect(), f)
}

fn run<A, B, T, F>(a: &[A], b: &[B], pairs: Vec<(Range<usize>, Range<usize>)>, f: F) -> Vec<T>
where
    A: AsRef<[f32]> + Sync,
    B: AsRef<[f32]> + Sync,
    T: Send,
    F: Fn(Block<'_>) -> T + Sync,
{
    pairs
        .into_par_iter()
        .map(|(rows, columns)| {
            let products = product(block(&a[rows.clone()]).as_ref(), block(&b[columns.clone()]).transpose());
            f(Block { rows, columns, products: products.as_ref() })
        })
        .collect()
}

fn ranges(rows: usize) -> Vec<Range<usize>> {
    (0..rows.div_ceil(ROWS)).map(|k| k * ROWS..rows.min((k + 1) * ROWS)).collect()
}

fn block<R: AsRef<[f32]>>(rows: &[R]) -> Mat<f64> {
    let dimension = rows.first().map_or(0, |row| row.as_ref().len());
    // By columns, as the matrix lies in memory: written once, in order.
    Mat::from_fn(rows.len(), dimension, |i, j| f64::from(rows[i].as_ref()[j]))
}

/// |x_i|^2 of each row.
pub(super) fn squares<R: AsRef<[f32]>>(rows: &[R]) -> Vec<f64> {
    rows.iter().map(|row| row.as_ref().iter().map(|v| f64::from(*v).powi(2)).sum()).collect()
}
