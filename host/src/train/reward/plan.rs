//! What a recipe amounts to: data read, products divided, pairs labelled, models identified.

use super::data::{self, Shop};
use super::pairs::{self, Labelled, PairCounts};
use super::recipe::{Model, Recipe};
use crate::bench::{PlannedComponent, Services};
use crate::train::calls::is_trainable;
use crate::train::{TrainError, binding, split};
use adeval_sdk::Kind;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::path::Path;

/// A recipe, ready to be followed.
pub struct Plan<'a> {
    pub recipe: &'a Recipe,
    pub shop: Shop,
    pub training: Part,
    pub validation: Part,
    pub test: Part,
    pub models: Vec<PlannedModel<'a>>,
}

/// Some products with their pairs.
pub struct Part {
    pub products: usize,
    pub pairs: Vec<Labelled>,
    pub counts: PairCounts,
}

/// What a result says of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PartCounts {
    /// Its products.
    pub products: usize,
    /// Their pairs.
    #[serde(flatten)]
    pub pairs: PairCounts,
}

impl Part {
    pub const fn counted(&self) -> PartCounts {
        PartCounts { products: self.products, pairs: self.counts }
    }
}

/// A model with its component.
pub struct PlannedModel<'a> {
    pub model: &'a Model,
    pub component: PlannedComponent,
}

/// Refuses to train what cannot learn, before anything is computed.
fn learns(
    recipe: &Recipe,
    model: &Model,
    component: &PlannedComponent,
    services: &Services<'_>,
) -> Result<(), TrainError> {
    if recipe.training_of(model).epochs == 0 || is_trainable(component, services)? {
        return Ok(());
    }
    Err(TrainError::Recipe(format!(
        "{}: {} is not trainable; give the model training = {{ epochs = 0 }} to test it as it is, beside those that learn",
        recipe.file.display(),
        model.plugin
    )))
}

impl<'a> Plan<'a> {
    pub fn new(recipe: &'a Recipe, services: &Services<'_>) -> Result<Self, TrainError> {
        let suite = recipe.as_suite();
        let planned = |model: &'a Model| {
            let user = format!("model \"{}\"", model.id);
            let component =
                PlannedComponent::new(&suite, Kind::RewardModel, user, &model.component(), services)?;
            learns(recipe, model, &component, services)?;
            Ok(PlannedModel { model, component })
        };
        let models = recipe.models.iter().map(planned).collect::<Result<Vec<_>, TrainError>>()?;
        let shop = data::read(recipe, &suite, services)?;
        let ids: Vec<&str> = shop.products.iter().map(|one| one.product.id.as_str()).collect();
        let shares = [recipe.split.test, recipe.split.validation];
        let places = split::parts(&ids, &shares, recipe.seed, "reward");
        let part = |number: usize, name: &str| {
            let chosen: Vec<usize> = (0..ids.len()).filter(|at| places[*at] == number).collect();
            let rule = recipe.training_pairs.as_ref().filter(|_| number == 2).unwrap_or(&recipe.pairs);
            let (pairs, counts) = pairs::of(&shop.products, &chosen, rule, recipe.labels, recipe.seed)?;
            if pairs.is_empty() {
                return Err(TrainError::Recipe(format!(
                    "no {name} pair is left: {} products have {} pairs of creatives, {} of them with equal CTRs, and the rule takes none of the others; loosen `pairs`, or give more products",
                    chosen.len(),
                    counts.possible,
                    counts.equal
                )));
            }
            Ok(Part { products: chosen.len(), pairs, counts })
        };
        let (test, validation, training) = (part(0, "test")?, part(1, "validation")?, part(2, "training")?);
        Ok(Self { recipe, training, validation, test, models, shop })
    }

    /// Writes what the training of a model is of into its directory, or compares it with what stands there. Other models of the
    /// recipe are no difference.
    pub fn bind(&self, planned: &PlannedModel<'_>, dir: &Path) -> Result<(), TrainError> {
        let recipe = self.recipe;
        let description = json!({
            "data": self.shop.hash,
            "recipe": {
                "seed": recipe.seed,
                "split": recipe.split,
                "pairs": recipe.pairs,
                "training_pairs": recipe.training_pairs,
                "labels": recipe.labels,
                "point_loss": recipe.point_loss,
                "both_orders": recipe.both_orders,
                "training": recipe.training_of(planned.model),
            },
            "component": planned.component.usage,
        });
        binding::bind(dir, &description, &[&["data", "recipe", "component"]])
    }
}
