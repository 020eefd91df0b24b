//! What creatives have in common (column `embedding`), and how probable policies make it.

use super::names::Names;
use adeval_eval::EvalError;
use adeval_eval::ope::embedding::{Embedded, marginal_weights};
use foldhash::fast::RandomState;
use std::collections::HashMap;

/// Embeddings of creatives, and their importance weights under each policy.
#[derive(Debug, Default)]
pub(super) struct Embeddings {
    names: Names,
    of: HashMap<(u32, u32), u32, RandomState>,
    /// By policy, product, embedding.
    weights: HashMap<(u32, u32, u32), f64, RandomState>,
}

impl Embeddings {
    /// Notes a creative's embedding; the one that it had before, if that was another.
    pub fn note(&mut self, product: u32, creative: u32, embedding: &str) -> Option<&str> {
        let number = self.names.number(embedding);
        let known = *self.of.entry((product, creative)).or_insert(number);
        (known != number).then(|| self.names.name(known))
    }

    /// The importance weight of what a creative has in common with others.
    pub fn weight(&self, policy: u32, product: u32, creative: u32) -> Option<f64> {
        let embedding = *self.of.get(&(product, creative))?;
        self.weights.get(&(policy, product, embedding)).copied()
    }

    /// Weighs the embeddings of a product, of whose creatives the logging and the evaluated policy's probabilities are given.
    /// An embedding that the log cannot show has no weight.
    pub fn weigh(
        &mut self,
        policy: u32,
        product: u32,
        creatives: &[(u32, [f64; 2])],
    ) -> Result<(), EvalError> {
        let of: Vec<u32> =
            creatives.iter().filter_map(|(c, _)| self.of.get(&(product, *c)).copied()).collect();
        let mut shown: Vec<u32> = of.clone();
        shown.retain(|e| of.iter().zip(creatives).any(|(other, (_, p))| other == e && p[0] > 0.0));
        shown.sort_unstable();
        shown.dedup();
        // Values from 0; those that the log cannot show are all the last.
        let value = |e: &u32| shown.binary_search(e).unwrap_or(shown.len());
        let values = shown.len() + 1;
        let one_hot = |e: &u32| {
            let at = value(e);
            (0..values).map(move |v| f64::from(u8::from(v == at)))
        };
        let given_action = [of.iter().flat_map(one_hot).collect::<Vec<f64>>()];
        let each = |k: usize| {
            let row: Vec<f64> = creatives.iter().map(|(_, p)| p[k]).collect();
            row.repeat(shown.len())
        };
        let weights = marginal_weights(Embedded {
            actions: creatives.len(),
            logging: &each(0),
            policy: &each(1),
            embedding: &(0..shown.len()).collect::<Vec<_>>(),
            given_action: &given_action,
        })?;
        for (embedding, weight) in shown.into_iter().zip(weights) {
            self.weights.insert((policy, product, embedding), weight);
        }
        Ok(())
    }
}
