//! The ranked board: evidence in, rows with intervals, ties and costs out.
//!
//! The host fills an [`Evidence`] from its run store and calls [`leaderboard`]. Nothing depends on the order in which
//! entries, products, items or comparisons are listed.

mod board;
mod build;
mod distances;
mod evidence;
mod format;
mod grid;
mod index;
mod markdown;
mod optimizers;
mod product;
mod ranking;
mod table;

pub use board::{
    COST_COLUMNS, Column, Cost, Coverage, Direction, JudgeReport, Leaderboard, PairwiseResult, RankRange,
    Row, SCHEMA_VERSION,
};
pub use build::leaderboard;
pub use evidence::{
    Comparison, Consistent, Distance, EntryEvidence, Evidence, Failure, Item, JudgeEvidence, Options,
    ReferenceFeatures, Score,
};
pub use markdown::{optimizers_to_markdown, to_markdown};
pub use optimizers::{OptimizerBoard, OptimizerEvidence, OptimizerRow, optimizers};
pub use table::{optimizers_to_table, to_table};
