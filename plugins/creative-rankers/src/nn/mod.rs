//! A small network library: reverse-mode differentiation on one example at a time, in `f32` or `f64`.
//!
//! Why not candle, on which the encoders run: a score must not change by a bit with the batch that it is asked in or the number of
//! threads, and gradients are to be held against finite differences in `f64` by the very same code (decision 0023). All sums here are
//! of fixed order.

mod attention;
mod backward;
mod conv;
mod layout;
mod matrix;
mod norm;
mod real;
mod tape;

pub use layout::{Conv, Layout, Linear, Norm, Slot};
pub use real::Real;
pub use tape::{Tape, Value};

#[cfg(test)]
mod tests;
