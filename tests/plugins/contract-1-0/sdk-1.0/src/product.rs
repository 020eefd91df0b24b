//! The thing that is advertised.

use crate::Image;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A product: its cut-out and what a shop knows of it (CAIG, section 3: image `I` and caption `C`).
///
/// A *corrupted condition* of the preference optimisation is simply a product whose image is masked or whose text
/// is another product's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Product {
    /// Unique within a suite.
    pub id: String,
    /// The title, as a shop would write it.
    pub title: String,
    /// From the widest to the narrowest, e.g. `["Shoes", "Sneakers", "Running"]`.
    #[serde(default)]
    pub category: Vec<String>,
    /// Price asked, in `currency`.
    #[serde(default)]
    pub price: Option<f64>,
    /// Price before the discount.
    #[serde(default)]
    pub list_price: Option<f64>,
    /// ISO 4217 code of the prices.
    #[serde(default)]
    pub currency: Option<String>,
    /// Number of good comments.
    #[serde(default)]
    pub good_comments: Option<u64>,
    /// Number of orders in the last year.
    #[serde(default)]
    pub yearly_orders: Option<u64>,
    /// Anything else that is known, e.g. colour or material.
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
    /// The cut-out: RGBA, any size, alpha 0 outside the product.
    pub image: Image,
}

impl Product {
    /// A product with an id, a title and a cut-out, and nothing else known.
    pub fn new(id: impl Into<String>, title: impl Into<String>, image: Image) -> Self {
        Self {
            id: id.into(),
            title: title.into(),
            category: Vec::new(),
            price: None,
            list_price: None,
            currency: None,
            good_comments: None,
            yearly_orders: None,
            attributes: BTreeMap::new(),
            image,
        }
    }
}
