//! A plan from what runs wrote of themselves, without a plugin or a picture.

use super::{Cast, Plan, PlannedComponent, PlannedProduct};
use crate::bench::{BenchError, Shard};
use crate::products::BadProduct;
use crate::store::RunManifest;
use crate::suite::Suite;
use std::path::PathBuf;

impl<'a> Plan<'a> {
    /// The plan of one shard.
    pub fn of_shard(suite: &'a Suite, manifest: &RunManifest) -> Result<Self, BenchError> {
        Self::recorded(suite, &[manifest], manifest.shard)
    }

    /// The plan of the whole suite, from those of all its shards in their order.
    pub fn of_shards(suite: &'a Suite, manifests: &[&RunManifest]) -> Result<Self, BenchError> {
        Self::recorded(suite, manifests, None)
    }

    fn recorded(
        suite: &'a Suite,
        manifests: &[&RunManifest],
        shard: Option<Shard>,
    ) -> Result<Self, BenchError> {
        let first = manifests[0];
        let cast = Cast::new(suite, |kind, user, used| match first.components.get(&user) {
            Some(usage) => Ok(PlannedComponent::recorded(suite, kind, user, used, usage.clone())),
            None => Err(contradiction(suite, &user)),
        })?;
        let mut plan = Self {
            suite,
            limit: first.limit,
            shard,
            products: Vec::new(),
            bad: Vec::new(),
            order: Vec::new(),
            list: first.product_list.clone(),
            cut_out: manifests.iter().map(|manifest| manifest.cut_out).sum(),
            cast,
            references: first.references.iter().map(|hash| (PathBuf::new(), hash.clone())).collect(),
        };
        // Products were dealt out one by one.
        for round in 0.. {
            let dealt = manifests.iter().filter_map(|m| Some((*m, m.product_order.get(round)?)));
            let before = plan.order.len();
            dealt
                .collect::<Vec<_>>()
                .into_iter()
                .try_for_each(|(manifest, id)| plan.add_product(manifest, id))?;
            if plan.order.len() == before {
                break;
            }
        }
        Ok(plan)
    }

    fn add_product(&mut self, manifest: &RunManifest, id: &str) -> Result<(), BenchError> {
        let id = id.to_owned();
        self.order.push(id.clone());
        if let Some(hash) = manifest.products.get(&id) {
            self.products.push(PlannedProduct { id, hash: hash.clone(), product: None });
        } else if let Some(message) = manifest.unusable_products.get(&id) {
            self.bad.push(BadProduct { id, message: message.clone() });
        } else {
            return Err(contradiction(self.suite, &format!("product \"{id}\"")));
        }
        Ok(())
    }
}

/// A run's description lacks what its own suite names.
fn contradiction(suite: &Suite, what: &str) -> BenchError {
    BenchError::Incomplete(format!(
        "a run.json of the suite \"{}\" says nothing of {what}; resume that run, which writes it anew",
        suite.name
    ))
}
