//! The conformance check: does a plugin keep the contract, so that a bench with it can be trusted?
//!
//! Every rule (`rule`) is tried on every component it applies to, each time in a process of its own (`process`), so
//! that a plugin that aborts, hangs or eats memory costs one line of the report and nothing else. [`rules`] holds them by
//! theme; `pages/` explains each to the author of a plugin that breaks it.

mod config;
mod exercise;
mod material;
mod process;
mod report;
mod rule;
mod rules;
mod runner;
mod subject;

pub use config::{CheckConfig, CheckOptions, Severity};
pub use process::attempt as attempt_in_this_process;
pub use report::{Attempt, CheckReport, Status, to_junit, to_text};
pub use rule::{Level, Rule};
pub use rules::{all as rules, find as find_rule};
pub use runner::check;
