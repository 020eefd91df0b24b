//! Distances between sets of features: how near are the creatives, as a set, to reference images?
//!
//! Every function takes the sample's features, the product (cluster) of each row, and a reference set that is held
//! fixed; intervals are about another draw of equally many products. Features are rows of `f32`; sums are in `f64`.
//! Kernel and neighbour metrics go over blocks of rows, so their memory does not grow with the product of the sets' sizes.

mod blocks;
mod frechet;
mod gram;
mod inception;
mod infinity;
mod influence;
mod jackknife;
mod kernel;
mod moments;
mod names;
mod neighbours;

pub use frechet::{frechet_estimate, frechet_from_moments, frechet_from_rows};
pub use inception::{ClassSums, inception_score};
pub use infinity::{Infinity, frechet_infinity};
pub use kernel::{cmmd, kid};
pub use moments::Moments;
pub use names::{frechet_title, kernel_title};
pub use neighbours::{Manifolds, manifolds};

use crate::{EvalError, Result};

/// The dimension of two sets of features that fit together.
///
/// # Errors
/// [`EvalError::TooFew`] below `least` rows in either set, [`EvalError::SizeMismatch`] and [`EvalError::NotFinite`] name
/// the row.
fn checked<A: AsRef<[f32]>, B: AsRef<[f32]>>(
    what: &str,
    sample: &[A],
    clusters: &[usize],
    reference: &[B],
    least: usize,
) -> Result<usize> {
    for got in [sample.len(), reference.len()] {
        if got < least {
            return Err(EvalError::TooFew { what: what.into(), got, needed: least });
        }
    }
    if clusters.len() != sample.len() {
        return Err(EvalError::size(what, "the list of clusters", clusters.len(), sample.len()));
    }
    let dimension = reference[0].as_ref().len();
    moments::check(reference, dimension, "reference features")?;
    moments::check(sample, dimension, "features")?;
    Ok(dimension)
}
