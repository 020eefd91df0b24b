//! Canny's edge detector.

use image::{GrayImage, Pixel};

use super::{Picture, dimensions};

/// How the strength of an edge is computed from the derivatives `dx` and `dy`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Gradient {
    /// `|dx| + |dy|`, OpenCV's default and that of ControlNet's training.
    #[default]
    L1,
    /// `sqrt(dx^2 + dy^2)`, OpenCV's `L2gradient=True`; compared as squares.
    L2,
}

/// Edges as 255 on 0, equal to `cv2.Canny(picture, low, high, apertureSize=3, L2gradient=...)`.
///
/// Sobel 3x3 with the border repeated; of several channels each pixel takes the one with the strongest gradient, the
/// first of equals. A pixel is a candidate when it is stronger than `low` and than both neighbours across the edge,
/// beyond the border being 0; of two equals the left or the upper one stays, on diagonals neither. Candidates above
/// `high` are edges, and so are those that touch an edge among their eight neighbours.
///
/// `low` and `high` are in units of the Sobel gradient (a step of 1 grey level gives 4); in either order, as in OpenCV.
/// ControlNet and the paper use 100 and 200.
#[must_use]
pub fn canny<P: Pixel<Subpixel = u8>>(
    picture: &Picture<P>,
    low: f64,
    high: f64,
    gradient: Gradient,
) -> GrayImage {
    let field = Field::sobel(picture, gradient);
    let limits = [low.min(high), low.max(high)].map(|limit| whole(limit, gradient));
    let mut edges = GrayImage::new(picture.width(), picture.height());
    let (mut states, strong) = field.candidates(limits);
    follow(&mut states, strong, field.stride);
    for (y, row) in edges.chunks_exact_mut((field.stride - 2).max(1)).enumerate() {
        let from = (y + 1) * field.stride + 1;
        for (pixel, state) in row.iter_mut().zip(&states[from..]) {
            *pixel = if *state == State::Edge { 255 } else { 0 };
        }
    }
    edges
}

/// A threshold as OpenCV compares it: squared for L2 (from at most 32767), then rounded down.
fn whole(limit: f64, gradient: Gradient) -> i32 {
    let limit = match gradient {
        Gradient::L1 => limit,
        Gradient::L2 if limit > 0.0 => limit.min(32767.0).powi(2),
        Gradient::L2 => limit,
    };
    limit.floor() as i32
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Nothing,
    Candidate,
    Edge,
}

/// Strength and derivatives of every pixel, with a frame of one pixel of strength 0.
struct Field {
    stride: usize,
    strength: Vec<i32>,
    derivatives: Vec<(i16, i16)>,
}

impl Field {
    fn sobel<P: Pixel<Subpixel = u8>>(picture: &Picture<P>, gradient: Gradient) -> Self {
        let (width, height, channels) = dimensions(picture);
        let (stride, raw) = (width + 2, picture.as_raw());
        let mut strength = vec![0; stride * (height + 2)];
        let mut derivatives = vec![(0, 0); strength.len()];
        for y in 0..height {
            let rows = [y.saturating_sub(1), y, (y + 1).min(height - 1)]
                .map(|row| &raw[row * width * channels..(row + 1) * width * channels]);
            for x in 0..width {
                let columns =
                    [x.saturating_sub(1), x, (x + 1).min(width - 1)].map(|column| column * channels);
                let at = (y + 1) * stride + x + 1;
                for channel in 0..channels {
                    let (dx, dy) = derivative(rows, columns.map(|column| column + channel));
                    let found = magnitude(dx, dy, gradient);
                    if channel == 0 || found > strength[at] {
                        (strength[at], derivatives[at]) = (found, (dx, dy));
                    }
                }
            }
        }
        Self { stride, strength, derivatives }
    }

    /// Non-maximum suppression, and the first half of hysteresis: the edges that are strong by themselves.
    fn candidates(&self, [low, high]: [i32; 2]) -> (Vec<State>, Vec<usize>) {
        let mut states = vec![State::Nothing; self.strength.len()];
        let mut strong = Vec::new();
        let rows = self.stride..self.strength.len() - self.stride;
        for (at, state) in rows.clone().zip(&mut states[rows]) {
            let column = at % self.stride;
            let framed = column == 0 || column == self.stride - 1;
            if framed || self.strength[at] <= low || !self.is_ridge(at) {
                continue;
            }
            *state = State::Candidate;
            if self.strength[at] > high {
                *state = State::Edge;
                strong.push(at);
            }
        }
        (states, strong)
    }

    /// Whether a pixel is the strongest of the three across its edge.
    fn is_ridge(&self, at: usize) -> bool {
        /// tan(22.5 degrees) in units of 2^-15; tan(67.5 degrees) is it plus two.
        const TAN_22: i32 = 13573;
        let (dx, dy) = self.derivatives[at];
        let (x, y) = (i32::from(dx).abs(), i32::from(dy).abs() << 15);
        let here = self.strength[at];
        if y < x * TAN_22 {
            here > self.strength[at - 1] && here >= self.strength[at + 1]
        } else if y > x * TAN_22 + (x << 16) {
            here > self.strength[at - self.stride] && here >= self.strength[at + self.stride]
        } else if (dx < 0) == (dy < 0) {
            here > self.strength[at - self.stride - 1] && here > self.strength[at + self.stride + 1]
        } else {
            here > self.strength[at - self.stride + 1] && here > self.strength[at + self.stride - 1]
        }
    }
}

fn derivative(rows: [&[u8]; 3], columns: [usize; 3]) -> (i16, i16) {
    let value = |row: usize, column: usize| i16::from(rows[row][columns[column]]);
    let column = |c: usize| value(0, c) + 2 * value(1, c) + value(2, c);
    let row = |r: usize| value(r, 0) + 2 * value(r, 1) + value(r, 2);
    (column(2) - column(0), row(2) - row(0))
}

fn magnitude(dx: i16, dy: i16, gradient: Gradient) -> i32 {
    let (dx, dy) = (i32::from(dx), i32::from(dy));
    match gradient {
        Gradient::L1 => dx.abs() + dy.abs(),
        Gradient::L2 => dx * dx + dy * dy,
    }
}

/// Makes edges of the candidates that hang together with one. The frame holds no candidates, so no index leaves it.
fn follow(states: &mut [State], mut edges: Vec<usize>, stride: usize) {
    while let Some(at) = edges.pop() {
        for first in [at - stride - 1, at - 1, at + stride - 1] {
            for (neighbour, state) in (first..).zip(&mut states[first..first + 3]) {
                if *state == State::Candidate {
                    *state = State::Edge;
                    edges.push(neighbour);
                }
            }
        }
    }
}
