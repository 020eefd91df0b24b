//! A bandit log: what was shown, with which chance, and what it earned.

use super::error::{Problem, Reason};
use super::layout::{Column, Layout, Shape};
use super::names::Names;
use super::policies::Policies;
use super::read::{Row, Table};
use adeval_eval::ope::Reduced;
use std::collections::HashSet;

const PRODUCT: usize = 0;
const CREATIVE: usize = 1;
const PROPENSITY: usize = 2;
const CLICKED: usize = 3;
const REWARD: usize = 4;
const ID: usize = 5;
const CLUSTER: usize = 6;

const SHAPE: Shape = Shape {
    name: "decisions",
    columns: &[
        Column::required("product"),
        Column::required("creative"),
        Column::required("propensity"),
        Column::optional("clicked"),
        Column::optional("reward"),
        Column::optional("id"),
        Column::optional("cluster"),
        Column::optional("position"),
        Column::optional("slate"),
        Column::optional("time"),
        Column::optional("category"),
    ],
    families: &[],
};

/// What is resampled together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Rounds with the same value of column `cluster`.
    Cluster,
    /// Rounds of one product.
    Product,
    /// Each round on its own, since the log has one product.
    Round,
}

/// The rounds of a log, for the policies of a file.
#[derive(Debug)]
pub struct Decisions<'a> {
    policies: &'a Policies,
    reward: Vec<f64>,
    propensity: Vec<f64>,
    /// Product and creative of each round; a creative that no policy lists has none.
    shown: Vec<(u32, Option<u32>)>,
    clusters: Names,
    cluster: Vec<u32>,
    ids: HashSet<Box<str>>,
    clicks: bool,
    named: bool,
    clustered: bool,
}

impl<'a> Decisions<'a> {
    /// No rounds yet.
    pub fn new(policies: &'a Policies) -> Self {
        Self {
            policies,
            reward: Vec::new(),
            propensity: Vec::new(),
            shown: Vec::new(),
            clusters: Names::default(),
            cluster: Vec::new(),
            ids: HashSet::new(),
            clicks: false,
            named: false,
            clustered: false,
        }
    }

    /// What is resampled together, and how many of it there are.
    pub fn unit(&self) -> (Unit, usize) {
        if self.clustered {
            return (Unit::Cluster, self.clusters.len());
        }
        let products: HashSet<u32> = self.shown.iter().map(|s| s.0).collect();
        if products.len() < 2 { (Unit::Round, self.reward.len()) } else { (Unit::Product, products.len()) }
    }

    /// Rounds that showed a creative which a policy does not list.
    pub fn unlisted(&self, policy: u32) -> usize {
        let listed = |&(product, creative): &(u32, Option<u32>)| {
            creative.and_then(|c| self.policies.answer(policy, product, c)).is_some()
        };
        self.shown.iter().filter(|shown| !listed(shown)).count()
    }

    /// The rounds as a policy's estimators need them. Where some creative that was shown has no prediction, the reward model
    /// is left out.
    pub fn rounds(&self, policy: u32) -> Reduced {
        let answers = self.shown.iter().map(|&(product, creative)| {
            creative.and_then(|creative| self.policies.answer(policy, product, creative))
        });
        let mut probability = Vec::with_capacity(self.shown.len());
        let mut model = (self.policies.modelled()).then(|| Vec::with_capacity(self.shown.len()));
        for answer in answers {
            probability.push(answer.map_or(0.0, |a| a.probability));
            match (answer.and_then(|a| a.predicted), &mut model) {
                (Some(predicted), Some(model)) => model.push(predicted),
                _ => model = None,
            }
        }
        let cluster = match self.unit().0 {
            Unit::Cluster => Some(self.cluster.iter().map(|c| *c as usize).collect()),
            Unit::Product => Some(self.shown.iter().map(|s| s.0 as usize).collect()),
            Unit::Round => None,
        };
        Reduced {
            reward: self.reward.clone(),
            propensity: self.propensity.clone(),
            probability,
            model,
            cluster,
        }
    }
}

impl Table for Decisions<'_> {
    fn shape(&self) -> &'static Shape {
        &SHAPE
    }

    fn begin(&mut self, layout: &Layout) -> Result<(), String> {
        (self.clicks, self.named, self.clustered) =
            (layout.has(CLICKED), layout.has(ID), layout.has(CLUSTER));
        match (self.clicks, layout.has(REWARD)) {
            (true, true) => Err(
                "there are both \"clicked\" and \"reward\"; which one counts? Pass the other with --ignore"
                    .into(),
            ),
            (false, false) => {
                Err("column \"clicked\" (0 or 1) is missing, and there is no \"reward\" (any number)".into())
            }
            _ => Ok(()),
        }
    }

    fn row(&mut self, row: &Row<'_>) -> Result<(), Problem> {
        let (product, creative) = (row.name(PRODUCT)?, row.name(CREATIVE)?);
        let propensity = propensity(row)?;
        let reward = if self.clicks { row.zero_or_one(CLICKED)? } else { row.number(REWARD)? };
        let Some(number) = self.policies.products.find(&product).filter(|p| self.policies.cover(*p)) else {
            let message = format!(
                "product {product:?} is not in the policy file (for every policy); add its creatives there"
            );
            return Err(row.at(PRODUCT, Problem::new(Reason::UnknownProduct, message)));
        };
        let cluster = if self.clustered { Some(row.name(CLUSTER)?) } else { None };
        if self.named {
            let id = row.name(ID)?;
            if !self.ids.insert(Box::from(&*id)) {
                let message = format!("id {id:?} was there before; keep one row a decision");
                return Err(row.at(ID, Problem::new(Reason::Duplicate, message)));
            }
        }
        if let Some(cluster) = cluster {
            self.cluster.push(self.clusters.number(&cluster));
        }
        self.shown.push((number, self.policies.creatives.find(&creative)));
        self.reward.push(reward);
        self.propensity.push(propensity);
        Ok(())
    }
}

fn propensity(row: &Row<'_>) -> Result<f64, Problem> {
    let refused = |what: String| {
        let message =
            format!("{what}; what was shown had a chance to be, in (0, 1]: log it, or leave the row out");
        row.at(PROPENSITY, Problem::new(Reason::Propensity, message))
    };
    match row.optional_number(PROPENSITY)? {
        None => Err(refused("there is no propensity".into())),
        Some(p) if p > 0.0 && p <= 1.0 => Ok(p),
        Some(p) => Err(refused(format!("the propensity is {p}"))),
    }
}
