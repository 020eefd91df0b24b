//! Policies to be evaluated: how probable each creative of a product is under them.

use super::embeddings::Embeddings;
use super::error::{Problem, Reason};
use super::layout::{Column, Layout, Shape};
use super::names::Names;
use super::read::{Row, Table};
use foldhash::fast::RandomState;
use std::collections::{BTreeMap, HashMap};

const POLICY: usize = 0;
pub(super) const PRODUCT: usize = 1;
pub(super) const CREATIVE: usize = 2;
const PROBABILITY: usize = 3;
const SCORE: usize = 4;
const PREDICTED: usize = 5;
const BALANCED: usize = 6;
const EMBEDDING: usize = 7;

pub(super) const SHAPE: Shape = Shape {
    name: "policies",
    columns: &[
        Column::optional("policy"),
        Column::required("product"),
        Column::required("creative"),
        Column::optional("probability"),
        Column::optional("score"),
        Column::optional("predicted"),
        Column::optional("balanced_weight"),
        Column::optional("embedding"),
    ],
    families: &[],
};

/// How far the probabilities of a product may be from adding up to 1.
const ROUNDING: f64 = 1e-5;

/// What a policy does with a creative.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Answer {
    /// Its chance to be shown, in [0, 1].
    pub probability: f64,
    /// A reward model's expected reward of it, and its mean over the product's creatives under the policy.
    pub predicted: Option<[f64; 2]>,
    /// An importance weight that a classifier estimated, for Balanced IPW.
    pub balanced: Option<f64>,
}

/// The policies of a file.
#[derive(Debug, Default)]
pub struct Policies {
    /// Names of policies; one empty name without a column of them.
    pub names: Names,
    /// Products of any policy.
    pub products: Names,
    /// Creatives of any product.
    pub creatives: Names,
    scored: bool,
    modelled: bool,
    balanced: bool,
    embedded: bool,
    embeddings: Embeddings,
    /// The policy that made the log.
    logging: Option<u32>,
    answers: HashMap<(u32, u32, u32), Answer, RandomState>,
    members: HashMap<(u32, u32), Vec<u32>>,
    /// By product: whether every policy lists it.
    covered: Vec<bool>,
}

impl Policies {
    /// Whether a reward model's predictions are there.
    pub fn modelled(&self) -> bool {
        self.modelled
    }

    /// Whether estimated importance weights are there.
    pub fn balanced(&self) -> bool {
        self.balanced
    }

    /// Whether creatives' embeddings are there.
    pub fn embedded(&self) -> bool {
        self.embedded
    }

    /// The policy that made the log, if it is among these; known after [`Policies::complete`].
    pub fn logging(&self) -> Option<u32> {
        self.logging
    }

    /// The importance weight of what a creative has in common with others.
    pub fn marginal(&self, policy: u32, product: u32, creative: u32) -> Option<f64> {
        self.embeddings.weight(policy, product, creative)
    }

