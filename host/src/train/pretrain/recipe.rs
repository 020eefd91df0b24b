//! What a pre-training is of: a TOML file.

use crate::bench::BenchError;
use crate::suite::{Component, ProductSource, Suite};
use crate::train::TrainError;
use crate::train::recipe_file::{self, plain_name};
use crate::train::supervised::Training;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Where answers come from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Data {
    /// A folder that `adeval market` made, in place of `lessons`: what its **synthetic** designer would keep.
    pub market: Option<PathBuf>,
    /// JSON lines of `product` (an id), `question` (absent: whatever the generator asks for a background prompt) and `answer`.
    pub lessons: Option<PathBuf>,
}

/// A question about every product, with an answer from its data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// Its name, for people.
    pub name: String,
    /// Wordings, one of which is drawn for each product.
    pub questions: Vec<String>,
    /// The answer; `{title}`, `{category}` (the narrowest), `{categories}` and `{ATTRIBUTE}` are filled in. A product that lacks one is not
    /// asked about.
    pub answer: String,
}

/// A supervised training of a prompt generator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Name of the training; its directory is named after it.
    pub name: String,
    /// Seed of all randomness.
    #[serde(default)]
    pub seed: u64,
    /// What is advertised. A market's products are known.
    #[serde(default)]
    pub products: ProductSource,
    /// Background prompts that suit.
    #[serde(default)]
    pub data: Data,
    /// Share of the products that is never trained on, [0, 1). With the same seed and share they are those of `adeval train rl`.
    #[serde(default = "default_held_out")]
    pub held_out: f64,
    /// Share of the other products that decides when to stop, (0, 1).
    #[serde(default = "default_validation")]
    pub validation: f64,
    /// The prompt generator.
    pub prompt: Component,
    /// Further questions: image understanding, understanding of picture and text together.
    #[serde(rename = "task", default)]
    pub tasks: Vec<Task>,
    /// How it is trained.
    #[serde(default)]
    pub training: Training,
    /// Where it was read from; relative paths start at its folder.
    #[serde(skip)]
    pub file: PathBuf,
}

const fn default_held_out() -> f64 {
    0.2
}
const fn default_validation() -> f64 {
    0.15
}

impl Recipe {
    /// Reads a recipe, sets `changes` (a dotted key and a TOML value, or else text) and checks the whole.
    ///
    /// # Errors
    /// [`TrainError::Recipe`], naming the file and the key.
    pub fn load(file: &Path, changes: &[(String, String)]) -> Result<Self, TrainError> {
        let mut recipe: Self = recipe_file::read(file, changes)?;
        recipe.file = std::path::absolute(file).map_err(BenchError::read(file))?;
        recipe.check().map_err(|message| recipe.wrong(&message))?;
        Ok(recipe)
    }

    /// An error of the recipe.
    pub(super) fn wrong(&self, message: &str) -> TrainError {
        TrainError::Recipe(format!("{}: {message}", self.file.display()))
    }

    fn check(&self) -> Result<(), String> {
        plain_name("name", &self.name)?;
        if !(0.0..1.0).contains(&self.held_out) {
            return Err(format!("held_out is {}, it must be at least 0 and below 1", self.held_out));
        }
        if !(self.validation > 0.0 && self.validation < 1.0) {
            return Err(format!("validation is {}, it must be above 0 and below 1", self.validation));
        }
        if let Some(task) = self.tasks.iter().find(|task| task.questions.is_empty()) {
            return Err(format!("task \"{}\" has no questions", task.name));
        }
        if self.training.epochs == 0 {
            return Err("training.epochs is 0, it must be at least 1".into());
        }
        self.training.check()
    }

    /// A suite that says nothing, but where relative paths start.
    pub fn as_suite(&self) -> Suite {
        let mut suite = Suite::of_entries(&self.name, &self.products.path, Vec::new());
        suite.file.clone_from(&self.file);
        suite
    }

    /// Its JSON schema.
    pub fn schema() -> serde_json::Value {
        schemars::schema_for!(Self).to_value()
    }
}
