//! BRISQUE (Mittal, Moorthy, Bovik 2012): how far a picture's local contrast is from that of natural photographs, without a reference.
//!
//! A pixel less the mean around it, over the deviation around it, is nearly Gaussian in photographs; blur, noise and compression change that.
//! The shapes of these values and of their products with neighbours, at two sizes, are 36 features; a support vector regression
//! turns them into a score. Convention: that of PyPI `brisque` 0.2.0, whose trained regression this is (`fixtures/weights/NOTICE.md`).

mod fit;

use crate::{EvalError, Result};
use fit::Asymmetric;
use image::{ImageBuffer, Rgb};
use std::ops::Deref;
use std::sync::LazyLock;

/// Features of a picture: 18 at its own size, 18 at half of it.
pub const FEATURES: usize = 36;

/// The shortest side that leaves enough pixels at half the size.
const SHORTEST: usize = 32;
const RADIUS: usize = 3;
const SIGMA: f64 = 7.0 / 6.0;
/// Keeps flat places from dividing by zero; on the scale of 0 to 1.
const FLAT: f64 = 1.0 / 255.0;

/// Ranges of the features, the support vectors with their weights, and the two numbers of the regression.
static REGRESSION: LazyLock<Regression> =
    LazyLock::new(|| Regression::read(include_bytes!("../../fixtures/weights/brisque.f64")));

/// The score: 0 for what looks like an undistorted photograph, 100 for what is badly distorted; it may lie somewhat outside.
///
/// # Errors
/// [`EvalError::SizeMismatch`] for a side below 32 pixels, [`EvalError::NoStatistics`] for a picture of one colour.
pub fn brisque<A: Deref<Target = [u8]>>(image: &ImageBuffer<Rgb<u8>, A>) -> Result<f64> {
    Ok(REGRESSION.score(&natural_scene_statistics(image)?))
}

/// The 36 features that the score is made of, not scaled.
///
/// # Errors
/// As [`brisque`].
pub fn natural_scene_statistics<A: Deref<Target = [u8]>>(
    image: &ImageBuffer<Rgb<u8>, A>,
) -> Result<[f64; FEATURES]> {
    let plane = Plane::of(image);
    if plane.width.min(plane.height) < SHORTEST {
        return Err(EvalError::size("BRISQUE", "the shorter side", plane.width.min(plane.height), SHORTEST));
    }
    let mut features = [0.0; FEATURES];
    let (whole, half) = features.split_at_mut(FEATURES / 2);
    plane.statistics(whole)?;
    plane.halved().statistics(half)?;
    Ok(features)
}

/// Grey values.
struct Plane {
    values: Vec<f64>,
    width: usize,
    height: usize,
}

impl Plane {
    /// Luma of linear weights on the scale of 0 to 1, as scikit-image's `rgb2gray` has it.
    fn of<A: Deref<Target = [u8]>>(image: &ImageBuffer<Rgb<u8>, A>) -> Self {
        let grey = |pixel: &Rgb<u8>| {
            let [r, g, b] = pixel.0.map(|value| f64::from(value) / 255.0);
            0.2125 * r + 0.7154 * g + 0.0721 * b
        };
        let (width, height) = (image.width() as usize, image.height() as usize);
        Self { values: image.pixels().map(grey).collect(), width, height }
    }

    fn map(&self, of: impl Fn(f64) -> f64) -> Self {
        Self { values: self.values.iter().map(|value| of(*value)).collect(), ..*self }
    }

    /// Each value less the mean around it, over the deviation around it and [`FLAT`]. Beyond the border there is black.
    fn normalised(&self) -> Self {
        let (mean, square) = (self.blurred(), self.map(|value| value * value).blurred());
        let local = mean.values.iter().zip(&square.values);
        let of = |(value, (mean, square)): (&f64, (&f64, &f64))| {
            (value - mean) / ((mean * mean - square).abs().sqrt() + FLAT)
        };
        Self { values: self.values.iter().zip(local).map(of).collect(), ..*self }
    }

    fn blurred(&self) -> Self {
        self.blurred_rows().transposed().blurred_rows().transposed()
    }

    fn blurred_rows(&self) -> Self {
        let weights = window();
        let row = |row: &[f64]| -> Vec<f64> {
            let at = |x: usize| -> f64 {
                let taps = weights.iter().enumerate();
                taps.filter_map(|(k, weight)| Some(weight * row.get((x + k).checked_sub(RADIUS)?)?)).sum()
            };
            (0..row.len()).map(at).collect()
        };
        Self { values: self.values.chunks(self.width).flat_map(row).collect(), ..*self }
    }

