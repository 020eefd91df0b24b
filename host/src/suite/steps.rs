//! Components in a suite: entries with their two steps, judges, the embedder.
//!
//! The four keys of a component stand in each table, not in one of their own, because that is how people write them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A plugin's component with its parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Component {
    /// Id of the component, as `adeval plugin list` shows it.
    pub plugin: String,
    /// Its parameters; `adeval plugin inspect` shows their schema. The component's defaults fill the rest.
    #[serde(default = "no_parameters")]
    pub parameters: serde_json::Map<String, serde_json::Value>,
    /// `cpu`, `cuda:N` or `metal`.
    #[serde(default = "cpu")]
    pub device: String,
    /// A weight file or directory in place of the default one; relative to the suite's file.
    #[serde(default)]
    pub weights: Option<PathBuf>,
}

/// A competitor: a prompt generator and a background generator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Unique id.
    pub id: String,
    /// What it is, in a few words.
    #[serde(default)]
    pub description: String,
    /// Product to prompt.
    pub prompt: PromptStep,
    /// Product and prompt to creative.
    pub background: BackgroundStep,
}

/// The prompt generator of an entry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PromptStep {
    /// Id of the component.
    pub plugin: String,
    /// Its parameters.
    #[serde(default = "no_parameters")]
    pub parameters: serde_json::Map<String, serde_json::Value>,
    /// `cpu`, `cuda:N` or `metal`.
    #[serde(default = "cpu")]
    pub device: String,
    /// A weight file or directory in place of the default one.
    #[serde(default)]
    pub weights: Option<PathBuf>,
    /// Sampling temperature, above 0.
    #[serde(default = "unit")]
    pub temperature: f64,
    /// Nucleus: the share of probability kept, (0, 1].
    #[serde(default = "unit")]
    pub top_p: f64,
    /// The most new tokens a prompt.
    #[serde(default = "default_tokens")]
    pub max_tokens: u32,
}

/// The background generator of an entry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BackgroundStep {
    /// Id of the component.
    pub plugin: String,
    /// Its parameters.
    #[serde(default = "no_parameters")]
    pub parameters: serde_json::Map<String, serde_json::Value>,
    /// `cpu`, `cuda:N` or `metal`.
    #[serde(default = "cpu")]
    pub device: String,
    /// A weight file or directory in place of the default one.
    #[serde(default)]
    pub weights: Option<PathBuf>,
    /// What the background should not show.
    #[serde(default)]
    pub negative_prompt: String,
    /// Denoising steps; the generator's default when absent.
    #[serde(default)]
    pub steps: Option<u32>,
    /// Classifier-free guidance scale.
    #[serde(default)]
    pub guidance: Option<f64>,
    /// ControlNet conditioning scale.
    #[serde(default)]
    pub control_strength: Option<f64>,
}

/// A reward model that judges the entries' creatives.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Judge {
    /// Unique id.
    pub id: String,
    /// Id of the component.
    pub plugin: String,
    /// Its parameters.
    #[serde(default = "no_parameters")]
    pub parameters: serde_json::Map<String, serde_json::Value>,
    /// `cpu`, `cuda:N` or `metal`.
    #[serde(default = "cpu")]
    pub device: String,
    /// A weight file or directory in place of the default one.
    #[serde(default)]
    pub weights: Option<PathBuf>,
}

fn unit() -> f64 {
    1.0
}
fn default_tokens() -> u32 {
    512
}
fn cpu() -> String {
    "cpu".into()
}
fn no_parameters() -> serde_json::Map<String, serde_json::Value> {
    serde_json::Map::new()
}

macro_rules! as_component {
    ($($step:ty),*) => {$(
        impl $step {
            /// The component alone, without the step's own settings.
            pub fn component(&self) -> Component {
                Component {
                    plugin: self.plugin.clone(),
                    parameters: self.parameters.clone(),
                    device: self.device.clone(),
                    weights: self.weights.clone(),
                }
            }
        }
    )*};
}
as_component!(PromptStep, BackgroundStep, Judge);

impl PromptStep {
    /// A component with these parameters, and the defaults of a suite for the rest.
    pub fn new(plugin: &str, parameters: serde_json::Map<String, serde_json::Value>) -> Self {
        Self {
            plugin: plugin.into(),
            parameters,
            device: cpu(),
            weights: None,
            temperature: unit(),
            top_p: unit(),
            max_tokens: default_tokens(),
        }
    }
}

impl BackgroundStep {
    /// A component with these parameters, and the defaults of a suite for the rest.
    pub fn new(plugin: &str, parameters: serde_json::Map<String, serde_json::Value>) -> Self {
        Self {
            plugin: plugin.into(),
            parameters,
            device: cpu(),
            weights: None,
            negative_prompt: String::new(),
            steps: None,
            guidance: None,
            control_strength: None,
        }
    }
}
