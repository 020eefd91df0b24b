//! What a check found, for people, for programs and for CI.

mod junit;
mod text;

use super::rule::Level;
use super::subject::Task;
use adeval_sdk::Kind;
pub use junit::to_junit;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
pub use text::to_text;

/// How trying a rule ended.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// The rule holds.
    Passed,
    /// It cannot be tried here.
    Skipped,
    /// It holds, but the author should know something.
    Warning,
    /// The plugin breaks it.
    Failed,
    /// The plugin ended its process.
    Crashed,
    /// The plugin did not end in time.
    TimedOut,
}

impl Status {
    /// Whether the plugin does not conform.
    pub fn is_bad(self) -> bool {
        matches!(self, Self::Failed | Self::Crashed | Self::TimedOut)
    }
}

/// One rule, tried on one component (or on the library).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Attempt {
    /// Id of the rule.
    pub rule: String,
    /// Id of the component; absent for a rule of the library.
    pub component: Option<String>,
    /// How it ended.
    pub status: Status,
    /// What was seen.
    pub message: String,
    /// Wall time in seconds.
    pub seconds: f64,
    /// The end of what the plugin wrote to stderr and stdout.
    pub stderr: String,
    /// Seed of the rule.
    pub seed: u64,
}

impl Attempt {
    /// Not tried yet.
    pub fn new(task: &Task) -> Self {
        Self {
            rule: task.rule.clone(),
            component: task.component.clone(),
            status: Status::Skipped,
            message: String::new(),
            seconds: 0.0,
            stderr: String::new(),
            seed: task.seed,
        }
    }

    /// Sets how it ended.
    pub fn end(&mut self, (status, message): (Status, String)) {
        self.status = status;
        self.message = message;
    }
}

/// A component that was checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Checked {
    /// Its id.
    pub id: String,
    /// Its kind.
    pub kind: Kind,
    /// Whether its trainable half was checked, too.
    pub trainable: bool,
}

/// All that a check found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct CheckReport {
    /// Version of adeval.
    pub adeval_version: String,
    /// The library.
    pub library: PathBuf,
    /// Its name and version, when it could be loaded.
    pub name: Option<String>,
    /// The level that was asked for.
    pub level: Level,
    /// Seed of the whole check.
    pub seed: u64,
    /// The components.
    pub components: Vec<Checked>,
    /// Every attempt, in the order of the rules.
    pub attempts: Vec<Attempt>,
    /// Wall time in seconds.
    pub seconds: f64,
}

impl CheckReport {
    /// Whether no rule is broken.
    pub fn conforms(&self) -> bool {
        !self.attempts.iter().any(|attempt| attempt.status.is_bad())
    }

    /// Attempts that ended so.
    pub fn count(&self, status: Status) -> usize {
        self.attempts.iter().filter(|attempt| attempt.status == status).count()
    }
}