    fn transposed(&self) -> Self {
        let at = |x: usize| (0..self.height).map(move |y| self.values[y * self.width + x]);
        Self { values: (0..self.width).flat_map(at).collect(), width: self.height, height: self.width }
    }

    /// Half the size by OpenCV's cubic, which looks at four pixels: halves round to the even number.
    fn halved(&self) -> Self {
        self.halved_rows().transposed().halved_rows().transposed()
    }

    fn halved_rows(&self) -> Self {
        const TAPS: [f64; 4] = [-0.093_75, 0.593_75, 0.593_75, -0.093_75];
        let width = (self.width as f64 / 2.0).round_ties_even() as usize;
        let last = self.width - 1;
        let row = |row: &[f64]| -> Vec<f64> {
            let at = |x: usize| -> f64 {
                let taps = TAPS.iter().enumerate();
                taps.map(|(k, weight)| weight * row[(2 * x + k).saturating_sub(1).min(last)]).sum()
            };
            (0..width).map(at).collect()
        };
        Self { values: self.values.chunks(self.width).flat_map(row).collect(), width, height: self.height }
    }

    /// 18 features: shape and variance of the normalised values; shape, mean and both variances of their products with the
    /// neighbour to the right, below, and on both diagonals.
    fn statistics(&self, into: &mut [f64]) -> Result<()> {
        let normalised = self.normalised();
        let alone = Asymmetric::fitted(normalised.values.iter().copied()).ok_or(EvalError::NoStatistics)?;
        into[0] = alone.shape;
        into[1] = f64::midpoint(alone.left, alone.right);
        for (shift, into) in [(1, 0), (0, 1), (1, 1), (-1, 1)].into_iter().zip(into[2..].chunks_mut(4)) {
            let products = Asymmetric::fitted(normalised.products(shift)).ok_or(EvalError::NoStatistics)?;
            into.copy_from_slice(&[products.shape, products.mean(), products.left, products.right]);
        }
        Ok(())
    }

    /// Of each pixel that has such a neighbour.
    fn products(&self, (dx, dy): (isize, usize)) -> impl Iterator<Item = f64> {
        let neighbour = move |x: usize| x.checked_add_signed(dx).filter(|x| *x < self.width);
        let row = move |y: usize| {
            let pair = move |x: usize| {
                let other = neighbour(x)?;
                Some(self.values[y * self.width + x] * self.values[(y + dy) * self.width + other])
            };
            (0..self.width).filter_map(pair)
        };
        (0..self.height - dy).flat_map(row)
    }
}

/// A Gaussian whose sum is 1.
fn window() -> [f64; 2 * RADIUS + 1] {
    let weight = |at: usize| {
        let distance = at as f64 - RADIUS as f64;
        (-distance * distance / (2.0 * SIGMA * SIGMA)).exp()
    };
    let weights: [f64; 2 * RADIUS + 1] = std::array::from_fn(weight);
    let sum: f64 = weights.iter().sum();
    weights.map(|weight| weight / sum)
}

/// An epsilon-SVR with a Gaussian kernel, as libsvm trains it.
struct Regression {
    low: [f64; FEATURES],
    high: [f64; FEATURES],
    gamma: f64,
    rho: f64,
    vectors: Vec<(f64, [f64; FEATURES])>,
}

impl Regression {
    /// Little-endian float64: lowest and highest value of each feature, gamma, rho, and of each support vector its weight and features.
    fn read(bytes: &[u8]) -> Self {
        let (values, _) = bytes.as_chunks::<8>();
        let mut values = values.iter().map(|value| f64::from_le_bytes(*value));
        let mut row = || -> [f64; FEATURES] { std::array::from_fn(|_| values.next().unwrap_or_default()) };
        let (low, high) = (row(), row());
        let (gamma, rho) = (values.next().unwrap_or_default(), values.next().unwrap_or_default());
        let rest: Vec<f64> = values.collect();
        let vector = |row: &[f64]| Some((*row.first()?, row.get(1..)?.try_into().ok()?));
        Self { low, high, gamma, rho, vectors: rest.chunks(FEATURES + 1).filter_map(vector).collect() }
    }

    fn score(&self, features: &[f64; FEATURES]) -> f64 {
        let scaled: [f64; FEATURES] =
            std::array::from_fn(|i| 2.0 * (features[i] - self.low[i]) / (self.high[i] - self.low[i]) - 1.0);
        let kernel = |vector: &[f64; FEATURES]| {
            let distance: f64 = vector.iter().zip(&scaled).map(|(a, b)| (a - b) * (a - b)).sum();
            (-self.gamma * distance).exp()
        };
        self.vectors.iter().map(|(weight, vector)| weight * kernel(vector)).sum::<f64>() - self.rho
    }
}
