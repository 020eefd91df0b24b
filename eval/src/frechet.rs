//! The Fréchet distance between two sets of features, by two exact routes, with a jackknife interval.
//!
//! FD = |m1 - m2|^2 + tr S1 + tr S2 - 2 tr((S1 S2)^(1/2)) (Dowson and Landau 1982; Heusel et al. 2017 on Inception
//! features). tr((S1 S2)^(1/2)) is the nuclear norm of any L1^T L2 with Si = Li Li^T:
//!
//! - from moments, Li = Qi sqrt(Lambda_i) by a symmetric eigendecomposition, which never leaves the reals and keeps full
//!   precision where covariances are singular;
//! - from rows, Li^T is the centred row matrix over sqrt(n - 1), so the problem is n1 x n2 whatever the dimension.

use crate::{
    Estimate, EvalError, Method, Moments, Result, linalg,
    moments::{matrix, size},
};
use adeval_sdk::EncoderInfo;
use faer::prelude::{Reborrow, ReborrowMut};
use faer::{Mat, MatRef};
use rayon::prelude::*;
use statrs::distribution::{ContinuousCDF, StudentsT};

/// At most this many delete-a-group recomputations.
const MAX_GROUPS: usize = 200;

/// What the distance is called on features of an encoder: FID with the network and the weights of 2015 only, `FD-<encoder>`
/// with any other.
pub fn frechet_title(encoder: &str) -> String {
    match encoder {
        EncoderInfo::FID => "FID".to_owned(),
        EncoderInfo::CLEAN_FID => "Clean-FID".to_owned(),
        other => format!("FD-{other}"),
    }
}

/// The Fréchet distance from moments: O(d^3), independent of the number of vectors.
///
/// # Errors
/// [`EvalError::SizeMismatch`] when the dimensions differ, [`EvalError::TooFew`] below two vectors a set.
pub fn frechet_from_moments(a: &Moments, b: &Moments) -> Result<f64> {
    if a.dimension() != b.dimension() {
        return Err(size("the second set of features", "vector", b.dimension(), a.dimension()));
    }
    let (sa, sb) = (a.covariance()?, b.covariance()?);
    let shift: f64 = a.mean().iter().zip(b.mean()).map(|(x, y)| (x - y) * (x - y)).sum();
    let (la, lb) = (root(sa.as_ref())?, root(sb.as_ref())?);
    let cross = linalg::nuclear_norm(linalg::product(la.transpose(), lb.as_ref()).as_ref())?;
    Ok(shift + trace(sa.as_ref()) + trace(sb.as_ref()) - 2.0 * cross)
}

/// L with S = L L^T, without the directions in which S has no variance beyond rounding.
fn root(s: MatRef<'_, f64>) -> Result<Mat<f64>> {
    let (values, vectors) = linalg::eigen(s, true)?;
    let vectors = vectors.ok_or(EvalError::Numerical { what: "the symmetric eigendecomposition".into() })?;
    let floor = values.last().copied().unwrap_or(0.0) * f64::EPSILON * values.len() as f64;
    let first = values.partition_point(|v| *v <= floor);
    let rank = values.len() - first;
    Ok(Mat::from_fn(values.len(), rank, |i, j| vectors[(i, first + j)] * values[first + j].sqrt()))
}

fn trace(s: MatRef<'_, f64>) -> f64 {
    s.diagonal().column_vector().iter().sum()
}

/// The Fréchet distance from rows: an n1 x n2 singular value problem, so a few hundred vectors of any length cost
/// milliseconds. Equal to [`frechet_from_moments`] up to rounding.
///
/// # Errors
/// As [`frechet_from_moments`], and [`EvalError::NotFinite`] names the row.
pub fn frechet_from_rows<A: AsRef<[f32]>, B: AsRef<[f32]>>(a: &[A], b: &[B]) -> Result<f64> {
    Gram::new(a, b)?.distance()
}

/// What the distance needs of the sample once the reference is fixed.
struct Gram {
    /// x_i . x_j over the sample, after the reference's mean was taken off.
    own: Mat<f64>,
    /// Sample rows times centred reference rows over sqrt(n2 - 1), n1 x n2.
    cross: Mat<f64>,
    /// Trace of the reference's covariance.
    reference_trace: f64,
}

