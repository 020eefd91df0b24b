//! What a user can set.

use adeval_sdk::{PluginError, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Parameters of `photo-background`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Parameters {
    /// Share of the canvas that the product's longer side takes (0.78 in CAIG; less shows more of the scene).
    #[schemars(range(min = 0.2, max = 0.9))]
    pub product_share: f64,
    /// How far out of focus the background is: 0 keeps all of it as sharp as its source, 1 is a wide open lens.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub depth_of_field: f64,
    /// Strength of the product's shadow: 0 is none, 1 the darkest.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub shadow: f64,
    /// Factor on what glossy surfaces mirror: 0 is matt, 1 as the material is, 2 polished.
    #[schemars(range(min = 0.0, max = 2.0))]
    pub reflection: f64,
    /// Strength of the colour grade that follows the prompt's mood (warm, cool, dark, bright, vivid, soft).
    #[schemars(range(min = 0.0, max = 1.0))]
    pub grade: f64,
}

impl Default for Parameters {
    fn default() -> Self {
        Self { product_share: 0.64, depth_of_field: 0.5, shadow: 0.75, reflection: 1.0, grade: 0.7 }
    }
}

impl Parameters {
    /// Checks the ranges that the schema states, for callers that come without it.
    ///
    /// # Errors
    /// `InvalidParameters`, naming the parameter.
    pub fn validate(&self) -> Result<()> {
        let ranges = [
            ("product_share", self.product_share, 0.2, 0.9),
            ("depth_of_field", self.depth_of_field, 0.0, 1.0),
            ("shadow", self.shadow, 0.0, 1.0),
            ("reflection", self.reflection, 0.0, 2.0),
            ("grade", self.grade, 0.0, 1.0),
        ];
        match ranges.into_iter().find(|(_, value, low, high)| !(low..=high).contains(&value)) {
            None => Ok(()),
            Some((name, value, low, high)) => Err(PluginError::invalid_parameters(format!(
                "{name} is {value}: it must be between {low} and {high}"
            ))),
        }
    }
}
