//! What shoppers know of a product.

use super::aisle::{self, Aisle};
use super::scene::{AXES, Scene};
use crate::{EvalError, Result};
use adeval_sdk::{CutOut, Product};
use serde::{Deserialize, Serialize};

/// What of a product the market looks at.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Its id: each product has an appeal of its own.
    pub id: String,
    /// Its widest category in lower case, empty when none is known: tastes differ by it.
    pub category: String,
    /// How dear it is.
    pub band: Band,
    /// Its season, where its attribute `season` names one.
    pub season: Option<Season>,
    pub(super) aisle: &'static Aisle,
    pub(super) cut_out: CutOut,
}

/// Price bands, in units of the product's currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Band {
    /// Below 25.
    Low,
    /// From 25 to 100, and where no price is known.
    Middle,
    /// Above 100.
    High,
}

/// A season of the year.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Season {
    /// Spring.
    Spring,
    /// Summer.
    Summer,
    /// Autumn.
    Autumn,
    /// Winter.
    Winter,
}

impl Facts {
    /// What is known of a product.
    ///
    /// # Errors
    /// [`EvalError::EmptyMask`] when its image has no alpha or no visible pixel.
    pub fn of(product: &Product) -> Result<Self> {
        let cut_out = CutOut::of(product).map_err(|error| EvalError::EmptyMask { reason: error.message })?;
        Ok(Self {
            id: product.id.clone(),
            category: product.category.first().map(|c| c.to_lowercase()).unwrap_or_default(),
            band: Band::of(product.price),
            season: product.attributes.get("season").and_then(|name| Season::named(name)),
            aisle: aisle::of(&product.category, &product.title),
            cut_out,
        })
    }

    /// How well a scene suits the product, in (0, 1].
    pub fn match_of(&self, scene: &Scene) -> f64 {
        self.aisle.matches(&scene.standard()[..AXES])
    }
}

impl Band {
    fn of(price: Option<f64>) -> Self {
        match price {
            Some(price) if price < 25.0 => Self::Low,
            Some(price) if price > 100.0 => Self::High,
            _ => Self::Middle,
        }
    }
}

impl Season {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Spring, Self::Summer, Self::Autumn, Self::Winter];

    fn named(name: &str) -> Option<Self> {
        match name.to_lowercase().as_str() {
            "spring" => Some(Self::Spring),
            "summer" => Some(Self::Summer),
            "autumn" | "fall" => Some(Self::Autumn),
            "winter" | "christmas" | "holiday" => Some(Self::Winter),
            _ => None,
        }
    }

    /// How much warmer than usual shoppers want scenes to be: warm light in the cold seasons, cool in the hot.
    pub(super) const fn warmth(self) -> f64 {
        match self {
            Self::Winter => 1.0,
            Self::Autumn => 0.5,
            Self::Spring => -0.5,
            Self::Summer => -1.0,
        }
    }
}
