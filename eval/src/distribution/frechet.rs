//! The Fréchet distance between two sets of features.
//!
//! FD = |m1 - m2|^2 + tr S1 + tr S2 - 2 tr((S1 S2)^(1/2)) (Dowson and Landau 1982; Heusel et al. 2017 on Inception
//! features). tr((S1 S2)^(1/2)) is the nuclear norm of any L1^T L2 with Si = Li Li^T:
//!
//! - from moments, Li is Cholesky's factor, or Qi sqrt(Lambda_i) by a symmetric eigendecomposition where a covariance is
//!   singular: never a complex number, whatever the rank;
//! - from rows ([`super::gram`]), Li^T is the centred row matrix over sqrt(n - 1), so the problem is n1 x n2 whatever the
//!   dimension.

use super::gram::Gram;
use super::jackknife::{self, POSITIVE};
use super::{Moments, checked, influence};
use crate::{Estimate, EvalError, Result, linalg};
use faer::{Mat, MatRef};

/// The Fréchet distance from moments: O(d^3), independent of the number of vectors.
///
/// # Errors
/// [`EvalError::SizeMismatch`] when the dimensions differ, [`EvalError::TooFew`] below two vectors a set.
pub fn frechet_from_moments(a: &Moments, b: &Moments) -> Result<f64> {
    if a.dimension() != b.dimension() {
        let place = "the second set of features";
        return Err(EvalError::size(place, "vector", b.dimension(), a.dimension()));
    }
    let (a, b) = rayon::join(|| Gaussian::of(a), || Gaussian::of(b));
    a?.distance(&b?)
}

/// A mean and a covariance with its root: what the distance needs of a set.
pub(super) struct Gaussian {
    pub mean: Vec<f64>,
    pub covariance: Mat<f64>,
    pub root: Mat<f64>,
}

impl Gaussian {
    pub fn of(moments: &Moments) -> Result<Self> {
        let covariance = moments.covariance()?;
        Ok(Self { mean: moments.mean(), root: root(covariance.as_ref())?, covariance })
    }

    pub fn distance(&self, other: &Self) -> Result<f64> {
        let cross = linalg::product(self.root.transpose(), other.root.as_ref());
        Ok(self.shift_and_traces(other) - 2.0 * linalg::nuclear_norm(cross.as_ref())?)
    }

    /// |m1 - m2|^2 + tr S1 + tr S2.
    fn shift_and_traces(&self, other: &Self) -> f64 {
        let shift: f64 = self.mean.iter().zip(&other.mean).map(|(x, y)| (x - y) * (x - y)).sum();
        shift + trace(self.covariance.as_ref()) + trace(other.covariance.as_ref())
    }
}

/// L with S = L L^T, without the directions in which S has no variance beyond rounding.
fn root(s: MatRef<'_, f64>) -> Result<Mat<f64>> {
    if let Some(factor) = linalg::cholesky(s) {
        return Ok(factor);
    }
    let (values, vectors) = linalg::eigen(s, true)?;
    let vectors = vectors.ok_or(EvalError::Numerical { what: "the symmetric eigendecomposition".into() })?;
    let floor = values.last().copied().unwrap_or(0.0) * f64::EPSILON * values.len() as f64;
    let first = values.partition_point(|v| *v <= floor);
    let rank = values.len() - first;
    Ok(Mat::from_fn(values.len(), rank, |i, j| vectors[(i, first + j)] * values[first + j].sqrt()))
}

pub(super) fn trace(s: MatRef<'_, f64>) -> f64 {
    s.diagonal().column_vector().iter().sum()
}

/// The Fréchet distance from rows: an n1 x n2 singular value problem, so a few hundred vectors of any length cost
/// milliseconds. Equal to [`frechet_from_moments`] up to rounding.
///
/// # Errors
/// As [`frechet_from_moments`], and [`EvalError::NotFinite`] names the row.
pub fn frechet_from_rows<A: AsRef<[f32]>, B: AsRef<[f32]>>(a: &[A], b: &[B]) -> Result<f64> {
    let clusters = vec![0; a.len()];
    checked("A Fréchet distance", a, &clusters, b, 2)?;
    Gram::new(a, b)?.distance()
}

/// The Fréchet distance of a sample from a fixed reference, with an interval for what another draw of products of the
/// same number would give.
///
/// `clusters[i]` is the product of row i; rows of one product are left out together. The interval is the value plus or
/// minus Student's t times a jackknife error: delete-one-product (delete-a-group above 200 products) where the sample has
/// no more rows than dimensions, and the infinitesimal jackknife (Jaeckel 1972), which is a derivative and so needs a
/// covariance of full rank, where it has more. A bootstrap would not do: duplicates shrink the effective sample, and the
/// distance grows with a smaller sample. The interval says nothing about the distance's own bias at small n, nor about the
/// choice of the reference.
///
/// # Errors
/// As [`frechet_from_rows`]; [`EvalError::SizeMismatch`] when `clusters` has another length than the sample.
pub fn frechet_estimate<A, B>(
    sample: &[A],
    clusters: &[usize],
    reference: &[B],
    level: f64,
) -> Result<Estimate>
where
    A: AsRef<[f32]> + Sync,
    B: AsRef<[f32]> + Sync,
{
    let dimension = checked("A Fréchet distance", sample, clusters, reference, 2)?;
    if sample.len() > 2 * dimension {
        return influence::estimate(sample, clusters, reference, level);
    }
    let gram = Gram::new(sample, reference)?;
    let value = gram.distance()?.max(0.0);
    let (without, count) = gram.without_clusters(clusters)?;
    if without.len() < 3 {
        return Ok(Estimate::plain(value, count));
    }
    let error = jackknife::standard_error(&without);
    Ok(jackknife::interval(value, error, count, without.len() - 1, level, POSITIVE))
}
