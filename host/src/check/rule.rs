//! What a rule is, and what trying it may find.

use super::subject::Subject;
use adeval_sdk::{Kind, PluginError};
use serde::{Deserialize, Serialize};

/// How much is asked of a plugin; each level contains the ones before it.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Default,
    Serialize,
    Deserialize,
    clap::ValueEnum,
    schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// It loads, answers in the right shape, and fails with errors: enough to appear in a bench.
    Basic,
    /// Its results are what they seem: seeds, batches, orders, odd inputs, gradients, memory. What a board relies on.
    #[default]
    Standard,
    /// It stays so under stress: threads, fuzzing, large inputs.
    Strict,
}

/// What a rule applies to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The library, once.
    Library,
    /// Every component.
    Any,
    /// Components of one kind.
    Kind(Kind),
    /// Components that make or look at creatives.
    Pictured,
    /// Components of these kinds, whose results depend on a seed.
    Seeded,
    /// Components that are given a product.
    Advertising,
    /// Trainable components of one kind.
    Trainable(Kind),
    /// Trainable components.
    AnyTrainable,
}

impl Scope {
    /// Whether it covers a component.
    pub fn covers(self, kind: Kind, trainable: bool) -> bool {
        match self {
            Self::Library => false,
            Self::Any => true,
            Self::Kind(wanted) => kind == wanted,
            Self::Pictured => {
                matches!(kind, Kind::BackgroundGenerator | Kind::RewardModel | Kind::ImageEmbedder)
            }
            Self::Seeded => matches!(kind, Kind::PromptGenerator | Kind::BackgroundGenerator),
            Self::Advertising => !matches!(kind, Kind::RlOptimizer | Kind::ImageEmbedder),
            Self::Trainable(wanted) => trainable && kind == wanted,
            Self::AnyTrainable => trainable,
        }
    }
}

/// One thing that a plugin must do or must not do.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Name in kebab-case, stable between versions.
    pub id: &'static str,
    /// From which level on it is tried.
    pub level: Level,
    /// What it applies to.
    pub scope: Scope,
    /// What must hold, in one line.
    pub summary: &'static str,
    /// Why it matters, what is tried, and how to mend a plugin that breaks it; Markdown.
    pub page: &'static str,
    /// Tries it; in a process of its own.
    pub attempt: fn(&Subject) -> Verdict,
}

/// Passed, with a few words on what was seen, or not.
pub type Verdict = Result<String, Finding>;

/// Why a rule did not pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "status", content = "message")]
pub enum Finding {
    /// The plugin breaks it.
    Failed(String),
    /// It holds, but its author should know something.
    Warning(String),
    /// It cannot be tried here.
    Skipped(String),
}

impl From<PluginError> for Finding {
    fn from(error: PluginError) -> Self {
        Self::Failed(error.to_string())
    }
}

/// Fails the rule unless a condition holds.
macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        // Bound first, because clippy reads a negated comparison of floats as a mistake.
        let holds: bool = $condition;
        if !holds {
            return Err($crate::check::rule::Finding::Failed(format!($($message)+)));
        }
    };
}
pub(super) use ensure;
