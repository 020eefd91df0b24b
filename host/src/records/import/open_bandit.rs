//! The Open Bandit Dataset (Saito et al. 2021): a row for each item that was shown at a position.

use crate::records::cell::Cell;
use crate::records::decisions::propensity;
use crate::records::error::Problem;
use crate::records::layout::{Column, Layout, Shape};
use crate::records::read::{Row, Table};
use crate::records::write::{Field, Kind, Writer};
use std::borrow::Cow;
use std::path::Path;

const INDEX: usize = 0;
const TIME: usize = 1;
const ITEM: usize = 2;
const POSITION: usize = 3;
const CLICK: usize = 4;
const PROPENSITY: usize = 5;

const SHAPE: Shape = Shape {
    name: "Open Bandit",
    columns: &[
        // The files' first column has no name: pandas wrote its index.
        Column::optional(""),
        Column::required("timestamp"),
        Column::required("item_id"),
        Column::required("position"),
        Column::required("click"),
        Column::required("propensity_score"),
    ],
    families: &["user_feature_", "user-item_affinity_"],
};

/// Writes each row as a decision.
pub struct OpenBandit {
    campaign: String,
    by_position: bool,
    writer: Writer,
    failed: Option<String>,
    left_out: usize,
    rows: i64,
}

impl OpenBandit {
    /// Begins the file. A decision is about the campaign, or by position about a position of its page.
    ///
    /// # Errors
    /// As [`Writer::create`].
    pub fn new(campaign: &str, by_position: bool, out: &Path) -> Result<Self, String> {
        let mut fields = vec![
            Field::new("id", Kind::Text),
            Field::new("time", Kind::Text),
            Field::new("product", Kind::Text),
            Field::new("creative", Kind::Text),
            Field::new("position", Kind::Text),
            Field::new("propensity", Kind::Real),
            Field::new("clicked", Kind::Whole),
        ];
        if by_position {
            fields.push(Field::new("cluster", Kind::Text));
        }
        let writer = Writer::create(out, fields)?;
        Ok(Self { campaign: campaign.into(), by_position, writer, failed: None, left_out: 0, rows: 0 })
    }

    /// After the last row: rows written, and columns of users' features, which no table of adeval has.
    ///
    /// # Errors
    /// One sentence when the file cannot be written.
    pub fn finish(self) -> Result<(u64, usize), String> {
        match self.failed {
            Some(failed) => Err(failed),
            None => Ok((self.writer.finish()?, self.left_out)),
        }
    }
}

impl Table for OpenBandit {
    fn shape(&self) -> &'static Shape {
        &SHAPE
    }

    fn begin(&mut self, layout: &Layout) -> Result<(), String> {
        self.left_out = SHAPE.families.iter().map(|family| layout.family(family).count()).sum();
        Ok(())
    }

    fn row(&mut self, row: &Row<'_>) -> Result<(), Problem> {
        let (time, item, position) = (row.name(TIME)?, row.name(ITEM)?, row.name(POSITION)?);
        let clicked = row.zero_or_one(CLICK)?;
        let propensity = propensity(row, PROPENSITY)?;
        let id = match row.optional_name(INDEX)? {
            Some(id) => id,
            None => Cow::Owned(self.rows.to_string()),
        };
        self.rows += 1;
        let product = match self.by_position {
            true => Cow::Owned(format!("{}, position {position}", self.campaign)),
            false => Cow::Borrowed(self.campaign.as_str()),
        };
        let mut cells = vec![
            Cell::Text(Cow::Borrowed(&id)),
            Cell::Text(time),
            Cell::Text(product),
            Cell::Text(item),
            Cell::Text(position),
            Cell::Real(propensity),
            Cell::Whole(clicked as i64),
        ];
        if self.by_position {
            cells.push(Cell::Text(Cow::Borrowed(&id)));
        }
        if self.failed.is_none() {
            self.failed = self.writer.row(&cells).err();
        }
        Ok(())
    }
}
