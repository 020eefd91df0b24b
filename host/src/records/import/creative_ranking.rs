//! Alimama's CreativeRanking (Wang et al. 2021): lines without a header of item, image, date, impressions, clicks.

use super::paper_pairs::{Arm, Funnel, PairFilter, Smoothing, pairs};
use crate::records::cell::Cell;
use crate::records::error::{Problem, Reason};
use crate::records::layout::{Column, Layout, Shape};
use crate::records::names::Names;
use crate::records::pairs::check_clicks;
use crate::records::read::{Row, Table};
use crate::records::seen::Seen;
use crate::records::write::{Field, Kind, Writer};
use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

/// The columns of its lists, which have no header.
pub const DAYS_HEADER: [&str; 5] = ["item", "image", "date", "impressions", "clicks"];

const SHAPE: Shape = Shape {
    name: "CreativeRanking",
    columns: &[
        Column::required("item"),
        Column::required("image"),
        Column::required("date"),
        Column::required("impressions"),
        Column::required("clicks"),
    ],
    families: &[],
};

/// What to write.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Target {
    /// Creative totals, a row a day as they come.
    Days,
    /// Creative totals, a row a creative, with its smoothed CTR.
    Creatives(Smoothing),
    /// Pairs by the paper's filter.
    Pairs(PairFilter, Smoothing),
}

/// Reads the lists, and writes days at once or keeps the sums of each creative.
pub struct CreativeRanking {
    target: Target,
    writer: Writer,
    failed: Option<String>,
    seen: Seen,
    items: Names,
    creatives: HashMap<(u32, Box<str>), usize>,
    arms: Vec<Arm>,
    of_item: Vec<Vec<usize>>,
}

impl CreativeRanking {
    /// Begins the file.
    ///
    /// # Errors
    /// As [`Writer::create`].
    pub fn new(target: Target, out: &Path) -> Result<Self, String> {
        let text = |name: &str| Field::new(name, Kind::Text);
        let whole = |name: &str| Field::new(name, Kind::Whole);
        let fields = match target {
            Target::Days => {
                vec![text("product"), text("creative"), text("day"), whole("impressions"), whole("clicks")]
            }
            Target::Creatives(_) => vec![
                text("product"),
                text("creative"),
                whole("impressions"),
                whole("clicks"),
                Field::new("smoothed_ctr", Kind::Real),
            ],
            Target::Pairs(..) => super::paper_pairs::fields(),
        };
        Ok(Self {
            target,
            writer: Writer::create(out, fields)?,
            failed: None,
            seen: Seen::default(),
            items: Names::default(),
            creatives: HashMap::new(),
            arms: Vec::new(),
            of_item: Vec::new(),
        })
    }

    /// After the last row: writes what was kept. Rows written, how pairs were chosen, and rows whose repetition was not checked.
    ///
    /// # Errors
    /// One sentence when the file cannot be written.
    pub fn finish(mut self) -> Result<(u64, Option<Funnel>, u64), String> {
        if let Some(failed) = self.failed.take() {
            return Err(failed);
        }
        let mut funnel = None;
        match self.target {
            Target::Days => {}
            Target::Creatives(smoothing) => {
                for arm in &self.arms {
                    self.writer.row(&[
                        Cell::Text(self.items.name(arm.product).into()),
                        Cell::Text(arm.creative.as_ref().into()),
                        Cell::Whole(arm.impressions as i64),
                        Cell::Whole(arm.clicks as i64),
                        Cell::Real(smoothing.ctr(arm)),
                    ])?;
                }
            }
            Target::Pairs(filter, smoothing) => {
                let groups = self.of_item.iter().map(|all| all.iter().map(|&at| &self.arms[at]).collect());
                funnel = Some(pairs(groups, &self.items, filter, smoothing, &mut self.writer)?);
            }
        }
        Ok((self.writer.finish()?, funnel, self.seen.unchecked()))
    }

    fn keep(&mut self, item: &str, creative: &str, impressions: u64, clicks: u64) {
        let product = self.items.number(item);
        let at = *self.creatives.entry((product, creative.into())).or_insert_with(|| {
            self.of_item.resize(self.items.len(), Vec::new());
            self.of_item[product as usize].push(self.arms.len());
            self.arms.push(Arm { product, creative: creative.into(), impressions: 0, clicks: 0 });
            self.arms.len() - 1
        });
        self.arms[at].impressions += impressions;
        self.arms[at].clicks += clicks;
    }
}

impl Table for CreativeRanking {
    fn shape(&self) -> &'static Shape {
        &SHAPE
    }

    fn begin(&mut self, _: &Layout) -> Result<(), String> {
        Ok(())
    }

    fn row(&mut self, row: &Row<'_>) -> Result<(), Problem> {
        let (item, image, date) = (row.name(0)?, row.name(1)?, row.name(2)?);
        let (impressions, clicks) = (row.count(3)?, row.count(4)?);
        check_clicks(row, 4, clicks, impressions)?;
        if !self.seen.is_new(&[&item, &image, &date]) {
            let message =
                format!("image {image:?} of this item was there before on {date:?}; keep one row a day");
            return Err(row.at(1, Problem::new(Reason::Duplicate, message)));
        }
        if self.target != Target::Days {
            self.keep(&item, &image, impressions, clicks);
            return Ok(());
        }
        let text = |name: Cow<'_, str>| Cell::Text(Cow::Owned(name.into_owned()));
        let counts = [Cell::Whole(impressions as i64), Cell::Whole(clicks as i64)];
        let [impressions, clicks] = counts;
        let cells = [text(item), text(image), text(date), impressions, clicks];
        if self.failed.is_none() {
            self.failed = self.writer.row(&cells).err();
        }
        Ok(())
    }
}