    /// The creatives of a product that a policy lists, with their probabilities.
    pub fn listed(&self, policy: u32, product: u32) -> impl Iterator<Item = (u32, f64)> + '_ {
        let creatives = self.members.get(&(policy, product)).into_iter().flatten();
        creatives.map(move |c| (*c, self.answers[&(policy, product, *c)].probability))
    }

    /// Products that a policy lists.
    pub fn pairs(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.members.keys().copied()
    }

    /// What a policy does with a creative of a product; nothing for a creative that it does not list.
    pub fn answer(&self, policy: u32, product: u32, creative: u32) -> Option<Answer> {
        self.answers.get(&(policy, product, creative)).copied()
    }

    /// Whether every policy lists a product; known after [`Policies::complete`].
    pub fn cover(&self, product: u32) -> bool {
        self.covered.get(product as usize).copied().unwrap_or(false)
    }

    /// After the last row: scores become probabilities (the best of a product, equal ones alike; with chance `epsilon` any),
    /// probabilities are checked, predictions averaged, embeddings weighed against the policy that made the log.
    ///
    /// # Errors
    /// One sentence that names the product whose probabilities do not add up to 1, or a logging policy that is not there.
    pub fn complete(&mut self, epsilon: f64, logging: Option<&str>) -> Result<(), String> {
        let all = |product| (0..self.names.len() as u32).all(|p| self.members.contains_key(&(p, product)));
        self.covered = (0..self.products.len() as u32).map(all).collect();
        let mut all: Vec<_> = self.members.iter().collect();
        all.sort_unstable_by_key(|(key, _)| **key);
        for (&(policy, product), creatives) in all {
            let key = |creative: &u32| (policy, product, *creative);
            if self.scored {
                let score = |c: &u32| self.answers[&key(c)].probability;
                let best = creatives.iter().map(score).fold(f64::NEG_INFINITY, f64::max);
                let winners = creatives.iter().filter(|c| score(c) == best).count() as f64;
                let shares: Vec<f64> =
                    creatives.iter().map(|c| f64::from(u8::from(score(c) == best)) / winners).collect();
                for (creative, share) in creatives.iter().zip(shares) {
                    let probability = (1.0 - epsilon) * share + epsilon / creatives.len() as f64;
                    self.answers.entry(key(creative)).and_modify(|a| a.probability = probability);
                }
            }
            let sum: f64 = creatives.iter().map(|c| self.answers[&key(c)].probability).sum();
            if (sum - 1.0).abs() > ROUNDING {
                let of = match self.names.name(policy) {
                    "" => String::new(),
                    name => format!(" of policy {name:?}"),
                };
                let product = self.products.name(product);
                return Err(format!(
                    "the probabilities{of} for product {product:?} add up to {sum}; list all of its creatives, adding up to 1"
                ));
            }
            let weighted = |c: &u32| {
                let answer = self.answers[&key(c)];
                answer.predicted.map_or(0.0, |q| q[0] * answer.probability)
            };
            let mean = creatives.iter().map(weighted).sum::<f64>() / sum;
            for creative in creatives {
                self.answers
                    .entry(key(creative))
                    .and_modify(|a| a.predicted = a.predicted.map(|q| [q[0], mean]));
            }
        }
        match logging {
            Some(name) => self.weigh(name),
            None => Ok(()),
        }
    }

    /// Weighs embeddings by the policy that made the log.
    fn weigh(&mut self, logging: &str) -> Result<(), String> {
        let Some(number) = self.names.find(logging) else {
            let known: Vec<_> = (0..self.names.len() as u32).map(|n| self.names.name(n)).collect();
            return Err(format!(
                "there is no policy {logging:?} of which --logging speaks; there are {}",
                known.join(", ")
            ));
        };
        self.logging = Some(number);
        if !self.embedded {
            return Ok(());
        }
        for (policy, product) in self.pairs().collect::<Vec<_>>() {
            let mut both: BTreeMap<u32, [f64; 2]> = BTreeMap::new();
            for (k, of) in [number, policy].into_iter().enumerate() {
                self.listed(of, product).for_each(|(creative, p)| both.entry(creative).or_default()[k] = p);
            }
            let both: Vec<_> = both.into_iter().collect();
            self.embeddings.weigh(policy, product, &both).map_err(|e| e.to_string())?;
        }
        Ok(())
    }

    /// Products for which some policy has one creative only.
    pub fn without_choice(&self) -> usize {
        let mut single: Vec<u32> =
            self.members.iter().filter(|(_, c)| c.len() == 1).map(|(k, _)| k.1).collect();
        single.sort_unstable();
        single.dedup();
        single.len()
    }
}

impl Table for Policies {
    fn shape(&self) -> &'static Shape {
        &SHAPE
    }

    fn begin(&mut self, layout: &Layout) -> Result<(), String> {
        self.scored = layout.has(SCORE);
        self.modelled = layout.has(PREDICTED);
        self.balanced = layout.has(BALANCED);
        self.embedded = layout.has(EMBEDDING);
        match (layout.has(PROBABILITY), self.scored) {
            (true, true) => Err("there are both \"probability\" and \"score\"; which one is the policy? Take the other out of the file".into()),
            (false, false) => Err("the policy is missing; give column \"probability\", or \"score\" for a policy that shows the best".into()),
            _ => Ok(()),
        }
    }

    fn row(&mut self, row: &Row<'_>) -> Result<(), Problem> {
        let policy = row.optional_name(POLICY)?.unwrap_or_default();
        let (product, creative) = (row.name(PRODUCT)?, row.name(CREATIVE)?);
        let probability = if self.scored {
            row.number(SCORE)?
        } else {
            let missing = || {
                row.at(
                    PROBABILITY,
                    Problem::new(
                        Reason::Missing,
                        "there is no value; write 0 for a creative that is never shown",
                    ),
                )
            };
            row.optional_probability(PROBABILITY)?.ok_or_else(missing)?
        };
        let predicted = if self.modelled { Some([row.number(PREDICTED)?; 2]) } else { None };
        let balanced = if self.balanced { Some(weight(row)?) } else { None };
        let embedding = if self.embedded { Some(row.name(EMBEDDING)?) } else { None };
        let key =
            (self.names.number(&policy), self.products.number(&product), self.creatives.number(&creative));
        if self.answers.contains_key(&key) {
            let message =
                format!("creative {creative:?} of product {product:?} was there before; keep one row");
            return Err(row.at(CREATIVE, Problem::new(Reason::Duplicate, message)));
        }
        if let Some(embedding) = embedding
            && let Some(other) = self.embeddings.note(key.1, key.2, &embedding)
        {
            let message = format!(
                "creative {creative:?} of product {product:?} had embedding {other:?} before; it has one, whatever the policy"
            );
            return Err(row.at(EMBEDDING, Problem::new(Reason::Contradiction, message)));
        }
        self.answers.insert(key, Answer { probability, predicted, balanced });
        self.members.entry((key.0, key.1)).or_default().push(key.2);
        Ok(())
    }
}

/// An importance weight, which is never below 0.
fn weight(row: &Row<'_>) -> Result<f64, Problem> {
    match row.number(BALANCED)? {
        weight if weight >= 0.0 => Ok(weight),
        weight => {
            let message = format!("{weight} is no importance weight; it must be 0 or more");
            Err(row.at(BALANCED, Problem::new(Reason::OutOfRange, message)))
        }
    }
}
