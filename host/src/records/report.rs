//! What became of a file's rows.

use super::error::{Place, Problem, Reason};
use serde::{Deserialize, Serialize};

/// Rows of a file: `read` = `used` + those left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RowReport {
    /// Rows of the file, without a header.
    pub read: u64,
    /// Rows that went into the result.
    pub used: u64,
    /// Rows that could not be used, by reason.
    pub left_out: Vec<LeftOut>,
    /// Columns that were read past since no one asked for them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignored: Vec<String>,
}

/// Rows that were left out for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct LeftOut {
    /// Why.
    pub reason: Reason,
    /// How many.
    pub rows: u64,
    /// The first of them, counted from 1 without a header.
    pub first_row: u64,
    /// What is wrong with that.
    pub first: String,
    /// Where that is, for people.
    #[serde(skip, default = "nowhere")]
    pub place: Place,
}

const fn nowhere() -> Place {
    Place::Row(0)
}

impl RowReport {
    /// Counts a row that was left out; it is the last that was read.
    pub(super) fn leave_out(&mut self, place: Place, problem: &Problem) {
        if let Some(known) = self.left_out.iter_mut().find(|l| l.reason == problem.reason) {
            known.rows += 1;
            return;
        }
        let (reason, first) = (problem.reason, problem.to_string());
        self.left_out.push(LeftOut { reason, rows: 1, first_row: self.read, first, place });
        self.left_out.sort_by_key(|l| l.reason);
    }

    /// Rows left out in all.
    pub fn missing(&self) -> u64 {
        self.read - self.used
    }
}
