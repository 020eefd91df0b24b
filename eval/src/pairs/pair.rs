//! Two creatives of one product, their clicks, and what a judge said about them.

use crate::{EvalError, Result, statistics::check_probability};

/// Clicks and impressions of a creative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Arm {
    /// Clicks, at most as many as impressions.
    pub clicks: u64,
    /// Impressions, at least 1.
    pub impressions: u64,
}

impl Arm {
    /// Observed click-through rate.
    pub fn ctr(self) -> f64 {
        self.clicks as f64 / self.impressions as f64
    }

    /// Refuses clicks above impressions, and a creative that was never shown.
    ///
    /// # Errors
    /// [`EvalError::Counts`].
    pub fn validate(self, place: impl Into<String>) -> Result<Self> {
        let Self { clicks, impressions } = self;
        if impressions == 0 || clicks > impressions {
            return Err(EvalError::Counts { place: place.into(), clicks, impressions });
        }
        Ok(self)
    }
}

/// Two creatives of one product and a judge's answers about them.
#[derive(Debug, Clone, PartialEq)]
pub struct Pair {
    /// The product, a number from 0; pairs of one product are resampled together.
    pub product: usize,
    /// The product's category, for accuracy by category.
    pub category: Option<String>,
    /// One creative.
    pub first: Arm,
    /// The other.
    pub second: Arm,
    /// The judge's P(left is preferred), in [0, 1], when the first stands left.
    pub first_left: Option<f64>,
    /// The judge's P(left is preferred) when the second stands left.
    pub second_left: Option<f64>,
}

/// Which creative is ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Winner {
    First,
    Second,
    Neither,
}

impl Winner {
    /// 1, 0 or 1/2: what naming `label` right is worth to this prediction.
    pub fn agreement(self, label: Self) -> f64 {
        match self {
            Self::Neither => 0.5,
            _ => f64::from(u8::from(self == label)),
        }
    }
}

impl Pair {
    /// Checks counts and probabilities; `at` is the pair's place in the list, for the message.
    ///
    /// # Errors
    /// [`EvalError::Counts`], [`EvalError::NotFinite`], [`EvalError::OutOfRange`], or [`EvalError::TooFew`] for a pair
    /// that the judge answered in neither order.
    pub fn validate(&self, at: usize) -> Result<()> {
        let place = || format!("pair {at} of product {}", self.product);
        self.first.validate(format!("{}, first creative", place()))?;
        self.second.validate(format!("{}, second creative", place()))?;
        for p in [self.first_left, self.second_left].into_iter().flatten() {
            check_probability(p, &place(), "P(left)")?;
        }
        if self.first_left.is_none() && self.second_left.is_none() {
            return Err(EvalError::TooFew { what: format!("{}: an answer", place()), got: 0, needed: 1 });
        }
        Ok(())
    }

    /// P(the first is preferred), averaged over the orders that were asked.
    pub fn p_first(&self) -> f64 {
        match (self.first_left, self.second_left) {
            (Some(first), Some(second)) => f64::midpoint(first, 1.0 - second),
            (Some(first), None) => first,
            (None, second) => 1.0 - second.unwrap_or(0.5),
        }
    }

    /// Which creative got the higher CTR. Exact: no division.
    pub(super) fn label(&self) -> Winner {
        let cross = |a: Arm, b: Arm| u128::from(a.clicks) * u128::from(b.impressions);
        match cross(self.first, self.second).cmp(&cross(self.second, self.first)) {
            std::cmp::Ordering::Greater => Winner::First,
            std::cmp::Ordering::Less => Winner::Second,
            std::cmp::Ordering::Equal => Winner::Neither,
        }
    }

    /// Which creative the judge prefers, over both orders.
    pub(super) fn prediction(&self, margin: f64) -> Winner {
        side(self.p_first(), margin)
    }

    /// Whether both orders name the same creative (or neither does); `None` unless both were asked.
    pub(super) fn consistent(&self, margin: f64) -> Option<bool> {
        let (first, second) = (self.first_left?, self.second_left?);
        Some(side(first, margin) == side(1.0 - second, margin))
    }

    /// Mean P(left) - 1/2 over both orders; `None` unless both were asked.
    pub(super) fn left_excess(&self) -> Option<f64> {
        Some(f64::midpoint(self.first_left?, self.second_left?) - 0.5)
    }

    /// The higher CTR over the lower one; infinite when the lower is 0, 1 for equal ones.
    pub fn gap(&self) -> f64 {
        let (a, b) = (self.first.ctr(), self.second.ctr());
        if a == b { 1.0 } else { a.max(b) / a.min(b) }
    }
}

fn side(p: f64, margin: f64) -> Winner {
    let gap = p - 0.5;
    if gap.abs() <= margin {
        Winner::Neither
    } else if gap > 0.0 {
        Winner::First
    } else {
        Winner::Second
    }
}
