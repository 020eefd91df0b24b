//! Products of row-major matrices, each added to what is there. The order of every sum is fixed by the sizes alone.

use super::Real;

/// Sums that a dot product keeps side by side, so that the compiler may use vector registers without changing the result.
const LANES: usize = 16;

/// `c += a b`, of `(m, k)`, `(k, n)` and `(m, n)`.
pub fn nn<T: Real>(a: &[T], b: &[T], c: &mut [T], k: usize, n: usize) {
    for (row, out) in a.chunks_exact(k).zip(c.chunks_exact_mut(n)) {
        combine(row.iter().copied(), b, out);
    }
}

/// `c += a^T b`, of `(k, m)`, `(k, n)` and `(m, n)`.
pub fn tn<T: Real>(a: &[T], b: &[T], c: &mut [T], m: usize, n: usize) {
    for (column, out) in c.chunks_exact_mut(n).enumerate() {
        combine(a.iter().copied().skip(column).step_by(m), b, out);
    }
}

/// `c += a b^T`, of `(m, k)`, `(n, k)` and `(m, n)`.
pub fn nt<T: Real>(a: &[T], b: &[T], c: &mut [T], k: usize, n: usize) {
    for (row, out) in a.chunks_exact(k).zip(c.chunks_exact_mut(n)) {
        for (other, sum) in b.chunks_exact(k).zip(out) {
            *sum += dot(row, other);
        }
    }
}

/// Adds rows of `b`, each times its factor, to `out`: four rows at a time, since what is read and written of `out` costs more
/// than the products.
fn combine<T: Real>(mut factors: impl Iterator<Item = T>, b: &[T], out: &mut [T]) {
    let n = out.len();
    let mut fours = b.chunks_exact(4 * n);
    for four in &mut fours {
        let f: [T; 4] = std::array::from_fn(|_| factors.next().unwrap_or(T::ZERO));
        if f.iter().all(|v| *v == T::ZERO) {
            continue;
        }
        let (first, second) = four.split_at(2 * n);
        let (r0, r1) = first.split_at(n);
        let (r2, r3) = second.split_at(n);
        for ((((o, x0), x1), x2), x3) in out.iter_mut().zip(r0).zip(r1).zip(r2).zip(r3) {
            *o += (f[0] * *x0 + f[1] * *x1) + (f[2] * *x2 + f[3] * *x3);
        }
    }
    for (factor, row) in factors.zip(fours.remainder().chunks_exact(n)) {
        out.iter_mut().zip(row).for_each(|(o, x)| *o += factor * *x);
    }
}

/// The sum of the products.
pub fn dot<T: Real>(a: &[T], b: &[T]) -> T {
    let (a, b) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut sums = [T::ZERO; LANES];
    for (x, y) in a.0.iter().zip(b.0) {
        for lane in 0..LANES {
            sums[lane] += x[lane] * y[lane];
        }
    }
    // What is left over goes into the first lanes; the others add nothing.
    for ((sum, x), y) in sums.iter_mut().zip(a.1).zip(b.1) {
        *sum += *x * *y;
    }
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            let other = sums[lane + width];
            sums[lane] += other;
        }
        width /= 2;
    }
    sums[0]
}
