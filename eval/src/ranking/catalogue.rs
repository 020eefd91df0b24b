//! Creatives by product, with their clicks by day.

use crate::pairs::Arm;
use crate::{EvalError, Result};

/// Clicks of impressions of a creative on one day; both may be 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Day {
    /// Clicks, at most as many as impressions.
    pub clicks: u64,
    /// Impressions.
    pub impressions: u64,
}

/// One creative of a product.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Creative {
    /// A model's score, higher for better ones; only the order within a product matters for selection.
    pub score: Option<f64>,
    /// Features for LinUCB, equally many for all creatives.
    pub features: Vec<f64>,
    /// Day by day, from day 0, equally many for all creatives.
    pub days: Vec<Day>,
}

impl Creative {
    /// Clicks and impressions over all days.
    pub fn total(&self) -> Arm {
        let sum = |of: fn(&Day) -> u64| self.days.iter().map(of).sum();
        Arm { clicks: sum(|d| d.clicks), impressions: sum(|d| d.impressions) }
    }
}

/// Products with their creatives, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Catalogue {
    pub(super) products: Vec<Vec<Creative>>,
    pub(super) days: usize,
    pub(super) features: usize,
    /// Products left out since they have one creative: there is nothing to choose.
    pub single: usize,
    /// Creatives left out since they were never shown.
    pub unseen: usize,
}

impl Catalogue {
    /// Checks products and their creatives, and leaves out what offers no choice, counting it.
    ///
    /// # Errors
    /// [`EvalError::Counts`] for clicks above impressions, [`EvalError::NotFinite`] for a score or feature,
    /// [`EvalError::SizeMismatch`] for days or features that differ in number, [`EvalError::TooFew`] when no product has two
    /// creatives that were shown.
    pub fn new(products: Vec<Vec<Creative>>) -> Result<Self> {
        let first = products.iter().flatten().next();
        let (days, features) = first.map_or((0, 0), |c| (c.days.len(), c.features.len()));
        for (p, creatives) in products.iter().enumerate() {
            for (c, creative) in creatives.iter().enumerate() {
                check(creative, days, features, &format!("product {p}, creative {c}"))?;
            }
        }
        let (mut kept, mut single, mut unseen) = (Vec::new(), 0, 0);
        for mut creatives in products {
            let before = creatives.len();
            creatives.retain(|c| c.total().impressions > 0);
            unseen += before - creatives.len();
            if creatives.len() >= 2 {
                kept.push(creatives);
            } else {
                single += 1;
            }
        }
        if kept.is_empty() {
            let what = "a selection (products with two creatives that were shown)".into();
            return Err(EvalError::TooFew { what, got: 0, needed: 1 });
        }
        Ok(Self { products: kept, days, features, single, unseen })
    }

    /// Number of products with a choice.
    pub fn len(&self) -> usize {
        self.products.len()
    }

    /// Never: a catalogue has at least one product.
    pub fn is_empty(&self) -> bool {
        self.products.is_empty()
    }
}

fn check(creative: &Creative, days: usize, features: usize, place: &str) -> Result<()> {
    let sizes = [("days", creative.days.len(), days), ("features", creative.features.len(), features)];
    for (what, got, want) in sizes {
        if got != want {
            let (what, got, want) = (what.into(), got.to_string(), want.to_string());
            return Err(EvalError::SizeMismatch { place: place.into(), what, got, want });
        }
    }
    for (day, &Day { clicks, impressions }) in creative.days.iter().enumerate() {
        if clicks > impressions {
            return Err(EvalError::Counts { place: format!("{place}, day {day}"), clicks, impressions });
        }
    }
    for (metric, value) in
        creative.score.iter().map(|s| ("score", s)).chain(creative.features.iter().map(|f| ("feature", f)))
    {
        if !value.is_finite() {
            return Err(EvalError::NotFinite { place: place.into(), metric: metric.into(), value: *value });
        }
    }
    Ok(())
}
