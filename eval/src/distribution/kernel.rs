//! Maximum mean discrepancy (Gretton et al. 2012): KID with a cubic kernel, CMMD with a Gaussian one.
//!
//! Over *all* pairs of rows, not over random subsets: the same quantity with the least variance, and no seed. What is
//! left without each product follows from sums by row, so the exact jackknife costs nothing.

use super::blocks::{self, Block};
use super::checked;
use super::jackknife::{self, UNBOUNDED, Without};
use crate::statistics::renumbered;
use crate::{Estimate, Result};

/// Kernel Inception Distance (Binkowski et al. 2018): unbiased MMD^2 with k(x, y) = (x . y / d + 1)^3. Of Inception's pool
/// features it is KID, of others a kernel distance of that encoder. It can be below 0, as an unbiased estimate of 0 must.
///
/// # Errors
/// [`crate::EvalError::TooFew`] below two rows a set; sizes and values that are not finite are named by row.
pub fn kid<A, B>(sample: &[A], clusters: &[usize], reference: &[B], level: f64) -> Result<Estimate>
where
    A: AsRef<[f32]> + Sync,
    B: AsRef<[f32]> + Sync,
{
    let dimension = checked("A kernel distance", sample, clusters, reference, 2)? as f64;
    let kernel = |_: (f64, f64), product: f64| (product / dimension + 1.0).powi(3);
    Ok(discrepancy(sample, clusters, reference, level, Diagonal::LeftOut, 1.0, kernel))
}

/// CMMD (Jayasumana et al. 2024): 1000 times MMD^2 with k(x, y) = exp(-|x - y|^2 / (2 sigma^2)), sigma 10, in its biased form
/// with the diagonal, as the authors' code has it. The name belongs to unit vectors of CLIP ViT-L/14 at 336 pixels.
///
/// # Errors
/// As [`kid`].
pub fn cmmd<A, B>(sample: &[A], clusters: &[usize], reference: &[B], level: f64) -> Result<Estimate>
where
    A: AsRef<[f32]> + Sync,
    B: AsRef<[f32]> + Sync,
{
    const GAMMA: f64 = 1.0 / (2.0 * 10.0 * 10.0);
    checked("CMMD", sample, clusters, reference, 2)?;
    let kernel = |(x, y): (f64, f64), product: f64| (-GAMMA * (x + y - 2.0 * product).max(0.0)).exp();
    Ok(discrepancy(sample, clusters, reference, level, Diagonal::Counted, 1000.0, kernel))
}

/// Whether k(x, x) counts in the means over a set's own pairs.
#[derive(Clone, Copy, PartialEq)]
enum Diagonal {
    LeftOut,
    Counted,
}

impl Diagonal {
    /// Pairs of `n` rows with themselves.
    fn pairs(self, n: usize) -> f64 {
        let n = n as f64;
        if self == Self::Counted { n * n } else { n * (n - 1.0) }
    }
}

/// Sums of kernel values: what the discrepancy is a function of.
struct Sums {
    /// Over the other rows of the sample (with the row itself, if the diagonal counts), by row.
    own: Vec<f64>,
    /// Over the reference, by row of the sample.
    cross: Vec<f64>,
    /// Over pairs of one cluster (again with or without the diagonal), by cluster.
    within: Vec<f64>,
}

