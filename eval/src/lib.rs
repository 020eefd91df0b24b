//! Metrics and statistics for advertising images: numbers and pixels in, numbers with uncertainty out.
//!
//! Everything here is pure: no files, no plugins, no clock, no global random numbers. The same input gives the same
//! bytes on any number of threads. `docs/metrics.md` defines every number.

mod error;
mod interval;
pub mod leaderboard;

pub use error::EvalError;
pub use interval::{Estimate, Method};

/// The result of this crate's functions.
pub type Result<T, E = EvalError> = std::result::Result<T, E>;
