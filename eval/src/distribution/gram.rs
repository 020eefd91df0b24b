//! The Fréchet distance by inner products of rows: cheap where there are fewer rows than dimensions.

use super::jackknife::{self, Without};
use super::moments::matrix;
use crate::{Result, linalg};
use faer::Mat;
use faer::prelude::{Reborrow, ReborrowMut};
use rayon::prelude::*;

/// At most this many delete-a-group recomputations, and at least [`LEAST_GROUPS`].
const MOST_GROUPS: usize = 200;
const LEAST_GROUPS: usize = 20;
/// Groups times rows^3 is kept below this: some ten seconds of one core.
const WORK: f64 = 2e11;

/// What the distance needs of the sample once the reference is fixed.
pub(super) struct Gram {
    /// x_i . x_j over the sample, after the reference's mean was taken off.
    own: Mat<f64>,
    /// Sample rows times centred reference rows over sqrt(n2 - 1), n1 x n2.
    cross: Mat<f64>,
    /// Trace of the reference's covariance.
    reference_trace: f64,
}

impl Gram {
    /// Both sets have at least two rows.
    pub fn new<A: AsRef<[f32]>, B: AsRef<[f32]>>(sample: &[A], reference: &[B]) -> Result<Self> {
        let d = reference[0].as_ref().len();
        let mut y = matrix(reference, d, "reference features")?;
        let mut x = matrix(sample, d, "features")?;
        let m = y.nrows() as f64;
        // Everything is invariant to a common shift; the reference's mean as the origin keeps the numbers small.
        for j in 0..d {
            let mean = y.col(j).iter().sum::<f64>() / m;
            y.col_mut(j).iter_mut().for_each(|v| *v -= mean);
            x.col_mut(j).iter_mut().for_each(|v| *v -= mean);
        }
        let reference_trace =
            y.col_iter().map(|c| c.iter().map(|v| v * v).sum::<f64>()).sum::<f64>() / (m - 1.0);
        let scale = (m - 1.0).sqrt();
        let mut cross = linalg::product(x.as_ref(), y.transpose());
        cross.col_iter_mut().for_each(|c| c.iter_mut().for_each(|v| *v /= scale));
        Ok(Self { own: linalg::product(x.as_ref(), x.transpose()), cross, reference_trace })
    }

    pub fn distance(&self) -> Result<f64> {
        let n = self.own.nrows();
        let mut centred = self.cross.clone();
        for mut column in centred.col_iter_mut() {
            let mean = column.rb().iter().sum::<f64>() / n as f64;
            column.rb_mut().iter_mut().for_each(|v| *v -= mean);
        }
        let all: Vec<usize> = (0..n).collect();
        let cross = linalg::nuclear_norm(centred.as_ref())? / (n as f64 - 1.0).sqrt();
        Ok(self.shift_and_trace(&all) + self.reference_trace - 2.0 * cross)
    }

    /// |m1 - m2|^2 + tr S1 over the rows that are kept.
    fn shift_and_trace(&self, keep: &[usize]) -> f64 {
        let n = keep.len() as f64;
        let total: f64 = keep.iter().map(|&i| keep.iter().map(|&j| self.own[(i, j)]).sum::<f64>()).sum();
        let squares: f64 = keep.iter().map(|&i| self.own[(i, i)]).sum();
        total / (n * n) + (squares - total / n) / (n - 1.0)
    }

    /// The distance without each cluster, or group of clusters where there are many, and the number of clusters.
    pub fn without_clusters(&self, clusters: &[usize]) -> Result<(Vec<Without>, usize)> {
        let rows = clusters.len();
        let most = ((WORK / (rows as f64).powi(3)) as usize).clamp(LEAST_GROUPS, MOST_GROUPS);
        let count = jackknife::groups(clusters, usize::MAX).len();
        let groups = jackknife::groups(clusters, most);
        if groups.len() < 3 || groups.iter().any(|group| rows - group.len() < 2) {
            return Ok((Vec::new(), count));
        }
        let square = self.square();
        let without = groups
            .par_iter()
            .map(|group| {
                let keep: Vec<usize> = (0..rows).filter(|i| !group.contains(i)).collect();
                Ok((keep.len(), self.distance_of(&square, &keep)?))
            })
            .collect::<Result<_>>()?;
        Ok((without, count))
    }

    /// cross cross^T.
    pub fn square(&self) -> Mat<f64> {
        linalg::product(self.cross.as_ref(), self.cross.transpose())
    }

    /// The distance of some rows, given [`Gram::square`]. Eigenvalues of a small symmetric matrix in place
    /// of singular values: it loses half the digits of the smallest ones, far below what a jackknife needs.
    pub fn distance_of(&self, square: &Mat<f64>, keep: &[usize]) -> Result<f64> {
        let n = keep.len();
        let means: Vec<f64> =
            keep.iter().map(|&i| keep.iter().map(|&j| square[(i, j)]).sum::<f64>() / n as f64).collect();
        let grand = means.iter().sum::<f64>() / n as f64;
        let centred = Mat::from_fn(n, n, |i, j| square[(keep[i], keep[j])] - means[i] - means[j] + grand);
        let (values, _) = linalg::eigen(centred.as_ref(), false)?;
        let cross = values.iter().map(|v| v.max(0.0).sqrt()).sum::<f64>() / (n as f64 - 1.0).sqrt();
        Ok(self.shift_and_trace(keep) + self.reference_trace - 2.0 * cross)
    }
}
