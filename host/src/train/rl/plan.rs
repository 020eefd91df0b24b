//! What a recipe amounts to: components identified, products read and split, and what another call must agree with.

use super::recipe::Recipe;
use crate::bench::{PlannedComponent, Services, product_hash};
use crate::products;
use crate::suite::{Component, Suite};
use crate::train::{TrainError, checkpoint};
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
    /// are no difference: the training goes on.
    pub fn bind(&self, dir: &Path) -> Result<(), TrainError> {
        let path = dir.join("train.json");
        let text = serde_json::to_string_pretty(&self.description()).unwrap_or_default() + "\n";
        // Read back, as the other is: a number in decimals may be a neighbour of what was written.
        let now: Value = serde_json::from_str(&text).unwrap_or_default();
        let known = std::fs::read(&path).ok().and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
        if let Some(known) = known {
            let mut differences = Vec::new();
            compare("recipe", &known["recipe"], &now["recipe"], &mut differences);
            compare("components", &known["components"], &now["components"], &mut differences);
            // Another seed splits the products in another way: that is no difference of its own.
            if differences.is_empty() {
                compare("products", &known["products"], &now["products"], &mut differences);
            }
            if !differences.is_empty() {
                return Err(TrainError::Changed { dir: dir.to_owned(), differences });
            }
            return Ok(());
        }
        checkpoint::replace(&path, text.as_bytes())
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

/// Held-out products first: those whose ids come first in an order by seed, so that a product stays on its side when others are
/// added. Both keep the list's order.
fn split(products: Vec<Product>, recipe: &Recipe) -> (Vec<Product>, Vec<Product>) {
    let rank = |product: &Product| rng::derive(recipe.seed, &["held-out", &product.id]);
    let mut ranks: Vec<u64> = products.iter().map(rank).collect();
    ranks.sort_unstable();
    let count = (recipe.held_out * products.len() as f64).round() as usize;
    let bound = ranks.get(count).copied().unwrap_or(u64::MAX);
    products.into_iter().partition(|product| rank(product) < bound)
}

/// The most differences that are told.
const TOLD: usize = 8;

/// Notes where two values differ.
fn compare(key: &str, known: &Value, now: &Value, differences: &mut Vec<String>) {
    if known == now || differences.len() >= TOLD {
        return;
    }
    if let (Value::Object(a), Value::Object(b)) = (known, now) {
        let keys: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
        for name in keys {
            let inside = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
            let of = |table: &serde_json::Map<String, Value>| table.get(name).cloned().unwrap_or(Value::Null);
            compare(&inside, &of(a), &of(b), differences);
        }
        return;
    }
    let said = |value: &Value| match value {
        Value::Null => "nothing".to_owned(),
        other => other.to_string(),
    };
    differences.push(format!("{key}: {} there, {} now", said(known), said(now)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_named_by_their_keys() {
        let known = json!({ "recipe": { "seed": 1, "training": { "batch": 4 } }, "same": [1, 2] });
        let now = json!({ "recipe": { "seed": 2, "training": { "batch": 4, "passes": 2 } }, "same": [1, 2] });
        let mut found = Vec::new();
        compare("", &known, &now, &mut found);
        assert_eq!(found, ["recipe.seed: 1 there, 2 now", "recipe.training.passes: nothing there, 2 now"]);
    }
}
