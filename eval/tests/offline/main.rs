//! Offline CTR and the statistics behind it: agreement with references, and simulations of what the intervals promise.
//!
//! `cargo test --release -p adeval-eval --test offline -- --nocapture` prints the coverages.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // Helpers of tests may fail and print.

mod comparison;
mod coverage;
mod cross_fit;
mod goldens;
mod ope;
mod ope_goldens;
mod ope_tally;
mod pairs;
mod ranking;
mod scores;
mod slates;
mod support;
mod tests_and_power;
mod watching;
