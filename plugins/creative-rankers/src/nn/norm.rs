//! Layer norm (Ba et al., 2016) and GELU.

use super::Real;

/// As in PyTorch and BERT's successors.
const EPSILON: f64 = 1e-5;

/// Mean and `1 / sqrt(variance + epsilon)` of a row.
fn moments<T: Real>(row: &[T]) -> (T, T) {
    let share = T::of(1.0 / row.len() as f64);
    let mean = row.iter().copied().sum::<T>() * share;
    let variance = row.iter().map(|v| (*v - mean) * (*v - mean)).sum::<T>() * share;
    (mean, T::ONE / (variance + T::of(EPSILON)).sqrt())
}

/// The normed rows, and `1 / sqrt(variance + epsilon)` of each.
pub fn forward<T: Real>(x: &[T], gain: &[T], shift: &[T]) -> (Vec<T>, Vec<T>) {
    let mut out = Vec::with_capacity(x.len());
    let mut spreads = Vec::new();
    for row in x.chunks_exact(gain.len()) {
        let (mean, spread) = moments(row);
        out.extend(row.iter().zip(gain.iter().zip(shift)).map(|(v, (g, s))| (*v - mean) * spread * *g + *s));
        spreads.push(spread);
    }
    (out, spreads)
}

/// Derivatives by the rows and by the gain.
pub fn backward<T: Real>(x: &[T], spreads: &[T], gain: &[T], by: &[T]) -> (Vec<T>, Vec<T>) {
    let width = gain.len();
    let share = T::of(1.0 / width as f64);
    let mut by_x = Vec::with_capacity(x.len());
    let mut by_gain = vec![T::ZERO; width];
    for ((row, by), spread) in x.chunks_exact(width).zip(by.chunks_exact(width)).zip(spreads) {
        let mean = row.iter().copied().sum::<T>() * share;
        let normed: Vec<T> = row.iter().map(|v| (*v - mean) * *spread).collect();
        let inner: Vec<T> = by.iter().zip(gain).map(|(by, g)| *by * *g).collect();
        let level = inner.iter().copied().sum::<T>() * share;
        let slope = inner.iter().zip(&normed).map(|(i, n)| *i * *n).sum::<T>() * share;
        by_x.extend(inner.iter().zip(&normed).map(|(i, n)| *spread * (*i - level - *n * slope)));
        by_gain.iter_mut().zip(by.iter().zip(&normed)).for_each(|(g, (by, n))| *g += *by * *n);
    }
    (by_x, by_gain)
}

/// The value and its derivative.
pub fn gelu<T: Real>(x: T) -> (T, T) {
    let (a, b) = (T::of((2.0 / std::f64::consts::PI).sqrt()), T::of(0.044_715));
    let (half, three) = (T::of(0.5), T::of(3.0));
    let t = (a * (x + b * x * x * x)).tanh();
    let slope = a * (T::ONE + three * b * x * x) * (T::ONE - t * t);
    (half * x * (T::ONE + t), half * (T::ONE + t) + half * x * slope)
}
