//! The ranked board: evidence in, rows with intervals, ties and costs out.
//!
//! The host fills an [`Evidence`] from its run store and calls [`leaderboard`]. Nothing depends on the order in which
//! entries, products, items or comparisons are listed.

mod board;
mod build;
mod evidence;
mod format;
mod index;
mod markdown;
mod table;

pub use board::{
    Column, Cost, Coverage, Direction, JudgeReport, Leaderboard, PairwiseResult, RankRange, Row,
    SCHEMA_VERSION,
};
pub use build::leaderboard;
pub use evidence::{
    Comparison, EntryEvidence, Evidence, Failure, Item, JudgeEvidence, Options, ReferenceFeatures, Score,
};
pub use markdown::to_markdown;
pub use table::to_table;
