//! Entries and judges against each other: who wins, how strongly, and do judges agree?

pub mod bradley_terry;
pub mod davidson;
pub mod krippendorff;
mod matrix;
mod preference;

pub use matrix::{Matchup, matrix};
pub use preference::{Orders, Preferences, Question};
