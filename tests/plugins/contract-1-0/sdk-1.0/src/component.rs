//! What every component is: something with an id, typed parameters and a constructor.

use crate::{CallContext, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::path::PathBuf;

/// The five kinds of components.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Product -> prompts.
    PromptGenerator,
    /// Product and prompt -> creative.
    BackgroundGenerator,
    /// Two creatives -> which one users prefer; one creative -> its CTR.
    RewardModel,
    /// Rewards and log-probabilities -> loss and gradient.
    RlOptimizer,
    /// Images -> feature vectors.
    ImageEmbedder,
}

impl Kind {
    /// All kinds, in the order of the pipeline.
    pub const ALL: [Self; 5] = [
        Self::PromptGenerator,
        Self::BackgroundGenerator,
        Self::RewardModel,
        Self::RlOptimizer,
        Self::ImageEmbedder,
    ];

    /// The kind's name in files and on the command line, e.g. `prompt-generator`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PromptGenerator => "prompt-generator",
            Self::BackgroundGenerator => "background-generator",
            Self::RewardModel => "reward-model",
            Self::RlOptimizer => "rl-optimizer",
            Self::ImageEmbedder => "image-embedder",
        }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// How exactly a component repeats itself for the same request.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Determinism {
    /// The same bytes for the same request on one machine.
    Bitwise,
    /// The same within this relative tolerance.
    Tolerance(f64),
    /// No promise; the host warns in every board that uses it.
    None,
}

/// What a component says of itself. Start from [`ComponentInfo::new`] and set what differs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ComponentInfo {
    /// Unique within its library, kebab-case.
    pub id: String,
    /// One sentence.
    pub summary: String,
    /// SPDX expression of the component and of the weights that it carries.
    pub license: String,
    /// Device families it can use: `cpu`, `cuda`, `metal`.
    pub devices: Vec<String>,
    /// How exactly it repeats itself.
    pub determinism: Determinism,
    /// Where its default weights come from, for people (a hub name, a file inside the library).
    #[serde(default)]
    pub weights: Option<String>,
}

impl ComponentInfo {
    /// A bitwise deterministic CPU component under the project's licence.
    pub fn new(id: impl Into<String>, summary: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            summary: summary.into(),
            license: "MIT OR Apache-2.0".into(),
            devices: vec!["cpu".into()],
            determinism: Determinism::Bitwise,
            weights: None,
        }
    }

    /// Sets the SPDX expression.
    #[must_use]
    pub fn license(mut self, license: impl Into<String>) -> Self {
        self.license = license.into();
        self
    }

    /// Sets the determinism.
    #[must_use]
    pub fn determinism(mut self, determinism: Determinism) -> Self {
        self.determinism = determinism;
        self
    }

    /// Says where the default weights come from.
    #[must_use]
    pub fn weights(mut self, weights: impl Into<String>) -> Self {
        self.weights = Some(weights.into());
        self
    }
}

/// What the host gives to a component at its birth besides its parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Environment {
    /// `cpu`, `cuda:N` or `metal`.
    pub device: String,
    /// Weights that take the place of the default ones: a file or a directory.
    #[serde(default)]
    pub weights: Option<PathBuf>,
}

impl Default for Environment {
    fn default() -> Self {
        Self { device: "cpu".into(), weights: None }
    }
}

/// Something that a library exports. Implement this and one of the five traits.
///
/// `Parameters` is an ordinary struct; give it `#[serde(default, deny_unknown_fields)]`, doc comments and
/// `#[schemars(range(..))]`: its JSON schema is what the host validates against before it creates the component,
/// and what `adeval plugin inspect` shows.
pub trait Component: Sized + Send + Sync + 'static {
    /// The parameters; use `()`-like empty structs when there are none.
    type Parameters: DeserializeOwned + Serialize + JsonSchema + Default;

    /// What the component says of itself; must not load anything.
    fn info() -> ComponentInfo;

    /// Makes an instance, loading what it needs.
    ///
    /// # Errors
    /// `InvalidParameters`, `MissingWeights`, `BadWeights`, `DeviceUnavailable`, ...
    fn create(parameters: Self::Parameters, environment: &Environment) -> Result<Self>;

    /// [`Component::create`] with a host that can cancel it and shows its progress; this is what hosts call. Override it
    /// when loading takes more than a second or two.
    ///
    /// # Errors
    /// As [`Component::create`], and `Cancelled`.
    fn create_watched(
        parameters: Self::Parameters,
        environment: &Environment,
        cx: &CallContext<'_>,
    ) -> Result<Self> {
        cx.check()?;
        Self::create(parameters, environment)
    }
}
