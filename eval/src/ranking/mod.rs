//! Which creative of a product should be shown? Scores and bandits, judged on a log of impressions and clicks.
//!
//! Follows the evaluation of VAM-HBM (Wang et al. 2021): a selection is played back over logged impressions of creatives that
//! were shown at random, and only what it would have shown counts.

mod catalogue;
mod linucb;
mod playback;
mod report;
mod scores;

pub use catalogue::{Catalogue, Creative, Day};
pub use playback::{Policy, Settings, Tally, playback};
pub use report::{PolicyRow, RankingReport, compare_policies};
pub use scores::{ScoreOptions, ScoreReport, TopK, evaluate_scores};
