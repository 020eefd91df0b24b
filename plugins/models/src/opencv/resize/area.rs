//! The mean over the area that a result pixel covers.

use super::{Axis, Source, rounded};

/// Shrinks by averaging; neither direction may grow.
pub(super) fn resample(source: Source<'_>, [across, down]: [Axis; 2], result: &mut [u8]) {
    match (across.whole(), down.whole()) {
        (Some(width), Some(height)) => blocks(source, [width, height], across.to, result),
        _ => shares(source, [across, down], result),
    }
}

/// Means of blocks of whole pixels.
fn blocks(source: Source<'_>, [width, height]: [usize; 2], columns: usize, result: &mut [u8]) {
    let channels = source.channels;
    // Halving has a path of its own in OpenCV, which rounds halves up; there is none for two channels.
    let halving = width == 2 && height == 2 && channels != 2;
    let share = 1.0 / (width * height) as f32;
    for (y, out) in result.chunks_exact_mut(columns * channels).enumerate() {
        for (at, value) in out.iter_mut().enumerate() {
            let first = at / channels * width * channels + at % channels;
            let pixels = (0..height).flat_map(|dy| {
                let row = source.row(y * height + dy);
                (0..width).map(move |dx| u32::from(row[first + dx * channels]))
            });
            let sum: u32 = pixels.sum();
            *value = if halving { ((sum + 2) >> 2) as u8 } else { rounded(sum as f32 * share) };
        }
    }
}

/// A source pixel's share in a result pixel.
struct Share {
    to: usize,
    from: usize,
    weight: f32,
}

/// Means with fractions of pixels, in single precision. The sums run in the order of the source: rows of rows.
fn shares(source: Source<'_>, [across, down]: [Axis; 2], result: &mut [u8]) {
    let channels = source.channels;
    let columns = overlaps(&across);
    let length = across.to * channels;
    let (mut row_sums, mut sums) = (vec![0f32; length], vec![0f32; length]);
    let mut rows = overlaps(&down).into_iter().peekable();
    while let Some(share) = rows.next() {
        row_sums.fill(0.0);
        let row = source.row(share.from);
        for column in &columns {
            for channel in 0..channels {
                row_sums[column.to * channels + channel] +=
                    f32::from(row[column.from * channels + channel]) * column.weight;
            }
        }
        sums.iter_mut().zip(&row_sums).for_each(|(sum, value)| *sum += share.weight * value);
        if rows.peek().is_none_or(|next| next.to != share.to) {
            let out = &mut result[share.to * length..(share.to + 1) * length];
            out.iter_mut().zip(&mut sums).for_each(|(value, sum)| *value = rounded(std::mem::take(sum)));
        }
    }
}

/// What each result pixel covers of the source. Slivers of at most a thousandth are left out.
fn overlaps(axis: &Axis) -> Vec<Share> {
    const SLIVER: f64 = 1e-3;
    let mut shares = Vec::new();
    for to in 0..axis.to {
        let (left, right) = (to as f64 * axis.scale, to as f64 * axis.scale + axis.scale);
        let cell = axis.scale.min(axis.from as f64 - left);
        let last = (right.floor() as usize).min(axis.from - 1);
        let first = (left.ceil() as usize).min(last);
        let mut push = |from: usize, weight: f64| shares.push(Share { to, from, weight: weight as f32 });
        if first as f64 - left > SLIVER {
            push(first - 1, (first as f64 - left) / cell);
        }
        (first..last).for_each(|from| push(from, 1.0 / cell));
        if right - last as f64 > SLIVER {
            push(last, (right - last as f64).min(1.0).min(cell) / cell);
        }
    }
    shares
}
