//! 3x3 patches of pictures at every second pixel, with a border of zeros; colours or channels lie side by side.

use super::Real;
use std::ops::Range;

/// Calls `f(places of a pixel's channels in the patches, their places in the picture)` for every tap that lies in the picture.
fn taps(channels: usize, side: usize, mut f: impl FnMut(Range<usize>, Range<usize>)) {
    let half = side / 2;
    let source = |at: usize, tap: usize| (2 * at + tap).checked_sub(1).filter(|source| *source < side);
    for (y, x) in (0..half * half).map(|at| (at / half, at % half)) {
        for (tap_y, tap_x) in (0..9).map(|tap| (tap / 3, tap % 3)) {
            let (Some(v), Some(u)) = (source(y, tap_y), source(x, tap_x)) else { continue };
            let to = (((y * half + x) * 3 + tap_y) * 3 + tap_x) * channels;
            let from = (v * side + u) * channels;
            f(to..to + channels, from..from + channels);
        }
    }
}

/// `(side, side, channels)` to `((side / 2)^2, 9 x channels)`.
pub fn patches<T: Real>(picture: &[T], side: usize) -> Vec<T> {
    let channels = picture.len() / (side * side);
    let mut out = vec![T::ZERO; channels * 9 * (side / 2).pow(2)];
    taps(channels, side, |to, from| out[to].copy_from_slice(&picture[from]));
    out
}

/// Adds the derivatives by patches to those by the picture.
pub fn unpatch<T: Real>(by_patches: &[T], side: usize, by_picture: &mut [T]) {
    let channels = by_picture.len() / (side * side);
    taps(channels, side, |from, to| {
        by_picture[to].iter_mut().zip(&by_patches[from]).for_each(|(to, by)| *to += *by);
    });
}
