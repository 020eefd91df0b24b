//! Training: host code over the trainable halves of the contract, with checkpoints, metrics and a schedule that all of it shares.

pub mod checkpoint;
mod error;
pub mod metrics;
pub mod rl;
pub mod schedule;
mod tensorboard;

pub use error::TrainError;
