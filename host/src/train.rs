//! Training: host code over the trainable halves of the contract, with checkpoints, metrics and a schedule that all of it shares.

mod binding;
mod calls;
pub mod checkpoint;
pub mod compare;
mod error;
pub mod metrics;
pub mod pretrain;
mod recipe_file;
pub mod reward;
pub mod rl;
pub mod schedule;
mod split;
pub mod supervised;
mod tensorboard;

pub use error::TrainError;
