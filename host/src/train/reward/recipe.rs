//! What a training of reward models is of: a TOML file.

use super::pairs::{LabelRule, PairRule};
use crate::bench::BenchError;
use crate::suite::{Component, ProductSource, Suite};
use crate::train::TrainError;
use crate::train::recipe_file::{self, plain_name};
use crate::train::supervised::Training;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// Creatives with their clicks. Relative paths start at the recipe's folder.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Data {
    /// A folder that `adeval market` made, in place of `totals` and `images`: its totals, its pictures, and, after all models are
    /// trained, its **synthetic** truth.
    pub market: Option<PathBuf>,
    /// Creative totals (`product`, `creative`, `impressions`, `clicks`; `docs/logs.md`): CSV, TSV, JSON lines or Parquet.
    pub totals: Option<PathBuf>,
    /// The folder of the creatives' pictures: files of their names, with or without the ending of a picture.
    pub images: Option<PathBuf>,
}

/// How products are divided. A product is in one part with all its pairs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Split {
    /// Share that decides when to stop, and that probabilities are calibrated on.
    pub validation: f64,
    /// Share that is looked at once, at the end.
    pub test: f64,
}

impl Default for Split {
    fn default() -> Self {
        Self { validation: 0.15, test: 0.25 }
    }
}

/// A reward model that is trained, or only tested.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Unique id; its folder is named after it.
    pub id: String,
    /// Id of the component.
    pub plugin: String,
    /// Its parameters.
    #[serde(default)]
    pub parameters: serde_json::Map<String, serde_json::Value>,
    /// `cpu`, `cuda:N` or `metal`.
    #[serde(default = "cpu")]
    pub device: String,
    /// A weight file or directory to begin with, in place of the component's own.
    #[serde(default)]
    pub weights: Option<PathBuf>,
    /// How it is trained, in place of the recipe's `training`; with `epochs = 0` it is calibrated and tested only.
    #[serde(default)]
    pub training: Option<Training>,
}

fn cpu() -> String {
    "cpu".into()
}

/// A training of reward models by clicks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Name of the training; its directory is named after it.
    pub name: String,
    /// Seed of all randomness.
    #[serde(default)]
    pub seed: u64,
    /// What is advertised: titles, categories and pictures of the products in the totals. A market's are known.
    #[serde(default)]
    pub products: ProductSource,
    /// Creatives and clicks.
    #[serde(default)]
    pub data: Data,
    /// How products are divided.
    #[serde(default)]
    pub split: Split,
    /// Which pairs of a product's creatives are used.
    #[serde(default)]
    pub pairs: PairRule,
    /// Which of them are trained on, where it is another rule.
    #[serde(default)]
    pub training_pairs: Option<PairRule>,
    /// What a pair's label is.
    #[serde(default)]
    pub labels: LabelRule,
    /// Give CTRs to the models' point losses.
    #[serde(default = "yes")]
    pub point_loss: bool,
    /// Train on both orders of a pair; otherwise one is drawn, as in the paper.
    #[serde(default = "yes")]
    pub both_orders: bool,
    /// How models are trained.
    #[serde(default)]
    pub training: Training,
    /// The models.
    #[serde(rename = "model")]
    pub models: Vec<Model>,
    /// Where it was read from; relative paths start at its folder.
    #[serde(skip)]
    pub file: PathBuf,
}

const fn yes() -> bool {
    true
}

impl Recipe {
    /// Reads a recipe, sets `changes` (a dotted key and a TOML value, or else text), takes the models of `ids`
    /// in place of all (an id that the recipe does not have is a component's) and checks the whole.
    ///
    /// # Errors
    /// [`TrainError::Recipe`], naming the file and the key.
    pub fn load(file: &Path, changes: &[(String, String)], ids: &[String]) -> Result<Self, TrainError> {
        let mut recipe: Self = recipe_file::read(file, changes)?;
        recipe.file = std::path::absolute(file).map_err(BenchError::read(file))?;
        recipe.choose(ids);
        recipe.check().map_err(|message| TrainError::Recipe(format!("{}: {message}", file.display())))?;
        Ok(recipe)
    }

    /// Takes the models of these ids in place of all, in their order. An id that the recipe does not have is a component's, with its own
    /// parameters and the recipe's training.
    fn choose(&mut self, ids: &[String]) {
        if ids.is_empty() {
            return;
        }
        let known = std::mem::take(&mut self.models);
        let of = |id: &String| {
            known.iter().find(|model| model.id == *id).cloned().unwrap_or_else(|| Model::of(id))
        };
        self.models = ids.iter().map(of).collect();
    }

    /// How a model is trained.
    pub fn training_of<'a>(&'a self, model: &'a Model) -> &'a Training {
        model.training.as_ref().unwrap_or(&self.training)
    }

    fn check(&self) -> Result<(), String> {
        plain_name("name", &self.name)?;
        let Split { validation, test } = self.split;
        if !(validation > 0.0 && test > 0.0 && validation + test < 1.0) {
            return Err(format!(
                "split.validation is {validation} and split.test {test}: both must be above 0, and below 1 together"
            ));
        }
        self.pairs.check("pairs")?;
        self.training_pairs.as_ref().map_or(Ok(()), |rule| rule.check("training_pairs"))?;
        if self.models.is_empty() {
            return Err("there is no [[model]]: name one reward model at least".into());
        }
        let mut seen = HashSet::new();
        for model in &self.models {
            plain_name("model.id", &model.id)?;
            if !seen.insert(&model.id) {
                return Err(format!("two models have the id \"{}\"", model.id));
            }
            self.training_of(model).check()?;
        }
        Ok(())
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

impl Model {
    /// A component as it is.
    fn of(id: &str) -> Self {
        let parameters = serde_json::Map::new();
        Self { id: id.into(), plugin: id.into(), parameters, device: cpu(), weights: None, training: None }
    }

    /// Its component.
    pub fn component(&self) -> Component {
        Component {
            plugin: self.plugin.clone(),
            parameters: self.parameters.clone(),
            device: self.device.clone(),
            weights: self.weights.clone(),
        }
    }
}