impl Gram {
    fn new<A: AsRef<[f32]>, B: AsRef<[f32]>>(sample: &[A], reference: &[B]) -> Result<Self> {
        for rows in [sample.len(), reference.len()] {
            if rows < 2 {
                return Err(EvalError::TooFew { what: "A Fréchet distance".into(), got: rows, needed: 2 });
            }
        }
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

    fn distance(&self) -> Result<f64> {
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

    /// The distance without some rows, given `square` = cross cross^T. Eigenvalues of a small symmetric matrix in place
    /// of singular values: it loses half the digits of the smallest ones, far below what a jackknife needs.
    fn distance_of(&self, square: &Mat<f64>, keep: &[usize]) -> Result<f64> {
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

/// The Fréchet distance of a sample from a fixed reference, with an interval for what another draw of products of the
/// same number would give.
///
/// `clusters[i]` is the product of row i; rows of one product are left out together. The interval is the value plus or
/// minus Student's t times the delete-one-product jackknife error (delete-a-group above 200 products). A bootstrap would
/// not do: duplicates shrink the effective sample, and the distance grows with a smaller sample. The interval says
/// nothing about the distance's own bias at small n, nor about the choice of the reference.
///
/// # Errors
/// As [`frechet_from_rows`]; [`EvalError::SizeMismatch`] when `clusters` has another length than the sample.
pub fn frechet_estimate<A: AsRef<[f32]>, B: AsRef<[f32]>>(
    sample: &[A],
    clusters: &[usize],
    reference: &[B],
    level: f64,
) -> Result<Estimate> {
    if clusters.len() != sample.len() {
        return Err(size("Fréchet distance", "the list of clusters", clusters.len(), sample.len()));
    }
    let gram = Gram::new(sample, reference)?;
    let value = gram.distance()?.max(0.0);
    let (rows, groups) = (sample.len(), groups(clusters));
    let count = clusters.iter().collect::<std::collections::BTreeSet<_>>().len();
    let smallest = groups.iter().map(|g| rows - g.len()).min().unwrap_or(0);
    if groups.len() < 3 || smallest < 2 {
        return Ok(Estimate::plain(value, count));
    }
    let square = linalg::product(gram.cross.as_ref(), gram.cross.transpose());
    let without: Vec<(usize, f64)> = groups
        .par_iter()
        .map(|group| {
            let keep: Vec<usize> = (0..rows).filter(|i| !group.contains(i)).collect();
            Ok((keep.len(), gram.distance_of(&square, &keep)?))
        })
        .collect::<Result<_>>()?;
    let error = jackknife_error(&without);
    let t = StudentsT::new(0.0, 1.0, (groups.len() - 1) as f64)
        .map_err(|_| EvalError::Numerical { what: "Student's t".into() })?
        .inverse_cdf(0.5 + level / 2.0);
    let (low, high) = ((value - t * error).max(0.0), value + t * error);
    Ok(Estimate::with_interval(value, low, high, count, Method::Jackknife))
}

/// Row numbers by product, or by group of products when there are many.
fn groups(clusters: &[usize]) -> Vec<Vec<usize>> {
    let mut by_cluster = std::collections::BTreeMap::<usize, Vec<usize>>::new();
    for (row, cluster) in clusters.iter().enumerate() {
        by_cluster.entry(*cluster).or_default().push(row);
    }
    let count = by_cluster.len().min(MAX_GROUPS);
    let mut groups = vec![Vec::new(); count];
    for (index, rows) in by_cluster.into_values().enumerate() {
        groups[index % count].extend(rows);
    }
    groups
}

/// The jackknife's standard error. The distance depends on the sample's size, so leave-outs are centred among those that
/// kept equally many rows; otherwise unequal groups would pass for noise.
fn jackknife_error(without: &[(usize, f64)]) -> f64 {
    let mut by_size = std::collections::BTreeMap::<usize, (f64, f64)>::new();
    for (kept, value) in without {
        let (sum, n) = by_size.entry(*kept).or_default();
        *sum += value;
        *n += 1.0;
    }
    let spread: f64 = without
        .iter()
        .map(|(kept, value)| {
            let (sum, n) = by_size[kept];
            (value - sum / n).powi(2)
        })
        .sum();
    let g = without.len() as f64;
    let freedom = (g - by_size.len() as f64).max(1.0);
    (spread * (g - 1.0) * (g - 1.0) / (g * freedom)).sqrt()
}
