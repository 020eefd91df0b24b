//! A team's own logs: tables in CSV, TSV, JSON lines and Parquet, read as one stream of checked rows.
//!
//! [`read`] hands the rows of a file to a [`Table`], whatever the format. Text files name the line of what is wrong, Parquet
//! files the row. A row that cannot be used is an error, or is left out and counted in the [`RowReport`]; which columns a table
//! has is in `docs/logs.md`. Rows stream: what is kept is up to the table.

mod cell;
mod check;
mod cross_fit;
mod csv;
mod decisions;
mod embeddings;
mod error;
mod feed;
pub mod import;
mod json;
mod judgements;
mod layout;
mod lesson;
mod names;
mod pairs;
mod parquet;
mod policies;
mod read;
mod report;
mod seen;
mod slates;
pub mod split;
mod totals;
mod units;
mod write;

pub use cell::Cell;
pub use check::{Checked, Inventory, TableKind, mend};
pub use cross_fit::{CrossFit, Fitting, FoldUnit};
pub use decisions::Decisions;
pub use error::{Place, Problem, Reason, RecordError};
pub use judgements::Judgements;
pub use layout::{Column, Layout, Shape};
pub use lesson::Lesson;
pub use names::Names;
pub use pairs::{Judge, JudgedPairs};
pub use policies::{Answer, Policies};
pub use read::{Header, ReadOptions, Row, Table, examine, header, read};
pub use report::{LeftOut, RowReport};
pub use slates::SlateRows;
pub use totals::CreativeTotals;
pub use units::Unit;
pub use write::{Field, Kind, Writer};
