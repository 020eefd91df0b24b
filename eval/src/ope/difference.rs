//! Two policies on one log.

use super::{Estimator, Rounds};
use crate::{Bootstrap, Estimate, EvalError, Result, Sums};

impl Rounds {
    /// The same rounds with every weight 1: what the logging policy earned.
    pub fn as_logged(&self) -> Self {
        Self { weight: vec![1.0; self.len()], ..self.clone() }
    }
}

/// Value of `a` minus value of `b`, two policies on the same rounds, with a BCa interval over clusters. Both are computed on
/// each resample, so what they share cancels.
///
/// # Errors
/// As [`super::value`]; [`EvalError::SizeMismatch`] when the rounds are not the same ones.
pub fn difference(a: &Rounds, b: &Rounds, estimator: Estimator, bootstrap: &Bootstrap) -> Result<Estimate> {
    estimator.validate(a)?;
    estimator.validate(b)?;
    if a.reward != b.reward || a.cluster != b.cluster {
        return Err(super::log::mismatch("the other policy's rounds", b.len(), a.len()));
    }
    let (cluster_of, clusters) = a.clusters();
    let mut sums = Sums::new(clusters, 7);
    for row in 0..a.len() {
        let (x, y) = (estimator.terms(a, row), estimator.terms(b, row));
        let values = [1.0, x.base, x.part, x.norm, y.base, y.part, y.norm];
        values.into_iter().enumerate().for_each(|(k, value)| sums.add(cluster_of(row), k, value));
    }
    let statistic = |s: &[f64], out: &mut [f64]| out[0] = (s[1] - s[4]) / s[0] + s[2] / s[3] - s[5] / s[6];
    let what = "a difference of policies (logged actions that both would take)".to_owned();
    sums.estimates(bootstrap, 1, statistic)?[0].ok_or(EvalError::TooFew { what, got: 0, needed: 1 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ope::{Log, Reduced, value};

    /// Twelve rounds of two actions in six clusters, for a policy that takes the second with this chance.
    fn log(second: f64) -> Log {
        let n = 12;
        Log {
            actions: 2,
            action: (0..n).map(|i| i % 2).collect(),
            reward: (0..n).map(|i| f64::from(u8::from(i % 3 == 0))).collect(),
            propensity: (0..n).map(|i| 0.3 + 0.05 * (i % 5) as f64).collect(),
            policy: (0..n).flat_map(|_| [1.0 - second, second]).collect(),
            reward_model: Some((0..2 * n).map(|i| 0.1 + 0.02 * i as f64).collect()),
            cluster: Some((0..n).map(|i| i / 2).collect()),
            balanced_weight: None,
        }
    }

    /// The same without the other action.
    fn reduced(second: f64) -> Reduced {
        let log = log(second);
        let both = [1.0 - second, second];
        let model = log.reward_model.unwrap();
        let expected = |i: usize| model[2 * i] * both[0] + model[2 * i + 1] * both[1];
        Reduced {
            probability: log.action.iter().map(|a| both[*a]).collect(),
            model: Some(
                log.action.iter().enumerate().map(|(i, a)| [model[2 * i + a], expected(i)]).collect(),
            ),
            reward: log.reward,
            propensity: log.propensity,
            cluster: log.cluster,
        }
    }

    #[test]
    fn a_reduced_log_has_the_rounds_of_the_whole_one() {
        let (whole, part) = (log(0.25).rounds().unwrap(), reduced(0.25).rounds().unwrap());
        let bootstrap = Bootstrap { resamples: 200, ..Bootstrap::default() };
        for estimator in [Estimator::Snipw, Estimator::Sndr, Estimator::Dr { clip: 2.0 }] {
            let of = |rounds: &Rounds| value(rounds, estimator, &bootstrap).unwrap();
            assert!((of(&whole).value - of(&part).value).abs() < 1e-14, "{estimator}");
            assert!((of(&whole).low.unwrap() - of(&part).low.unwrap()).abs() < 1e-12, "{estimator}");
        }
        let bad = Reduced { propensity: vec![0.0; 12], ..reduced(0.25) };
        assert!(matches!(bad.rounds(), Err(EvalError::Propensity { .. })));
        let short = Reduced { probability: vec![0.5; 11], ..reduced(0.25) };
        assert!(matches!(short.rounds(), Err(EvalError::SizeMismatch { .. })));
    }

    #[test]
    fn a_difference_is_that_of_the_values_and_narrower_than_either() {
        let (a, b) = (reduced(0.7).rounds().unwrap(), reduced(0.6).rounds().unwrap());
        let bootstrap = Bootstrap { resamples: 500, ..Bootstrap::default() };
        let of = |rounds: &Rounds| value(rounds, Estimator::Snipw, &bootstrap).unwrap();
        let apart = difference(&a, &b, Estimator::Snipw, &bootstrap).unwrap();
        assert!((apart.value - (of(&a).value - of(&b).value)).abs() < 1e-14);
        let width = |e: Estimate| e.high.unwrap() - e.low.unwrap();
        assert!(width(apart) < 0.5 * width(of(&a)), "what both share cancels: {apart:?}");
        let logged = a.as_logged();
        let mean = logged.reward.iter().sum::<f64>() / 12.0;
        assert!((of(&logged).value - mean).abs() < 1e-14);
        assert!(
            difference(&a, &Rounds { reward: vec![0.0; 12], ..b }, Estimator::Snipw, &bootstrap).is_err()
        );
    }
}
