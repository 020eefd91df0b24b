//! The Fréchet distance of a large sample, with an interval from the influence of each image.
//!
//! With S2 = L L^T and M = L^T S1 L, the derivative of tr((S1 S2)^(1/2)) = tr(M^(1/2)) by S1 is L M^(-1/2) L^T / 2. So one more
//! image x at the sample's mean m1 and covariance S1 moves the distance by
//!
//! ```text
//! 2 (m1 - m2) . (x - m1) + (x - m1)^T G (x - m1) - tr(G S1),   G = I - L M^(-1/2) L^T
//! ```
//!
//! and the variance of a sum of such influences over products is the infinitesimal jackknife (Jaeckel 1972; Efron 1982).

use super::frechet::{Gaussian, trace};
use super::jackknife::{self, POSITIVE};
use super::moments::Moments;
use crate::statistics::renumbered;
use crate::{Estimate, EvalError, Result, linalg};
use faer::Mat;
use rayon::prelude::*;

/// Rows whose influences are computed by one matrix product.
const ROWS: usize = 512;
/// Below this ratio of the smallest to the largest eigenvalue of M the derivative is not to be trusted.
const CONDITION: f64 = 1e-14;

/// The distance and its interval; the sample has more rows than dimensions, both sets at least two.
pub(super) fn estimate<A, B>(
    sample: &[A],
    clusters: &[usize],
    reference: &[B],
    level: f64,
) -> Result<Estimate>
where
    A: AsRef<[f32]> + Sync,
    B: AsRef<[f32]> + Sync,
{
    let (a, b) = rayon::join(|| Moments::of(sample), || Moments::of(reference));
    let (a, b) = (a?, Gaussian::of(&b?)?);
    let (mean, sa, l) = (a.mean(), a.covariance()?, &b.root);
    let shift: Vec<f64> = mean.iter().zip(&b.mean).map(|(x, y)| x - y).collect();
    let m = linalg::product(l.transpose(), linalg::product(sa.as_ref(), l.as_ref()).as_ref());
    let symmetric = Mat::from_fn(m.nrows(), m.ncols(), |i, j| f64::midpoint(m[(i, j)], m[(j, i)]));
    let (values, vectors) = linalg::eigen(symmetric.as_ref(), true)?;
    let vectors = vectors.ok_or(EvalError::Numerical { what: "the symmetric eigendecomposition".into() })?;
    let most = values.last().copied().unwrap_or(0.0);
    let roots: Vec<f64> = values.iter().map(|v| v.max(0.0).sqrt()).collect();
    let squares: f64 = shift.iter().map(|d| d * d).sum();
    let spread = trace(sa.as_ref()) + trace(b.covariance.as_ref());
    let value = (squares + spread - 2.0 * roots.iter().sum::<f64>()).max(0.0);
    let (clusters, count) = renumbered(clusters);
    if count < 3 || values.first().is_none_or(|least| *least <= CONDITION * most) {
        return Ok(Estimate::plain(value, count));
    }
    // L M^(-1/2) L^T = K K^T with K = L V Lambda^(-1/4).
    let scaled = Mat::from_fn(m.nrows(), m.ncols(), |i, j| vectors[(i, j)] / roots[j].sqrt());
    let k = linalg::product(l.as_ref(), scaled.as_ref());
    let influences = influences(sample, &mean, &shift, &k);
    Ok(jackknife::interval(value, error(&influences, &clusters, count), count, count - 1, level, POSITIVE))
}

/// 2 (m1 - m2) . (x - m1) + |x - m1|^2 - |K^T (x - m1)|^2 for each row; their mean is tr(G S1), up to (n - 1) / n.
fn influences<A: AsRef<[f32]> + Sync>(sample: &[A], mean: &[f64], shift: &[f64], k: &Mat<f64>) -> Vec<f64> {
    let blocks: Vec<Vec<f64>> = sample
        .par_chunks(ROWS)
        .map(|rows| {
            let centred =
                Mat::from_fn(rows.len(), mean.len(), |i, j| f64::from(rows[i].as_ref()[j]) - mean[j]);
            let mapped = linalg::product(centred.as_ref(), k.as_ref());
            let mut out = vec![0.0; rows.len()];
            for (column, d) in centred.col_iter().zip(shift) {
                out.iter_mut().zip(column.iter()).for_each(|(sum, v)| *sum += v * (v + 2.0 * d));
            }
            for column in mapped.col_iter() {
                out.iter_mut().zip(column.iter()).for_each(|(sum, v)| *sum -= v * v);
            }
            out
        })
        .collect();
    blocks.concat()
}

/// The standard error of the distance, by the influences' sums over clusters.
fn error(influences: &[f64], clusters: &[usize], count: usize) -> f64 {
    let n = influences.len() as f64;
    let mean = influences.iter().sum::<f64>() / n;
    let mut sums = vec![0.0; count];
    clusters.iter().zip(influences).for_each(|(cluster, value)| sums[*cluster] += value - mean);
    let g = count as f64;
    (sums.iter().map(|s| s * s).sum::<f64>() * g / (g - 1.0)).sqrt() / n
}
