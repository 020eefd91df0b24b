//! What plugins share that run candle models: [`device`]s and [`checkpoint`]s by name, the [`Precision`] of weights, what models
//! say as the contract's classes of error ([`plugin_error`]), and the trainable half of prompt generators ([`policy`]).

pub mod checkpoint;
pub mod device;
mod error;
pub mod policy;
mod precision;

pub use error::plugin_error;
pub use precision::Precision;
