//! Columns on what became of the product: fidelity, consistency, availability.

use super::board::Direction;
use super::build::{Filled, column};
use super::index::{Index, Value};
use crate::{Bootstrap, Result};

/// The columns for which there are values.
pub(super) fn columns(index: &Index<'_>, bootstrap: &Bootstrap) -> Result<Vec<Filled>> {
    let fidelity = Measure {
        id: "product_fidelity",
        title: "Product fidelity",
        unit: "",
        meaning: "How far the product's own pixels are kept in the creative; 1 is untouched",
        values: index.items(|item| item.fidelity),
    };
    let consistency = Measure {
        id: "product_consistency",
        title: "Product consistency",
        unit: "",
        meaning: "Pixels, marks, outline, seam and place of the product in one score; 1 is without fault",
        values: index.items(|item| Some(item.consistency?.score)),
    };
    let availability = Measure {
        id: "availability",
        title: "Available",
        unit: "share",
        meaning: "Creatives without a fault in the product, its place, size, outline or distinctness",
        values: index.items(|item| Some(f64::from(u8::from(item.consistency?.available)))),
    };
    let all = [(fidelity, false), (consistency, false), (availability, true)];
    let filled = all.into_iter().filter(|(measure, _)| !measure.values.is_empty());
    filled.map(|(measure, rate)| measure.filled(index, bootstrap, rate)).collect()
}

/// A measure of single creatives.
struct Measure {
    id: &'static str,
    title: &'static str,
    unit: &'static str,
    meaning: &'static str,
    values: Vec<Value>,
}

impl Measure {
    fn filled(self, index: &Index<'_>, bootstrap: &Bootstrap, rate: bool) -> Result<Filled> {
        Ok(Filled {
            column: column(self.id.into(), self.title, self.unit, Direction::Higher, self.meaning),
            values: index.means(self.values.into_iter()).means(bootstrap, rate)?,
        })
    }
}
