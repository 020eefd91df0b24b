//! Bounds of a mean that do not resample: two that hold for any number of rounds, and Student's t.
//!
//! The first two are for values in a known range, such as clipped IPW with rewards in [0, 1], which lies in [0, clip].
//! They treat values as independent: give them one value a cluster. (Thomas, Theocharous and Ghavamzadeh 2015.)

use crate::statistics::{check_finite, check_level, student};
use crate::{Estimate, EvalError, Method, Result};

/// Smallest and largest value that can be.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Range {
    /// Smallest.
    pub low: f64,
    /// Largest.
    pub high: f64,
}

/// What is known of the values of a log beforehand, from which bounds follow that hold for any number of rounds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Limits {
    /// Range of rewards, [0, 1] for clicks; no such bounds without.
    pub reward: Option<Range>,
    /// Largest importance weight that can be: the largest probability of the policy over the smallest propensity. Without,
    /// the largest that occurred is taken for it.
    pub weight: Option<f64>,
}

/// Which inequality.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bound {
    /// Hoeffding (1963): range x sqrt(ln(1 / d) / 2 n).
    Hoeffding(Range),
    /// Maurer and Pontil (2009): sqrt(2 ln(2 / d) v / n) + 7 range ln(2 / d) / (3 (n - 1)), v the sample variance.
    EmpiricalBernstein(Range),
    /// t(1 - d, n - 1) x standard error: asymptotic.
    StudentT,
}

impl Bound {
    /// How far below the mean of `values` the truth may lie, but for a chance of `delta`.
    fn reach(self, values: &[f64], delta: f64) -> Result<f64> {
        check_finite(values, "the round's value")?;
        if values.len() < 2 {
            return Err(EvalError::TooFew { what: "a bound".into(), got: values.len(), needed: 2 });
        }
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
        Ok(match self {
            Self::Hoeffding(range) => range.width(values)? * ((1.0 / delta).ln() / (2.0 * n)).sqrt(),
            Self::EmpiricalBernstein(range) => {
                let log = (2.0 / delta).ln();
                (2.0 * log * variance / n).sqrt() + 7.0 * range.width(values)? * log / (3.0 * (n - 1.0))
            }
            Self::StudentT => student_reach(variance, n, delta),
        })
    }

    /// A lower bound that holds with probability 1 - `delta`.
    ///
    /// # Errors
    /// [`EvalError::BadOption`] for a delta outside (0, 1) or an empty range, [`EvalError::OutOfRange`] for a value
    /// outside the range, [`EvalError::NotFinite`], [`EvalError::TooFew`] below two values.
    pub fn lower(self, values: &[f64], delta: f64) -> Result<f64> {
        check_level(1.0 - delta)?;
        Ok(values.iter().sum::<f64>() / values.len() as f64 - self.reach(values, delta)?)
    }

    /// A two-sided interval: both bounds at half of 1 - `level`, cut to the range.
    ///
    /// # Errors
    /// As [`Bound::lower`].
    pub fn interval(self, values: &[f64], level: f64) -> Result<Estimate> {
        check_level(level)?;
        let reach = self.reach(values, (1.0 - level) / 2.0)?;
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let (range, method) = match self {
            Self::Hoeffding(range) => (range, Method::Hoeffding),
            Self::EmpiricalBernstein(range) => (range, Method::EmpiricalBernstein),
            Self::StudentT => (Range { low: f64::NEG_INFINITY, high: f64::INFINITY }, Method::StudentT),
        };
        let (low, high) = ((mean - reach).max(range.low), (mean + reach).min(range.high));
        Ok(Estimate::with_interval(mean, low, high, values.len(), method))
    }
}

/// Student's reach below the mean of `n` values with this sample variance.
pub(super) fn student_reach(variance: f64, n: f64, delta: f64) -> f64 {
    student::quantile(1.0 - delta, n - 1.0) * (variance / n).sqrt()
}

impl Range {
    /// Refuses a range that does not rise or is not finite.
    pub(super) fn validate(self, option: &'static str) -> Result<()> {
        let Self { low, high } = self;
        if low < high && low.is_finite() && high.is_finite() {
            return Ok(());
        }
        let value = format!("[{low}, {high}]");
        Err(EvalError::BadOption { option, value, rule: "it must rise and be finite" })
    }

    /// Whether a value lies inside.
    pub(super) fn holds(self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }

    fn width(self, values: &[f64]) -> Result<f64> {
        self.validate("range")?;
        let Self { low, high } = self;
        match values.iter().position(|v| !self.holds(*v)) {
            None => Ok(high - low),
            Some(at) => {
                let (place, metric) = (format!("round {at}"), "the round's value".into());
                Err(EvalError::OutOfRange { place, metric, value: values[at], low, high })
            }
        }
    }
}
