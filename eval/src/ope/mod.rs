//! What would another policy have earned? Off-policy value from a log of actions, rewards and propensities.
//!
//! A log says what one policy showed (which creative, to whom, with which chance) and what it earned. The estimators here
//! say what another policy would have earned on the same rounds, as far as the log can tell: [`overlap()`] says how far
//! that is. Formulas follow the Open Bandit Pipeline (Saito et al. 2021), to which goldens hold them.

pub mod bounds;
mod comparison;
pub mod cross_fit;
pub mod embedding;
mod estimator;
mod intervals;
mod log;
mod overlap;
mod report;
pub mod slate;
mod tally;
pub mod tuning;
mod value;
mod weights;

pub use estimator::Estimator;
pub use log::{Log, Rounds};
pub use overlap::{Overlap, overlap};
pub use report::{OpeReport, OpeRow};
pub use tally::{Extras, Round, Tally};
pub use value::{round_values, value};
