//! What is checked and how: options, and `adeval-check.toml` beside the plugin.

use super::rule::Level;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// What a broken rule counts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// The rule is not tried.
    Off,
    /// A breach is reported and does not fail the check.
    Warn,
    /// A breach fails the check.
    Deny,
}

/// `adeval-check.toml`: what a plugin's own check needs to know.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CheckConfig {
    /// The level, unless the command line says another.
    pub level: Option<Level>,
    /// The most seconds that one rule may take.
    pub timeout: Option<f64>,
    /// Address space of a rule's process in MiB; 0 for no limit (CUDA maps more than there is).
    pub memory_limit: Option<u64>,
    /// What rules count for, by id.
    pub rules: BTreeMap<String, Severity>,
    /// How components are created, by id.
    pub components: BTreeMap<String, ComponentConfig>,
}

/// How a component is created for the check.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ComponentConfig {
    /// Its parameters.
    pub parameters: serde_json::Map<String, serde_json::Value>,
    /// `cpu`, `cuda:N` or `metal`.
    pub device: Option<String>,
    /// A weight file or directory in place of the default one.
    pub weights: Option<PathBuf>,
}

/// How a library is checked.
#[derive(Debug, Clone)]
pub struct CheckOptions {
    /// The library.
    pub library: PathBuf,
    /// How much is asked of it.
    pub level: Level,
    /// Only rules whose id contains one of these; all when empty.
    pub only: Vec<String>,
    /// No rule whose id contains one of these.
    pub skip: Vec<String>,
    /// Only these components; all when empty.
    pub components: Vec<String>,
    /// The most time for one rule.
    pub timeout: Duration,
    /// Address space of a rule's process in bytes.
    pub memory_limit: Option<u64>,
    /// Rules at work at the same time, at least 1.
    pub jobs: usize,
    /// Seed of the check.
    pub seed: u64,
    /// The very seed of each rule, in place of one derived from `seed`.
    pub reproduce: Option<u64>,
    /// The plugin's own settings.
    pub config: CheckConfig,
}
