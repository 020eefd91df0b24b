//! What a training is of: a TOML file, like a suite.

use super::truth::MarketLook;
use crate::bench::BenchError;
use crate::suite::{BackgroundStep, Component, Entry, ProductSource, PromptStep, Suite};
use crate::train::{TrainError, recipe_file};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// How the rewards of a product's samples come from the judge.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RewardRule {
    /// The mean probability of being preferred over each other sample, each pair asked in both orders.
    #[default]
    Compare,
    /// The predicted CTR.
    Score,
}

/// How the policy is trained on an epoch's preferences.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Training {
    /// Peak learning rate of `AdamW`; the default is the paper's, for LoRA adapters of a 7B model.
    pub learning_rate: f64,
    /// Share of an epoch's steps in which the rate rises; then it falls as a cosine. [0, 1).
    pub warm_up: f64,
    /// Products a step.
    #[schemars(range(min = 1))]
    pub batch: usize,
    /// Times that an epoch's preferences are gone through.
    #[schemars(range(min = 1))]
    pub passes: u32,
    /// Gradients are scaled down to this norm; never when absent.
    pub max_grad_norm: Option<f64>,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Steps between checkpoints within an epoch; an epoch always ends with one.
    #[schemars(range(min = 1))]
    pub checkpoint_every: u64,
    /// Answers in one call of the prompt generator: fewer take less memory.
    #[schemars(range(min = 1))]
    pub answers_per_call: usize,
    /// Close each component when its part of an epoch is done, so that only one is in memory.
    pub one_in_memory: bool,
}

impl Default for Training {
    fn default() -> Self {
        Self {
            learning_rate: 2e-5,
            warm_up: 0.0,
            batch: 1,
            passes: 1,
            max_grad_norm: Some(1.0),
            weight_decay: 0.0,
            checkpoint_every: 100,
            answers_per_call: 64,
            one_in_memory: false,
        }
    }
}

/// A training of a prompt generator by rewards.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Name of the training; its directory is named after it.
    pub name: String,
    /// Seed of all randomness.
    #[serde(default)]
    pub seed: u64,
    /// Width and height of the creatives in pixels, 1 to 8192.
    #[serde(default = "default_size")]
    pub size: [u32; 2],
    /// What is advertised.
    pub products: ProductSource,
    /// Share of the products that is never trained on, [0, 1): the numbers of a policy are of these.
    #[serde(default = "default_held_out")]
    pub held_out: f64,
    /// Outer epochs: sample, render, judge, train.
    #[serde(default = "default_epochs")]
    #[schemars(range(min = 1))]
    pub epochs: u32,
    /// Samples a product; what the optimizer needs when absent.
    #[serde(default)]
    pub samples: Option<u32>,
    /// Training products in an epoch, a window that slides over them; all of them when absent.
    #[serde(default)]
    pub products_per_epoch: Option<usize>,
    /// How rewards come from the judge.
    #[serde(default)]
    pub reward: RewardRule,
    /// The prompt generator that is trained.
    pub prompt: PromptStep,
    /// Product and prompt to creative.
    pub background: BackgroundStep,
    /// The reward model.
    pub judge: Component,
    /// The loss.
    pub optimizer: Component,
    /// How the policy is trained.
    #[serde(default)]
    pub training: Training,
    /// A **synthetic** market whose truth held-out creatives are reported with.
    #[serde(default)]
    pub market: Option<MarketLook>,
    /// Where it was read from; relative paths start at its folder.
    #[serde(skip)]
    pub file: PathBuf,
}

fn default_size() -> [u32; 2] {
    [512, 512]
}
fn default_held_out() -> f64 {
    0.2
}
fn default_epochs() -> u32 {
    5
}

impl Recipe {
    /// Reads a recipe, sets `changes` (a dotted key and a TOML value, or else text) and checks the whole.
    ///
    /// # Errors
    /// [`TrainError::Recipe`], naming the file and the key.
    pub fn load(file: &Path, changes: &[(String, String)]) -> Result<Self, TrainError> {
        let mut recipe: Self = recipe_file::read(file, changes)?;
        recipe.file = std::path::absolute(file).map_err(BenchError::read(file))?;
        recipe.check().map_err(|message| TrainError::Recipe(format!("{}: {message}", file.display())))?;
        Ok(recipe)
    }

    fn check(&self) -> Result<(), String> {
        let t = &self.training;
        let positive = |name: &str, value: f64| match value > 0.0 && value.is_finite() {
            true => Ok(()),
            false => Err(format!("{name} is {value}, it must be above 0 and finite")),
        };
        let share = |name: &str, value: f64| match (0.0..1.0).contains(&value) {
            true => Ok(()),
            false => Err(format!("{name} is {value}, it must be at least 0 and below 1")),
        };
        share("held_out", self.held_out)?;
        share("training.warm_up", t.warm_up)?;
        positive("training.learning_rate", t.learning_rate)?;
        positive("training.max_grad_norm", t.max_grad_norm.unwrap_or(1.0))?;
        let least = [
            ("epochs", self.epochs as usize),
            ("samples", self.samples.unwrap_or(1) as usize),
            ("products_per_epoch", self.products_per_epoch.unwrap_or(1)),
            ("training.batch", t.batch),
            ("training.passes", t.passes as usize),
            ("training.checkpoint_every", t.checkpoint_every as usize),
            ("training.answers_per_call", t.answers_per_call),
        ];
        if let Some((name, _)) = least.iter().find(|(_, value)| *value == 0) {
            return Err(format!("{name} is 0, it must be at least 1"));
        }
        if !(t.weight_decay >= 0.0 && t.weight_decay.is_finite()) {
            return Err(format!("training.weight_decay is {}, it must be at least 0", t.weight_decay));
        }
        // Sizes, temperatures and the like have the rules of a suite.
        self.as_suite().check()
    }

    /// A suite of the same products and generators, whose rules and requests are a bench's.
    pub fn as_suite(&self) -> Suite {
        let entry = Entry {
            id: "policy".into(),
            description: String::new(),
            prompt: self.prompt.clone(),
            background: self.background.clone(),
        };
        let mut suite = Suite::of_entries(&self.name, &self.products.path, vec![entry]);
        suite.size = self.size;
        suite.seed = self.seed;
        suite.file.clone_from(&self.file);
        suite
    }

    /// Its JSON schema.
    pub fn schema() -> serde_json::Value {
        schemars::schema_for!(Self).to_value()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHIPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/recipes/rl.toml");

    fn with(key: &str, value: &str) -> Result<Recipe, String> {
        Recipe::load(Path::new(SHIPPED), &[(key.into(), value.into())]).map_err(|e| e.to_string())
    }

    #[test]
    fn keys_are_set_as_toml_or_as_text() {
        let recipe = with("optimizer.parameters.beta", "0.25").unwrap();
        assert_eq!(recipe.optimizer.parameters["beta"], 0.25);
        assert_eq!(
            with("background.plugin", "photo-background").unwrap().background.plugin,
            "photo-background"
        );
        assert_eq!(with("reward", "score").unwrap().reward, RewardRule::Score);
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        for (key, value) in [
            ("held_out", "1.0"),
            ("epochs", "0"),
            ("training.learning_rate", "-1"),
            ("training.batch", "0"),
            ("prompt.temperature", "0"),
            ("training.momentum", "0.9"),
        ] {
            let error = with(key, value).unwrap_err();
            let last = key.rsplit('.').next().unwrap();
            assert!(error.contains(last) && error.contains("rl.toml"), "{key}: {error}");
        }
    }
}
