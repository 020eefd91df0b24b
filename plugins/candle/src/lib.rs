//! What plugins share that run candle models: [`device`]s and [`checkpoint`]s by name, a [`llava`] with its adapter and what it has
//! seen ([`eyes`]), the [`Precision`] of weights, what models say as the contract's classes of error ([`plugin_error`]), the trainable
//! half of prompt generators ([`policy`]), and what is set and kept of any [`training`], of a [`whole`] model too.

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
