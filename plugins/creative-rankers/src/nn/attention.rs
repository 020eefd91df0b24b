//! Attention of a few rows to each other.

use super::Real;

/// For each head, the share of every row's look that goes to every row.
pub struct Shares<T> {
    /// `(heads, rows, rows)`.
    values: Vec<T>,
    heads: usize,
    width: usize,
}

/// One head's part of a row.
fn part<T>(all: &[T], row: usize, head: usize, width: usize, size: usize) -> &[T] {
    &all[row * width + head * size..][..size]
}

fn dot<T: Real>(a: &[T], b: &[T]) -> T {
    a.iter().zip(b).map(|(a, b)| *a * *b).sum()
}

/// Rows of `width` values each; `softmax(q k^T / sqrt(width / heads)) v` for each head.
pub fn forward<T: Real>(q: &[T], k: &[T], v: &[T], width: usize, heads: usize) -> (Vec<T>, Shares<T>) {
    let (rows, size) = (q.len() / width, width / heads);
    let scale = T::of(1.0 / (size as f64).sqrt());
    let mut out = vec![T::ZERO; q.len()];
    let mut values = Vec::with_capacity(heads * rows * rows);
    for (head, row) in (0..heads).flat_map(|head| (0..rows).map(move |row| (head, row))) {
        let own = part(q, row, head, width, size);
        let scores = (0..rows).map(|other| dot(own, part(k, other, head, width, size)) * scale);
        let shares = softmax(scores.collect());
        let to = &mut out[row * width + head * size..][..size];
        for (other, share) in shares.iter().enumerate() {
            let from = part(v, other, head, width, size);
            to.iter_mut().zip(from).for_each(|(to, v)| *to += *share * *v);
        }
        values.extend(shares);
    }
    (out, Shares { values, heads, width })
}

fn softmax<T: Real>(mut scores: Vec<T>) -> Vec<T> {
    let most = scores.iter().copied().fold(scores[0], |a, b| if b > a { b } else { a });
    scores.iter_mut().for_each(|s| *s = (*s - most).exp());
    let total = scores.iter().copied().sum::<T>();
    scores.iter_mut().for_each(|s| *s = *s / total);
    scores
}

/// Derivatives by queries, keys and values.
pub fn backward<T: Real>([q, k, v]: [&[T]; 3], shares: &Shares<T>, by: &[T]) -> [Vec<T>; 3] {
    let &Shares { heads, width, .. } = shares;
    let (rows, size) = (q.len() / width, width / heads);
    let scale = T::of(1.0 / (size as f64).sqrt());
    let [mut by_q, mut by_k, mut by_v] = std::array::from_fn(|_| vec![T::ZERO; q.len()]);
    for (head, row) in (0..heads).flat_map(|head| (0..rows).map(move |row| (head, row))) {
        let own = &shares.values[(head * rows + row) * rows..][..rows];
        let by_out = part(by, row, head, width, size);
        let by_share: Vec<T> =
            (0..rows).map(|other| dot(by_out, part(v, other, head, width, size))).collect();
        let level = dot(own, &by_share);
        for other in 0..rows {
            let by_score = own[other] * (by_share[other] - level) * scale;
            let (here, there) = (row * width + head * size, other * width + head * size);
            for (at, by_out) in by_out.iter().enumerate() {
                by_v[there + at] += own[other] * *by_out;
                by_q[here + at] += by_score * k[there + at];
                by_k[there + at] += by_score * q[here + at];
            }
        }
    }
    [by_q, by_k, by_v]
}
