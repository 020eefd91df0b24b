//! Reward models that learn from pairs, for a fair comparison on one split ([docs](../../../docs/reward-models.md)):
//!
//! - `vision-reward`: a frozen image encoder and a small network with two heads;
//! - `vam-reward`: VAM (Wang et al., WWW 2021), a convolutional network that learns from the pixels;
//! - `cg4ctr-reward`: the reward model of CG4CTR (Yang et al., 2024), features of image and text that attend to each other.
//!
//! All three judge each creative by itself: P(left) is the logistic function of the difference of two strengths, so that exchanged sides
//! give 1 - P exactly. What learns runs on the processor, in sums of fixed order; the frozen encoder runs where the host says.

mod cache;
mod cg4ctr;
mod checkpoint;
mod encoder;
mod loss;
mod network;
mod nn;
mod pixels;
mod ranker;
mod text;
mod train;
mod vam;
mod vision;

pub use cg4ctr::Cg4CtrParameters;
pub use vam::VamParameters;
pub use vision::VisionParameters;

/// The `vision-reward` component.
pub type VisionReward = ranker::Trained<vision::VisionRanker>;
/// The `vam-reward` component.
pub type VamReward = ranker::Trained<vam::VamRanker>;
/// The `cg4ctr-reward` component.
pub type Cg4CtrReward = ranker::Trained<cg4ctr::Cg4CtrRanker>;

adeval_sdk::export_plugin! {
    trainable_reward_model: [VisionReward, VamReward, Cg4CtrReward],
}

#[cfg(test)]
mod tests;
