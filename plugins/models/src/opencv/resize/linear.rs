//! Linear blending in fixed point.

use super::{Axis, Source};

/// One in units of a weight.
const ONE: f32 = 2048.0;

/// The two source positions of a result pixel and their weights in units of 1 / 2048.
pub(super) struct Tap {
    at: isize,
    weights: [i32; 2],
}

impl Tap {
    /// `part` of the way from the pixel `at` to the next one. The weights are rounded apart, so they may miss the sum by one.
    fn new(at: f64, part: f32) -> Self {
        let weights = [1.0 - part, part].map(|weight| (weight * ONE).round_ties_even() as i32);
        Self { at: at as isize, weights }
    }
}

/// The axis with what it takes from the source at each place.
pub(super) type Taps = (Axis, Vec<Tap>);

/// Between the two pixel centres beside each result pixel's centre.
pub(super) fn by_centres(axis: &Axis) -> Taps {
    let tap = |to: usize| {
        let centre = ((to as f64 + 0.5) * axis.scale - 0.5) as f32;
        Tap::new(f64::from(centre.floor()), centre - centre.floor())
    };
    (*axis, (0..axis.to).map(tap).collect())
}

/// The pixel that covers each result pixel, blended with the next one by how much of the result that one covers.
pub(super) fn by_edges(axis: &Axis) -> Taps {
    let tap = |to: usize| {
        let at = (to as f64 * axis.scale).floor();
        let part = ((to as f64 + 1.0) - (at + 1.0) * axis.growth) as f32;
        Tap::new(at, if part <= 0.0 { 0.0 } else { part - part.floor() })
    };
    (*axis, (0..axis.to).map(tap).collect())
}

pub(super) fn resample(source: Source<'_>, [(across, columns), (down, rows)]: [Taps; 2], result: &mut [u8]) {
    let length = across.to * source.channels;
    let mut held: [Row; 2] = [Row::new(length), Row::new(length)];
    for (out, tap) in result.chunks_exact_mut(length).zip(rows) {
        // A row beyond the border is the border's; its weight stays.
        let wanted = [tap.at, tap.at + 1].map(|y| y.clamp(0, down.from as isize - 1) as usize);
        if held[1].y == Some(wanted[0]) {
            held.swap(0, 1);
        }
        for (row, y) in held.iter_mut().zip(wanted) {
            row.fill(y, source, across.from, &columns);
        }
        for (at, value) in out.iter_mut().enumerate() {
            // The order of the roundings is OpenCV's: 4 digits off each sum, 16 off each product, 2 off their sum.
            let part = |row: usize| (tap.weights[row] * (held[row].values[at] >> 4)) >> 16;
            *value = ((part(0) + part(1) + 2) >> 2).clamp(0, 255) as u8;
        }
    }
}

/// A source row blended across, in units of 1 / 2048.
struct Row {
    y: Option<usize>,
    values: Vec<i32>,
}

impl Row {
    fn new(length: usize) -> Self {
        Self { y: None, values: vec![0; length] }
    }

    fn fill(&mut self, y: usize, source: Source<'_>, width: usize, columns: &[Tap]) {
        if self.y.replace(y) == Some(y) {
            return;
        }
        let (row, channels) = (source.row(y), source.channels);
        for (out, tap) in self.values.chunks_exact_mut(channels).zip(columns) {
            // Beyond the border, all weight lies on the border's pixel.
            let last = width as isize - 1;
            let inside = (0..last).contains(&tap.at);
            let from = tap.at.clamp(0, last) as usize * channels;
            for (channel, value) in out.iter_mut().enumerate() {
                let here = i32::from(row[from + channel]);
                *value = if inside {
                    here * tap.weights[0] + i32::from(row[from + channels + channel]) * tap.weights[1]
                } else {
                    here * ONE as i32
                };
            }
        }
    }
}
