//! How good is a reward model? Its answers about pairs of creatives against the clicks that these got.
//!
//! With a thousand impressions and a CTR of a few percent, which of two creatives got the higher CTR is partly chance.
//! So an accuracy stands beside its [`ceiling`]: what a judge would reach who knew the true order.

pub mod ceiling;
mod columns;
mod pair;
mod report;
mod temperature;

pub use ceiling::Prior;
pub use pair::{Arm, Pair};
pub use report::{Group, Options, Report, evaluate};
pub use temperature::{temperature, tempered};
