//! What a recipe amounts to: components identified, products read and split, and what another call must agree with.

use super::recipe::Recipe;
use crate::bench::{PlannedComponent, Services, product_hash};
use crate::products;
use crate::suite::{Component, Suite};
use crate::train::{TrainError, binding, split};
use adeval_sdk::{Kind, Product, rng};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// A recipe, ready to be followed.
pub struct Plan<'a> {
    pub recipe: &'a Recipe,
    /// The same as a suite, for the requests.
    pub suite: Suite,
    pub prompt: PlannedComponent,
    pub background: PlannedComponent,
    pub judge: PlannedComponent,
    pub optimizer: PlannedComponent,
    /// Products that are trained on, with their hashes.
    pub training: Vec<Item>,
    /// Products that are only looked at.
    pub held_out: Vec<Item>,
    /// Products that cannot be used.
    pub unusable: usize,
}

/// A product and the hash of its data and pixels.
pub struct Item {
    pub product: Product,
    pub hash: String,
}

impl<'a> Plan<'a> {
    pub fn new(recipe: &'a Recipe, services: &Services<'_>) -> Result<Self, TrainError> {
        let suite = recipe.as_suite();
        let planned = |kind, user: &str, component: &Component| {
            PlannedComponent::new(&suite, kind, user.into(), component, services)
        };
        let prompt = planned(Kind::PromptGenerator, "prompt generator", &recipe.prompt.component())?;
        let background =
            planned(Kind::BackgroundGenerator, "background generator", &recipe.background.component())?;
        let judge = planned(Kind::RewardModel, "judge", &recipe.judge)?;
        let optimizer = planned(Kind::RlOptimizer, "optimizer", &recipe.optimizer)?;
        let source = suite.resolve(&recipe.products.path);
        let read = products::load(&source, recipe.products.limit, services.matting)?;
        read.warnings.iter().for_each(|warning| services.progress.warn(warning));
        read.bad.iter().for_each(|bad| services.progress.warn(&bad.message));
        let item = |product: Product| Item { hash: product_hash(&product), product };
        let (held_out, training) = split(read.good, recipe);
        if training.len() < 2 {
            return Err(TrainError::Recipe(format!(
                "{}: {} products are left to train on; two are needed at least, so add products or lower held_out",
                source.display(),
                training.len()
            )));
        }
        Ok(Self {
            recipe,
            prompt,
            background,
            judge,
            optimizer,
            training: training.into_iter().map(item).collect(),
            held_out: held_out.into_iter().map(item).collect(),
            unusable: read.bad.len(),
            suite,
        })
    }

    /// The training products of an epoch: a window that slides over all of them, in an order by seed.
    pub fn window(&self, epoch: u32) -> Vec<usize> {
        let count = self.training.len();
        let size = self.recipe.products_per_epoch.unwrap_or(count).min(count);
        let order = crate::train::schedule::shuffled(count, rng::derive(self.recipe.seed, &["window"]));
        let start = (epoch as usize - 1) * size;
        (start..start + size).map(|at| order[at % count]).collect()
    }

    /// Writes what the training is of into its directory, or compares it with what stands there. More epochs than there were
    /// are no difference: the training goes on. Another seed splits the products in another way: that is no difference of
    /// its own.
    pub fn bind(&self, dir: &Path) -> Result<(), TrainError> {
        binding::bind(dir, &self.description(), &[&["recipe", "components"], &["products"]])
    }

    fn description(&self) -> Value {
        let mut recipe = serde_json::to_value(self.recipe).unwrap_or_default();
        recipe.as_object_mut().map(|keys| keys.remove("epochs"));
        let components = [&self.prompt, &self.background, &self.judge, &self.optimizer];
        let components: BTreeMap<&str, _> = components.iter().map(|c| (c.user.as_str(), &c.usage)).collect();
        let hashes = |items: &[Item]| -> BTreeMap<String, String> {
            items.iter().map(|item| (item.product.id.clone(), item.hash.clone())).collect()
        };
        json!({
            "recipe": recipe,
            "components": components,
            "products": { "training": hashes(&self.training), "held_out": hashes(&self.held_out) },
        })
    }
}

/// Held-out products first. Both keep the list's order.
fn split(products: Vec<Product>, recipe: &Recipe) -> (Vec<Product>, Vec<Product>) {
    let ids: Vec<&str> = products.iter().map(|product| product.id.as_str()).collect();
    let parts = split::parts(&ids, &[recipe.held_out], recipe.seed, "held-out");
    let (held_out, training): (Vec<_>, Vec<_>) =
        products.into_iter().zip(parts).partition(|(_, part)| *part == 0);
    let plain = |all: Vec<(Product, usize)>| all.into_iter().map(|(product, _)| product).collect();
    (plain(held_out), plain(training))
}
