//! What a **synthetic** market knows of the test pairs. It is read after all models are trained and tested.

use super::data::Shop;
use super::pairs::Labelled;
use crate::bench::BenchError;
use serde::Deserialize;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::path::Path;

#[derive(Deserialize)]
struct Row {
    product: String,
    creative: String,
    true_ctr: f64,
}

/// True CTRs by product and creative.
pub struct Truth(HashMap<(String, String), f64>);

impl Truth {
    /// Reads `truth/creatives.csv` of a market.
    pub fn read(path: &Path) -> Result<Self, BenchError> {
        let wrong = |error: csv::Error| BenchError::Read {
            path: path.to_owned(),
            reason: format!("{error}; make the market anew"),
        };
        let rows = csv::Reader::from_path(path).map_err(wrong)?.into_deserialize();
        let rows =
            rows.map(|row| row.map(|Row { product, creative, true_ctr }| ((product, creative), true_ctr)));
        Ok(Self(rows.collect::<Result<_, _>>().map_err(wrong)?))
    }

    /// Which creative of a pair is truly better; `None` where that is not known.
    pub fn winner(&self, shop: &Shop, pair: &Labelled) -> Option<Ordering> {
        let advertised = &shop.products[pair.product];
        let [first, second] = pair.creatives.map(|at| {
            self.0.get(&(advertised.product.id.clone(), advertised.creatives[at].name.clone())).copied()
        });
        first?.partial_cmp(&second?)
    }
}