fn discrepancy<A, B, K>(
    sample: &[A],
    clusters: &[usize],
    reference: &[B],
    level: f64,
    diagonal: Diagonal,
    scale: f64,
    kernel: K,
) -> Estimate
where
    A: AsRef<[f32]> + Sync,
    B: AsRef<[f32]> + Sync,
    K: Fn((f64, f64), f64) -> f64 + Sync,
{
    let (clusters, count) = renumbered(clusters);
    let (x, y) = (blocks::squares(sample), blocks::squares(reference));
    let (own, within) = own_sums(sample, &x, &clusters, count, diagonal, &kernel);
    let (other, _) = own_sums(reference, &y, &vec![0; reference.len()], 1, diagonal, &kernel);
    let sums = Sums { own, cross: cross_sums(sample, &x, reference, &y, &kernel), within };
    let m = reference.len();
    let fixed = other.iter().sum::<f64>() / diagonal.pairs(m);
    let of = |n: usize, own: f64, cross: f64| {
        scale * (own / diagonal.pairs(n) + fixed - 2.0 * cross / (n * m) as f64)
    };
    let (own, cross) = (sums.own.iter().sum::<f64>(), sums.cross.iter().sum::<f64>());
    let n = sample.len();
    let mut parts = vec![(0, 0.0, 0.0); count];
    for (row, cluster) in clusters.iter().enumerate() {
        let part = &mut parts[*cluster];
        *part = (part.0 + 1, part.1 + sums.own[row], part.2 + sums.cross[row]);
    }
    let without: Vec<Without> = parts
        .iter()
        .zip(&sums.within)
        // A pair of a cluster with itself was taken off twice.
        .map(|((rows, o, c), w)| (n - rows, of(n - rows, own - 2.0 * o + w, cross - c)))
        .filter(|(kept, _)| *kept >= 2)
        .collect();
    jackknife::estimate(of(n, own, cross), &without, level, UNBOUNDED)
}

/// Sums of a set's kernel values with itself, by row, and over the pairs inside each cluster.
fn own_sums<A, K>(
    rows: &[A],
    squares: &[f64],
    clusters: &[usize],
    count: usize,
    diagonal: Diagonal,
    kernel: &K,
) -> (Vec<f64>, Vec<f64>)
where
    A: AsRef<[f32]> + Sync,
    K: Fn((f64, f64), f64) -> f64 + Sync,
{
    let parts = blocks::map_upper(rows, |block: Block<'_>| {
        let (mut down, mut across) = (vec![0.0; block.rows.len()], vec![0.0; block.columns.len()]);
        let mut within: Vec<(usize, f64)> = Vec::new();
        for (c, j) in block.columns.clone().enumerate() {
            for (r, i) in block.rows.clone().enumerate() {
                // Above the diagonal each pair stands for both orders.
                if i > j || (i == j && diagonal == Diagonal::LeftOut) {
                    continue;
                }
                let value = kernel((squares[i], squares[j]), block.products[(r, c)]);
                down[r] += value;
                let both = if i == j { 1.0 } else { 2.0 };
                if i != j {
                    across[c] += value;
                }
                if clusters[i] == clusters[j] {
                    match within.last_mut() {
                        Some((last, sum)) if *last == clusters[i] => *sum += both * value,
                        _ => within.push((clusters[i], both * value)),
                    }
                }
            }
        }
        (block.rows.start, down, block.columns.start, across, within)
    });
    let (mut sums, mut inside) = (vec![0.0; rows.len()], vec![0.0; count]);
    for (row, down, column, across, within) in parts {
        sums[row..].iter_mut().zip(down).for_each(|(sum, v)| *sum += v);
        sums[column..].iter_mut().zip(across).for_each(|(sum, v)| *sum += v);
        within.into_iter().for_each(|(cluster, value)| inside[cluster] += value);
    }
    (sums, inside)
}

/// Sums of kernel values with the reference, by row of the sample.
fn cross_sums<A, B, K>(sample: &[A], x: &[f64], reference: &[B], y: &[f64], kernel: &K) -> Vec<f64>
where
    A: AsRef<[f32]> + Sync,
    B: AsRef<[f32]> + Sync,
    K: Fn((f64, f64), f64) -> f64 + Sync,
{
    let parts = blocks::map(sample, reference, |block: Block<'_>| {
        let mut sums = vec![0.0; block.rows.len()];
        for (c, j) in block.columns.clone().enumerate() {
            for (r, i) in block.rows.clone().enumerate() {
                sums[r] += kernel((x[i], y[j]), block.products[(r, c)]);
            }
        }
        (block.rows.start, sums)
    });
    let mut sums = vec![0.0; sample.len()];
    for (row, part) in parts {
        sums[row..].iter_mut().zip(part).for_each(|(sum, v)| *sum += v);
    }
    sums
}
