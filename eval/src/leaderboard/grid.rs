//! What the renderers draw: a ranked table of estimates, whatever its rows are.

use super::board::{Column, Leaderboard, RankRange};
use super::format;
use crate::Estimate;
use std::collections::BTreeMap;

pub struct Grid<'a> {
    /// Title of the rows' column.
    pub head: &'static str,
    pub columns: &'a [Column],
    pub rows: Vec<GridRow<'a>>,
}

pub struct GridRow<'a> {
    pub rank: Option<RankRange>,
    pub id: &'a str,
    pub cells: &'a BTreeMap<String, Estimate>,
    /// How much of the plan was done.
    pub done: String,
    pub failed: bool,
}

impl<'a> From<&'a Leaderboard> for Grid<'a> {
    fn from(board: &'a Leaderboard) -> Self {
        let row = |row: &'a super::Row| GridRow {
            rank: row.rank,
            id: &row.entry,
            cells: &row.cells,
            done: format::coverage(row.coverage, row.failures.len()),
            failed: !row.failures.is_empty(),
        };
        Self { head: "Entry", columns: &board.columns, rows: board.rows.iter().map(row).collect() }
    }
}
