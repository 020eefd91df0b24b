//! FD-infinity (Chong and Forsyth 2020): the Fréchet distance that infinitely many images would have.
//!
//! The bias at n images is near to b / n, so a line through the distances at several n, over 1 / n, meets 0 at the
//! unbiased value. Here the subsets are of products, drawn anew for each size from a seed.

use super::frechet::Gaussian;
use super::gram::Gram;
use super::jackknife::{self, UNBOUNDED};
use super::{Moments, checked};
use crate::{Estimate, EvalError, Result};
use faer::Mat;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Sizes of subsets, from half of the products to all.
const SIZES: usize = 15;
/// Groups of products that are left out in turn for the interval.
const GROUPS: usize = 20;

/// An extrapolated distance and the line that gave it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Infinity {
    /// The line's value at 1 / n = 0; the interval is a jackknife over groups of products.
    pub distance: Estimate,
    /// The line's slope: the bias at n images is about slope / n.
    pub slope: f64,
    /// The points: images and their distance.
    pub points: Vec<(usize, f64)>,
}

/// Extrapolates the Fréchet distance of a sample to infinitely many images, with the reference as it is.
///
/// # Errors
/// As [`super::frechet_estimate`]; [`EvalError::TooFew`] below 40 products.
pub fn frechet_infinity<A, B>(
    sample: &[A],
    clusters: &[usize],
    reference: &[B],
    seed: u64,
    level: f64,
) -> Result<Infinity>
where
    A: AsRef<[f32]> + Sync,
    B: AsRef<[f32]> + Sync,
{
    checked("FD-infinity", sample, clusters, reference, 2)?;
    let products = jackknife::groups(clusters, usize::MAX);
    if products.len() < 2 * GROUPS {
        let what = "FD-infinity, counted in products,".into();
        return Err(EvalError::TooFew { what, got: products.len(), needed: 2 * GROUPS });
    }
    let all: Vec<&[usize]> = products.iter().map(Vec::as_slice).collect();
    let route = Route::new(sample, reference)?;
    let (intercept, slope, points) = line(&route, &all, seed)?;
    let without = (0..GROUPS)
        .into_par_iter()
        .map(|group| {
            let kept: Vec<&[usize]> =
                all.iter().enumerate().filter(|(i, _)| i % GROUPS != group).map(|(_, rows)| *rows).collect();
            let rows = kept.iter().map(|rows| rows.len()).sum();
            Ok((rows, line(&route, &kept, seed)?.0))
        })
        .collect::<Result<Vec<_>>>()?;
    let error = jackknife::standard_error(&without);
    let distance = jackknife::interval(intercept, error, products.len(), GROUPS - 1, level, UNBOUNDED);
    Ok(Infinity { distance, slope, points })
}

/// The cheaper of the two ways to the distance of some rows from a fixed reference.
enum Route<'a, A> {
    /// No more rows than dimensions: by inner products.
    Rows { gram: Gram, square: Mat<f64> },
    /// By moments.
    Moments { sample: &'a [A], reference: Gaussian },
}

impl<'a, A: AsRef<[f32]>> Route<'a, A> {
    fn new<B: AsRef<[f32]>>(sample: &'a [A], reference: &[B]) -> Result<Self> {
        if sample.len() <= reference[0].as_ref().len() {
            let gram = Gram::new(sample, reference)?;
            let square = gram.square();
            return Ok(Self::Rows { gram, square });
        }
        Ok(Self::Moments { sample, reference: Gaussian::of(&Moments::of(reference)?)? })
    }

    fn distance(&self, rows: &[usize]) -> Result<f64> {
        match self {
            Self::Rows { gram, square } => gram.distance_of(square, rows),
            Self::Moments { sample, reference } => {
                let rows: Vec<&[f32]> = rows.iter().map(|r| sample[*r].as_ref()).collect();
                Gaussian::of(&Moments::of(&rows)?)?.distance(reference)
            }
        }
    }
}

/// An intercept, a slope and points.
type Line = (f64, f64, Vec<(usize, f64)>);

/// The line over subsets of `products` (lists of rows).
fn line<A: AsRef<[f32]>>(route: &Route<'_, A>, products: &[&[usize]], seed: u64) -> Result<Line> {
    let least = products.len() / 2;
    let mut points = Vec::with_capacity(SIZES);
    for step in 0..SIZES {
        let size = least + (products.len() - least) * step / (SIZES - 1);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(step as u64);
        let mut chosen = products.to_vec();
        chosen.shuffle(&mut rng);
        let rows = chosen[..size].concat();
        points.push((rows.len(), route.distance(&rows)?));
    }
    let n = points.len() as f64;
    let x = |p: &(usize, f64)| 1.0 / p.0 as f64;
    let (mx, my) = (points.iter().map(x).sum::<f64>() / n, points.iter().map(|p| p.1).sum::<f64>() / n);
    let sxx: f64 = points.iter().map(|p| (x(p) - mx).powi(2)).sum();
    let slope = points.iter().map(|p| (x(p) - mx) * (p.1 - my)).sum::<f64>() / sxx;
    Ok((my - slope * mx, slope, points))
}
