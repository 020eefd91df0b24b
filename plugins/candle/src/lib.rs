//! What plugins share that run candle models: [`device`]s and [`checkpoint`]s by name, what was seen ([`eyes`]), the [`Precision`] of weights, what models
//! say as the contract's classes of error ([`plugin_error`]), the trainable half of prompt generators ([`policy`]), and what is set
//! and kept of any [`training`], of an adapter of a [`llava`] or of a [`whole`] model.

pub mod checkpoint;
pub mod device;
mod error;
pub mod eyes;
pub mod llava;
pub mod policy;
mod precision;
pub mod training;
pub mod whole;

pub use error::{plugin_error, unsaved};
pub use precision::Precision;
