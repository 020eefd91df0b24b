//! Policies to be evaluated: how probable each creative of a product is under them.

use super::error::{Problem, Reason};
use super::layout::{Column, Layout, Shape};
use super::names::Names;
use super::read::{Row, Table};
use foldhash::fast::RandomState;
use std::collections::HashMap;

const POLICY: usize = 0;
pub(super) const PRODUCT: usize = 1;
pub(super) const CREATIVE: usize = 2;
const PROBABILITY: usize = 3;
const SCORE: usize = 4;
const PREDICTED: usize = 5;

pub(super) const SHAPE: Shape = Shape {
    name: "policies",
    columns: &[
        Column::optional("policy"),
        Column::required("product"),
        Column::required("creative"),
        Column::optional("probability"),
        Column::optional("score"),
        Column::optional("predicted"),
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

    /// What a policy does with a creative of a product; nothing for a creative that it does not list.
    pub fn answer(&self, policy: u32, product: u32, creative: u32) -> Option<Answer> {
        self.answers.get(&(policy, product, creative)).copied()
    }

    /// Whether every policy lists a product; known after [`Policies::complete`].
    pub fn cover(&self, product: u32) -> bool {
        self.covered.get(product as usize).copied().unwrap_or(false)
    }

    /// After the last row: scores become probabilities (the best of a product, equal ones alike; with chance `epsilon` any),
    /// probabilities are checked, predictions averaged.
    ///
    /// # Errors
    /// One sentence that names the product whose probabilities do not add up to 1.
    pub fn complete(&mut self, epsilon: f64) -> Result<(), String> {
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
        let key =
            (self.names.number(&policy), self.products.number(&product), self.creatives.number(&creative));
        if self.answers.contains_key(&key) {
            let message =
                format!("creative {creative:?} of product {product:?} was there before; keep one row");
            return Err(row.at(CREATIVE, Problem::new(Reason::Duplicate, message)));
        }
        self.answers.insert(key, Answer { probability, predicted });
        self.members.entry((key.0, key.1)).or_default().push(key.2);
        Ok(())
    }
}
