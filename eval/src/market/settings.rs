//! How large the differences between creatives are, and how many impressions show them.

use crate::{EvalError, Result};
use serde::{Deserialize, Serialize};

/// A market ready to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// As hard as public logs: the best possible pairwise accuracy over pairs of the paper's filter is 56% to 60%.
    Literature,
    /// Creatives differ much: the best possible pairwise accuracy over all pairs is about 90%.
    Easy,
}

/// The size of a market's effects and of its traffic.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Settings {
    /// What one unit of appeal does to the log-odds of a click; between creatives of one product appeal spreads by about 0.9.
    pub appeal: f64,
    /// Click-through rate of a usual creative of a usual product.
    pub base_ctr: f64,
    /// Standard deviation of products' own log-odds.
    pub product_spread: f64,
    /// Median of a product's impressions, for each of its creatives.
    pub impressions: f64,
    /// Standard deviation of their logarithm: how heavy their tail is.
    pub impression_spread: f64,
    /// Days of the log.
    pub days: u32,
}

impl Preset {
    /// Its numbers. Presets differ in the size of the effects alone.
    pub const fn settings(self) -> Settings {
        let appeal = match self {
            Self::Literature => 0.045,
            Self::Easy => 0.9,
        };
        Settings {
            appeal,
            base_ctr: 0.03,
            product_spread: 0.5,
            impressions: 1000.0,
            impression_spread: 0.8,
            days: 7,
        }
    }
}

impl Settings {
    /// Refuses numbers that make no market.
    ///
    /// # Errors
    /// [`EvalError::BadOption`].
    pub fn check(&self) -> Result<()> {
        let rules = [
            ("appeal", self.appeal, 0.0, 10.0, "it must lie in [0, 10]"),
            ("base_ctr", self.base_ctr, 0.0001, 0.3, "it must lie in [0.0001, 0.3]"),
            ("product_spread", self.product_spread, 0.0, 3.0, "it must lie in [0, 3]"),
            ("impressions", self.impressions, 1.0, 1e7, "it must lie in [1, 10000000]"),
            ("impression_spread", self.impression_spread, 0.0, 2.0, "it must lie in [0, 2]"),
            ("days", f64::from(self.days), 1.0, 366.0, "it must lie in [1, 366]"),
        ];
        for (option, value, low, high, rule) in rules {
            if !(low..=high).contains(&value) {
                return Err(EvalError::BadOption { option, value: value.to_string(), rule });
            }
        }
        Ok(())
    }
}
