//! Public data sets, read in their own layout and written as adeval's tables.

mod caig;
mod creative_ranking;
mod open_bandit;
mod paper_pairs;

pub use caig::{CaigKind, CaigReport, import_caig};
pub use creative_ranking::{CreativeRanking, DAYS_HEADER, Target};
pub use open_bandit::OpenBandit;
pub use paper_pairs::{Funnel, PairFilter, Smoothing};
