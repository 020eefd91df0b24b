//! Metrics and statistics for advertising images: numbers and pixels in, numbers with uncertainty out.
//!
//! Everything here is pure: no files, no plugins, no clock, no global random numbers. The same input gives the same
//! bytes on any number of threads. `docs/metrics.md` defines every number.

pub mod bandit;
mod brisque;
pub mod comparison;
pub mod consistency;
pub mod distribution;
mod error;
mod interval;
pub mod leaderboard;
mod linalg;
pub mod market;
mod ms_ssim;
pub mod ope;
pub mod pairs;
pub mod ranking;
mod ssim;
pub mod statistics;

pub use brisque::{brisque, natural_scene_statistics};
pub use comparison::{Orders, Preferences, Question, bradley_terry};
pub use consistency::{Fidelity, delta_e_2000, fidelity};
pub use distribution::{Moments, frechet_estimate, frechet_from_moments, frechet_from_rows};
pub use error::EvalError;
pub use interval::{Estimate, Method};
pub use leaderboard::leaderboard;
pub use ms_ssim::ms_ssim;
pub use ssim::ssim;
pub use statistics::{Bootstrap, ClusterTable, Sums, paired};

/// The result of this crate's functions.
pub type Result<T, E = EvalError> = std::result::Result<T, E>;
