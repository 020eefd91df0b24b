//! The value of a policy with its interval.

use super::{Estimator, Rounds};
use crate::{Bootstrap, Estimate, EvalError, Result, Sums};

/// What each round adds to the value: their mean is the estimate. Sums that normalise are those of all rounds, as in obp.
///
/// # Errors
/// As [`value`].
pub fn round_values(rounds: &Rounds, estimator: Estimator) -> Result<Vec<f64>> {
    estimator.validate(rounds)?;
    let terms: Vec<_> = (0..rounds.len()).map(|row| estimator.terms(&rounds.round(row))).collect();
    let norm = terms.iter().map(|t| t.norm).sum::<f64>() / rounds.len() as f64;
    if norm <= 0.0 {
        return Err(no_support(rounds));
    }
    Ok(terms.iter().map(|t| t.base + t.part / norm).collect())
}

/// The estimated value, with a BCa interval over clusters. Each resample is normalised anew, so that the interval of a
/// self-normalised estimator includes what its denominator does (obp resamples values that were normalised once).
///
/// # Errors
/// [`EvalError::BadOption`]; [`EvalError::TooFew`] when the rounds lack what the estimator needs, or when no logged action
/// has any weight under the policy.
pub fn value(rounds: &Rounds, estimator: Estimator, bootstrap: &Bootstrap) -> Result<Estimate> {
    estimator.validate(rounds)?;
    let (cluster_of, clusters) = rounds.clusters();
    let mut sums = Sums::new(clusters, 4);
    for row in 0..rounds.len() {
        let terms = estimator.terms(&rounds.round(row));
        for (k, value) in [1.0, terms.base, terms.part, terms.norm].into_iter().enumerate() {
            sums.add(cluster_of(row), k, value);
        }
    }
    sums.estimates(bootstrap, 1, |s, out| out[0] = s[1] / s[0] + s[2] / s[3])?[0]
        .ok_or_else(|| no_support(rounds))
}

fn no_support(rounds: &Rounds) -> EvalError {
    let what = format!(
        "an off-policy value (logged actions that the policy would take, of {} rounds)",
        rounds.len()
    );
    EvalError::TooFew { what, got: 0, needed: 1 }
}
