//! The paired permutation test: under no difference, each product's difference could as well have the other sign.

use super::check_finite;
use crate::{EvalError, Result};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

/// Up to so many differences that are not 0, every pattern of signs is tried.
const EXACT: usize = 20;

/// What a sign-flip test found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SignFlip {
    /// Two-sided p-value of a distribution of differences that is symmetric around 0.
    pub p: f64,
    /// Whether every pattern of signs was tried; if not, p counts the observed one in (Phipson and Smyth 2010).
    pub exact: bool,
    /// Patterns tried.
    pub patterns: u64,
}

/// Fisher's sign-flip test (1935) on paired differences, one for each product. The statistic is |sum|, which orders the
/// patterns as |t| does. Exact for up to 20 differences that are not 0, else `flips` random patterns from `seed`.
///
/// # Errors
/// [`EvalError::NotFinite`]; [`EvalError::TooFew`] without differences; [`EvalError::BadOption`] for fewer than 100 flips.
pub fn sign_flip(differences: &[f64], flips: u32, seed: u64) -> Result<SignFlip> {
    check_finite(differences, "the paired difference")?;
    if differences.is_empty() {
        return Err(EvalError::TooFew { what: "a sign-flip test".into(), got: 0, needed: 1 });
    }
    if flips < 100 {
        let value = flips.to_string();
        return Err(EvalError::BadOption { option: "flips", value, rule: "it must be at least 100" });
    }
    let values: Vec<f64> = differences.iter().copied().filter(|d| *d != 0.0).collect();
    let observed = values.iter().sum::<f64>().abs();
    // Sums of the same numbers in another order differ in the last digits.
    let bound = observed - 1e-12 * values.iter().map(|v| v.abs()).sum::<f64>();
    if values.len() <= EXACT {
        let patterns = 1_u64 << values.len();
        let reached = (0..patterns).into_par_iter().filter(|p| flipped(&values, *p).abs() >= bound).count();
        return Ok(SignFlip { p: reached as f64 / patterns as f64, exact: true, patterns });
    }
    let root = ChaCha8Rng::seed_from_u64(seed);
    let reached = (0..u64::from(flips))
        .into_par_iter()
        .filter(|&flip| {
            let mut rng = root.clone();
            rng.set_stream(flip);
            let sum: f64 = values.chunks(64).map(|part| flipped(part, rng.next_u64())).sum();
            sum.abs() >= bound
        })
        .count();
    let p = (reached + 1) as f64 / (f64::from(flips) + 1.0);
    Ok(SignFlip { p, exact: false, patterns: u64::from(flips) })
}

/// The sum with the signs that the bits of `pattern` flip.
fn flipped(values: &[f64], pattern: u64) -> f64 {
    let sign = |at: usize| (pattern >> at & 1) << 63;
    values.iter().enumerate().map(|(at, v)| f64::from_bits(v.to_bits() ^ sign(at))).sum()
}
