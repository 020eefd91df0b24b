//! Decompositions on one thread: faer's parallel kernels may sum in another order when the thread count changes.

use crate::{EvalError, Result};
use faer::diag::Diag;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor::{cholesky_in_place, cholesky_in_place_scratch};
use faer::linalg::evd::{ComputeEigenvectors, self_adjoint_evd, self_adjoint_evd_scratch};
use faer::linalg::matmul::matmul;
use faer::linalg::svd::{ComputeSvdVectors, svd, svd_scratch};
use faer::{Accum, Mat, MatRef, Par};

/// The product of two matrices.
pub fn product(a: MatRef<'_, f64>, b: MatRef<'_, f64>) -> Mat<f64> {
    let mut out = Mat::zeros(a.nrows(), b.ncols());
    matmul(out.as_mut(), Accum::Replace, a, b, 1.0, Par::Seq);
    out
}

/// The sum of the singular values.
pub fn nuclear_norm(a: MatRef<'_, f64>) -> Result<f64> {
    let no = ComputeSvdVectors::No;
    let mut s = Diag::zeros(a.nrows().min(a.ncols()));
    let size = svd_scratch::<f64>(a.nrows(), a.ncols(), no, no, Par::Seq, Default::default());
    let mut buffer = MemBuffer::new(size);
    svd(a, s.as_mut(), None, None, Par::Seq, MemStack::new(&mut buffer), Default::default())
        .map_err(|_| EvalError::Numerical { what: "the singular value decomposition".into() })?;
    Ok(s.column_vector().iter().sum())
}

/// Eigenvalues of a symmetric matrix, ascending, and its eigenvectors when they are wanted.
pub fn eigen(a: MatRef<'_, f64>, vectors: bool) -> Result<(Vec<f64>, Option<Mat<f64>>)> {
    let n = a.nrows();
    if n == 0 {
        return Ok((Vec::new(), vectors.then(Mat::new)));
    }
    let wanted = if vectors { ComputeEigenvectors::Yes } else { ComputeEigenvectors::No };
    let mut s = Diag::zeros(n);
    let mut u = vectors.then(|| Mat::zeros(n, n));
    let mut buffer = MemBuffer::new(self_adjoint_evd_scratch::<f64>(n, wanted, Par::Seq, Default::default()));
    let stack = MemStack::new(&mut buffer);
    self_adjoint_evd(a, s.as_mut(), u.as_mut().map(|u| u.as_mut()), Par::Seq, stack, Default::default())
        .map_err(|_| EvalError::Numerical { what: "the symmetric eigendecomposition".into() })?;
    Ok((s.column_vector().iter().copied().collect(), u))
}

/// The lower factor L of a positive definite S = L L^T; none when S is singular beyond rounding.
pub fn cholesky(s: MatRef<'_, f64>) -> Option<Mat<f64>> {
    let n = s.nrows();
    let largest = (0..n).map(|i| s[(i, i)]).fold(0.0, f64::max);
    let mut factor = s.to_owned();
    let mut buffer = MemBuffer::new(cholesky_in_place_scratch::<f64>(n, Par::Seq, Default::default()));
    let stack = MemStack::new(&mut buffer);
    cholesky_in_place(factor.as_mut(), Default::default(), Par::Seq, stack, Default::default()).ok()?;
    // A pivot near to rounding error means that the rest is noise: the eigendecomposition cuts it off cleanly.
    let floor = (largest * f64::EPSILON * n as f64).sqrt();
    if (0..n).any(|i| factor[(i, i)].is_nan() || factor[(i, i)] <= floor) {
        return None;
    }
    for j in 1..n {
        factor.col_mut(j).iter_mut().take(j).for_each(|v| *v = 0.0);
    }
    Some(factor)
}
