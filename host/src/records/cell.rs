//! One value of a row.

use super::error::{Problem, Reason};
use std::borrow::Cow;

/// A value as its file has it. Text files have text only, which becomes a number when one is asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell<'a> {
    /// Nothing: an empty field, null, or a column that the file does not have.
    Missing,
    /// Text.
    Text(Cow<'a, str>),
    /// A whole number.
    Whole(i64),
    /// Another number; may be NaN or infinite in Parquet and CSV.
    Real(f64),
    /// True or false.
    Flag(bool),
}

impl Cell<'_> {
    /// Whether there is nothing.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Missing)
    }

    /// A name: text, or a whole number as text.
    pub(super) fn name(&self) -> Result<Cow<'_, str>, Problem> {
        match self {
            Self::Text(text) => Ok(Cow::Borrowed(text)),
            Self::Whole(number) => Ok(Cow::Owned(number.to_string())),
            Self::Missing => Err(missing()),
            Self::Real(_) | Self::Flag(_) => {
                Err(self.refused(Reason::WrongType, "a name", "write names as text or whole numbers"))
            }
        }
    }

    /// A finite number.
    pub(super) fn number(&self) -> Result<f64, Problem> {
        let number = match self {
            Self::Missing => return Err(missing()),
            Self::Text(text) => text.trim().parse().ok(),
            Self::Whole(number) => Some(*number as f64),
            Self::Real(number) => Some(*number),
            Self::Flag(_) => None,
        };
        number
            .filter(|n| n.is_finite())
            .ok_or_else(|| self.refused(Reason::NotANumber, "a finite number", "write it like 0.25"))
    }

    /// A count: a whole number of at least 0. `12.0` counts as 12.
    pub(super) fn count(&self) -> Result<u64, Problem> {
        let refused = || self.refused(Reason::NotACount, "a count", "write a whole number of at least 0");
        match self {
            Self::Missing => Err(missing()),
            Self::Whole(number) => u64::try_from(*number).map_err(|_| refused()),
            Self::Text(text) => match text.trim().parse() {
                Ok(count) => Ok(count),
                Err(_) => text.trim().parse().ok().and_then(exact).ok_or_else(refused),
            },
            Self::Real(number) => exact(*number).ok_or_else(refused),
            Self::Flag(_) => Err(refused()),
        }
    }

    /// 0 or 1.
    pub(super) fn zero_or_one(&self) -> Result<f64, Problem> {
        let refused = || self.refused(Reason::OutOfRange, "0 or 1", "write 1 for a click and 0 for none");
        match self {
            Self::Missing => Err(missing()),
            Self::Flag(flag) => Ok(f64::from(u8::from(*flag))),
            Self::Text(text) if text.eq_ignore_ascii_case("true") => Ok(1.0),
            Self::Text(text) if text.eq_ignore_ascii_case("false") => Ok(0.0),
            _ => self.number().ok().filter(|n| *n == 0.0 || *n == 1.0).ok_or_else(refused),
        }
    }

    /// The value as text files have it.
    pub(super) fn written(&self) -> Cow<'_, str> {
        match self {
            Self::Missing => Cow::Borrowed(""),
            Self::Text(text) => Cow::Borrowed(text),
            Self::Whole(number) => Cow::Owned(number.to_string()),
            Self::Real(number) => Cow::Owned(number.to_string()),
            Self::Flag(flag) => Cow::Borrowed(if *flag { "true" } else { "false" }),
        }
    }

    fn refused(&self, reason: Reason, want: &str, mend: &str) -> Problem {
        Problem::new(reason, format!("{} is not {want}; {mend}", self.shown()))
    }

    /// The value for a message, not longer than a line.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Missing => "nothing".into(),
            Self::Text(text) if text.chars().count() > 40 => {
                format!("{:?}...", text.chars().take(40).collect::<String>())
            }
            Self::Text(text) => format!("{text:?}"),
            Self::Whole(number) => number.to_string(),
            Self::Real(number) => number.to_string(),
            Self::Flag(flag) => flag.to_string(),
        }
    }
}

fn missing() -> Problem {
    Problem::new(Reason::Missing, "there is no value; fill it in, or leave the row out")
}

/// The count that a float is, as far as floats are exact.
fn exact(number: f64) -> Option<u64> {
    (number >= 0.0 && number.fract() == 0.0 && number <= 9_007_199_254_740_992.0).then_some(number as u64)
}
