//! `heuristic-reward`: judges creatives by what designers look at first.
//!
//! Five parts, each from 0 (bad) to 1 (good), are measured on the creative at 128 pixels: contrast of the subject with
//! its background, the subject's share of the saliency, colour harmony, calm (the absence of clutter) and exposure.
//! Their weighted mean is the score. The subject is found by matching the product's cut-out.
//!
//! The CTR that it predicts is an ordering on a scale around 3%, **not calibrated** against any clicks.

mod judge;
mod parts;
mod subject;
mod view;

pub use judge::{HeuristicReward, Parameters};

adeval_sdk::export_plugin! { reward_model: [HeuristicReward] }
