//! What plugins share that run candle models: [`device`]s and [`checkpoint`]s by name, the [`Precision`] of weights, and what models
//! say as the contract's classes of error ([`plugin_error`]).

pub mod checkpoint;
pub mod device;
mod error;
mod precision;

pub use error::plugin_error;
pub use precision::Precision;
