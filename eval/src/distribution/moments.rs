//! First and second moments of feature vectors, in a form that adds up over shards.

use crate::{EvalError, Result};
use faer::{Accum, Mat, Par, linalg::matmul::matmul};
use serde::{Deserialize, Serialize};

/// The number of vectors, their sum, and the sum of their outer products, in f64.
///
/// Moments of parts of a set add up to those of the whole; the order changes rounding only.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Moments {
    n: u64,
    sum: Vec<f64>,
    /// Row-major, `dimension * dimension`.
    outer: Vec<f64>,
}

impl Moments {
    /// No vector yet, of length `dimension`.
    pub fn new(dimension: usize) -> Self {
        Self { n: 0, sum: vec![0.0; dimension], outer: vec![0.0; dimension * dimension] }
    }

    /// The moments of rows that all have one length.
    ///
    /// # Errors
    /// As [`Moments::extend`]; [`EvalError::TooFew`] without rows.
    pub fn of<R: AsRef<[f32]>>(rows: &[R]) -> Result<Self> {
        let first = rows.first().ok_or(EvalError::TooFew { what: "Moments".into(), got: 0, needed: 1 })?;
        let mut moments = Self::new(first.as_ref().len());
        moments.extend(rows)?;
        Ok(moments)
    }

    /// Adds rows; nothing is added when one of them is bad.
    ///
    /// # Errors
    /// [`EvalError::SizeMismatch`] and [`EvalError::NotFinite`] name the row.
    pub fn extend<R: AsRef<[f32]>>(&mut self, rows: &[R]) -> Result<()> {
        let d = self.sum.len();
        let block = matrix(rows, d, "feature set")?;
        let mut outer = faer::MatMut::from_row_major_slice_mut(&mut self.outer, d, d);
        matmul(outer.as_mut(), Accum::Add, block.transpose(), block.as_ref(), 1.0, Par::Seq);
        for (sum, column) in self.sum.iter_mut().zip(block.col_iter()) {
            *sum += column.iter().sum::<f64>();
        }
        self.n += rows.len() as u64;
        Ok(())
    }

    /// Adds another part of the same set.
    ///
    /// # Errors
    /// [`EvalError::SizeMismatch`] when the vectors' lengths differ.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        if self.sum.len() != other.sum.len() {
            return Err(EvalError::size("moments to merge", "vector", other.sum.len(), self.sum.len()));
        }
        self.n += other.n;
        self.sum.iter_mut().zip(&other.sum).for_each(|(a, b)| *a += b);
        self.outer.iter_mut().zip(&other.outer).for_each(|(a, b)| *a += b);
        Ok(())
    }

    /// The number of vectors.
    pub fn count(&self) -> u64 {
        self.n
    }

    /// The length of a vector.
    pub fn dimension(&self) -> usize {
        self.sum.len()
    }

    /// The mean vector.
    pub fn mean(&self) -> Vec<f64> {
        self.sum.iter().map(|s| s / self.n as f64).collect()
    }

    /// The unbiased covariance (divided by n - 1).
    ///
    /// # Errors
    /// [`EvalError::TooFew`] below two vectors.
    pub fn covariance(&self) -> Result<Mat<f64>> {
        if self.n < 2 {
            return Err(EvalError::TooFew { what: "A covariance".into(), got: self.n as usize, needed: 2 });
        }
        let (d, n) = (self.sum.len(), self.n as f64);
        let centred =
            |i: usize, j: usize| (self.outer[i * d + j] - self.sum[i] * self.sum[j] / n) / (n - 1.0);
        // Symmetric to the last bit, whatever order the blocks were summed in.
        Ok(Mat::from_fn(d, d, |i, j| f64::midpoint(centred(i, j), centred(j, i))))
    }
}

/// Rows as an n x d matrix in f64, checked.
pub(super) fn matrix<R: AsRef<[f32]>>(rows: &[R], dimension: usize, place: &str) -> Result<Mat<f64>> {
    check(rows, dimension, place)?;
    Ok(Mat::from_fn(rows.len(), dimension, |i, j| f64::from(rows[i].as_ref()[j])))
}

/// Refuses rows of another length than `dimension`, NaN and infinities, by the row's number.
pub(super) fn check<R: AsRef<[f32]>>(rows: &[R], dimension: usize, place: &str) -> Result<()> {
    for (index, row) in rows.iter().map(AsRef::as_ref).enumerate() {
        if row.len() != dimension {
            return Err(EvalError::size(&format!("{place}, row {index}"), "vector", row.len(), dimension));
        }
        if let Some(value) = row.iter().find(|v| !v.is_finite()) {
            let place = format!("{place}, row {index}");
            return Err(EvalError::NotFinite { place, metric: "feature".into(), value: f64::from(*value) });
        }
    }
    Ok(())
}
