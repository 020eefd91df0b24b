//! Policies against each other on one log.

use super::tally::{COUNT, REWARD, WEIGHT};
use super::{Estimator, Tally};
use crate::{Bootstrap, Estimate, EvalError, Result, Sums};

impl Tally {
    /// Differences of policies on the same rounds, or of a policy and what the log earned (`None`), by SNIPW with BCa intervals
    /// over clusters. Both are computed on each resample, so what they share cancels.
    ///
    /// # Errors
    /// [`EvalError::SizeMismatch`] when the rounds are not the same ones; [`EvalError::TooFew`]; [`EvalError::BadOption`].
    pub fn differences(pairs: &[(&Self, Option<&Self>)], bootstrap: &Bootstrap) -> Result<Vec<Estimate>> {
        let counts = |tally: &Self| tally.filled().map(|c| (c, tally.cell(c, COUNT))).collect::<Vec<_>>();
        let of = |tally: &Self| [tally.part(Estimator::Snipw), WEIGHT];
        let Some((first, _)) = pairs.first() else { return Ok(Vec::new()) };
        let rounds = counts(first);
        let mut sums = Sums::new(rounds.len(), 1 + 4 * pairs.len());
        rounds.iter().enumerate().for_each(|(row, (_, count))| sums.add(row, 0, *count));
        for (k, (a, b)) in pairs.iter().enumerate() {
            let (b, others) = b.map_or((*a, [REWARD, COUNT]), |b| (b, of(b)));
            if let Some(other) = [*a, b].into_iter().find(|tally| counts(tally) != rounds) {
                let (got, want) = (other.rounds as usize, first.rounds as usize);
                return Err(super::log::mismatch("the other policy's rounds", got, want));
            }
            for (row, (cluster, _)) in rounds.iter().enumerate() {
                let [x, y] = of(a).map(|column| a.cell(*cluster, column));
                let [v, w] = others.map(|column| b.cell(*cluster, column));
                let values = [x, y, v, w].into_iter().enumerate();
                values.for_each(|(at, value)| sums.add(row, 1 + 4 * k + at, value));
            }
        }
        let found = sums.estimates(bootstrap, pairs.len(), |s, out| {
            for (out, s) in out.iter_mut().zip(s[1..].chunks_exact(4)) {
                *out = s[0] / s[1] - s[2] / s[3];
            }
        })?;
        let what = || "a difference of policies (logged actions that both would take)".to_owned();
        found
            .into_iter()
            .map(|d| d.ok_or_else(|| EvalError::TooFew { what: what(), got: 0, needed: 1 }))
            .collect()
    }
}
