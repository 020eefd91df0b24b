//! A log of slates: what stood at each position, with which chance, and what it earned.

use super::decisions::{propensity, reward};
use super::error::{Problem, Reason};
use super::layout::{Column, Layout, Shape};
use super::names::Names;
use super::read::{Row, Table};
use adeval_eval::ope::slate::{Cascade, SlateLog};
use std::collections::HashMap;

const SLATE: usize = 0;
const POSITION: usize = 1;
pub(super) const CREATIVE: usize = 2;
pub(super) const PROPENSITY: usize = 3;
const ITEM_PROPENSITY: usize = 4;
pub(super) const CLICKED: usize = 5;
const REWARD: usize = 6;
const CLUSTER: usize = 7;
pub(super) const PRODUCT: usize = 12;
/// Columns of a policy, without a name behind.
const OF_POLICY: [(&str, usize); 4] =
    [("probability", 8), ("item_probability", 9), ("predicted", 10), ("mean_predicted", 11)];
/// The same with a name behind.
const FAMILIES: [&str; 4] = ["probability_", "item_probability_", "predicted_", "mean_predicted_"];
const PROBABILITY: usize = 0;
const ITEM_PROBABILITY: usize = 1;
const PREDICTED: usize = 2;
const MEAN_PREDICTED: usize = 3;

pub(super) const SHAPE: Shape = Shape {
    name: "slates",
    columns: &[
        Column::required("slate"),
        Column::required("position"),
        Column::required("creative"),
        Column::required("propensity"),
        Column::optional("item_propensity"),
        Column::optional("clicked"),
        Column::optional("reward"),
        Column::optional("cluster"),
        Column::optional("probability"),
        Column::optional("item_probability"),
        Column::optional("predicted"),
        Column::optional("mean_predicted"),
        Column::optional("product"),
        Column::optional("time"),
        Column::optional("category"),
    ],
    families: &FAMILIES,
};

/// The most positions of a slate: a larger number is a slip.
const MOST: u64 = 1000;

/// A policy's columns: the cell of each kind.
#[derive(Debug, Clone)]
struct PolicyCells {
    name: String,
    cells: [Option<usize>; 4],
}

/// A row, with each policy's numbers.
#[derive(Debug)]
struct Shown {
    logging: f64,
    item_logging: f64,
    reward: f64,
    policies: Vec<[f64; 4]>,
}

/// The slates of a file.
#[derive(Debug, Default)]
pub struct SlateRows {
    policies: Vec<PolicyCells>,
    slates: Names,
    clusters: Names,
    cluster_of: Vec<u32>,
    rows: HashMap<(u32, u32), Shown>,
    positions: u32,
    clicks: bool,
    items: bool,
    clustered: bool,
}

impl SlateRows {
    /// Names of the policies.
    pub fn policies(&self) -> impl Iterator<Item = &str> {
        self.policies.iter().map(|policy| policy.name.as_str())
    }

    /// Whether the logging policy's chances of items at their positions are there.
    pub fn items(&self) -> bool {
        self.items
    }

    /// Whether rewards are clicks.
    pub fn clicks(&self) -> bool {
        self.clicks
    }

    /// Whether users are told apart.
    pub fn clustered(&self) -> bool {
        self.clustered
    }

    /// Positions of a slate.
    pub fn positions(&self) -> usize {
        self.positions as usize
    }

    /// Slates, and those of them that lack a position.
    pub fn slates(&self) -> [usize; 2] {
        let all = 0..self.slates.len() as u32;
        [all.len(), all.filter(|slate| !self.whole(*slate)).count()]
    }

    /// What is said of slates that lack a position.
    pub fn holes(&self) -> Option<String> {
        let ([_, lacking], positions) = (self.slates(), self.positions);
        (lacking > 0).then(|| {
            format!("{lacking} slates lack one of the {positions} positions that others have; all slates must be of one length")
        })
    }

    fn whole(&self, slate: u32) -> bool {
        (0..self.positions).all(|position| self.rows.contains_key(&(slate, position)))
    }

    /// What a policy's estimators need of the slates that are whole, in the order of their names.
    pub fn log(&self, policy: usize) -> SlateLog {
        let has = |kind: usize| self.policies[policy].cells[kind].is_some();
        let mut order: Vec<u32> = (0..self.slates.len() as u32).collect();
        order.sort_unstable_by_key(|slate| self.slates.name(*slate));
        order.retain(|slate| self.whole(*slate));
        let positions = self.positions;
        let rows = || order.iter().flat_map(|s| (0..positions).map(|p| &self.rows[&(*s, p)]));
        let of = |kind: usize| rows().map(|row| row.policies[policy][kind]).collect::<Vec<_>>();
        let items = self.items && has(ITEM_PROBABILITY);
        SlateLog {
            positions: positions as usize,
            reward: rows().map(|row| row.reward).collect(),
            logging: rows().map(|row| row.logging).collect(),
            policy: of(PROBABILITY),
            item: items.then(|| [rows().map(|row| row.item_logging).collect(), of(ITEM_PROBABILITY)]),
            model: (has(PREDICTED) && has(MEAN_PREDICTED))
                .then(|| Cascade { shown: of(PREDICTED), expected: of(MEAN_PREDICTED) }),
            cluster: self.clustered.then(|| self.ranks(&order)),
        }
    }

    /// The rank of each slate's cluster among the names of clusters.
    fn ranks(&self, slates: &[u32]) -> Vec<usize> {
        let mut order: Vec<u32> = (0..self.clusters.len() as u32).collect();
        order.sort_unstable_by_key(|cluster| self.clusters.name(*cluster));
        let mut rank = vec![0; order.len()];
        order.into_iter().enumerate().for_each(|(at, cluster)| rank[cluster as usize] = at);
        slates.iter().map(|slate| rank[self.cluster_of[*slate as usize] as usize]).collect()
    }

    fn find_policies(&mut self, layout: &Layout) -> Result<(), String> {
        let mut add = |name: &str, kind: usize, cell: usize| {
            let at = self.policies.iter().position(|p| p.name == name).unwrap_or_else(|| {
                self.policies.push(PolicyCells { name: name.to_owned(), cells: [None; 4] });
                self.policies.len() - 1
            });
            self.policies[at].cells[kind] = Some(cell);
        };
        for (kind, (_, cell)) in OF_POLICY.into_iter().enumerate() {
            if layout.has(cell) {
                add("policy", kind, cell);
            }
        }
        for (kind, prefix) in FAMILIES.into_iter().enumerate() {
            layout.family(prefix).for_each(|(cell, name)| add(name, kind, cell));
        }
        if self.policies.is_empty() {
            return Err("the policy is missing; give column \"probability\", or \"probability_NAME\" for each of several".into());
        }
        match self.policies.iter().find(|policy| policy.cells[PROBABILITY].is_none()) {
            Some(policy) => Err(format!(
                "policy {:?} has no column of its chances of items given those above; give \"probability_{}\"",
                policy.name, policy.name
            )),
            None => Ok(()),
        }
    }
}

impl Table for SlateRows {
    fn shape(&self) -> &'static Shape {
        &SHAPE
    }

    fn begin(&mut self, layout: &Layout) -> Result<(), String> {
        self.clicks = super::decisions::rewarded(layout.has(CLICKED), layout.has(REWARD))?;
        self.items = layout.has(ITEM_PROPENSITY);
        self.clustered = layout.has(CLUSTER);
        self.find_policies(layout)
    }

    fn row(&mut self, row: &Row<'_>) -> Result<(), Problem> {
        let slate_name = row.name(SLATE)?;
        row.name(CREATIVE)?;
        let position = position(row)?;
        let cluster = if self.clustered { Some(row.name(CLUSTER)?) } else { None };
        let shown = Shown {
            logging: propensity(row, PROPENSITY)?,
            item_logging: if self.items { propensity(row, ITEM_PROPENSITY)? } else { 1.0 },
            reward: if self.clicks { row.zero_or_one(CLICKED)? } else { reward(row, REWARD)? },
            policies: self.policies.iter().map(|policy| of_policy(row, policy)).collect::<Result<_, _>>()?,
        };
        if let Some(slate) = self.slates.find(&slate_name) {
            if self.rows.contains_key(&(slate, position)) {
                let message = format!(
                    "position {} of slate {slate_name:?} was there before; keep one row",
                    position + 1
                );
                return Err(row.at(POSITION, Problem::new(Reason::Duplicate, message)));
            }
            let known = self.cluster_of.get(slate as usize).map(|c| self.clusters.name(*c));
            if let (Some(cluster), Some(known)) = (&cluster, known)
                && known != &**cluster
            {
                let message =
                    format!("slate {slate_name:?} had cluster {known:?} before; a slate is seen by one");
                return Err(row.at(CLUSTER, Problem::new(Reason::Contradiction, message)));
            }
        }
        let slate = self.slates.number(&slate_name);
        if let Some(cluster) = &cluster {
            let number = self.clusters.number(cluster);
            self.cluster_of.resize(self.slates.len(), number);
        }
        self.positions = self.positions.max(position + 1);
        self.rows.insert((slate, position), shown);
        Ok(())
    }
}

/// A position, from 0.
fn position(row: &Row<'_>) -> Result<u32, Problem> {
    match row.count(POSITION)? {
        position @ 1..=MOST => Ok(position as u32 - 1),
        position => {
            let message = format!("{position} is no position; count them from 1, at most {MOST}");
            Err(row.at(POSITION, Problem::new(Reason::OutOfRange, message)))
        }
    }
}

fn of_policy(row: &Row<'_>, policy: &PolicyCells) -> Result<[f64; 4], Problem> {
    let mut found = [0.0; 4];
    for (kind, cell) in policy.cells.iter().enumerate() {
        let Some(cell) = *cell else { continue };
        found[kind] = match kind {
            PROBABILITY | ITEM_PROBABILITY => row.optional_probability(cell)?.ok_or_else(|| {
                let message = "there is no value; write 0 for what the policy never shows";
                row.at(cell, Problem::new(Reason::Missing, message))
            })?,
            _ => row.number(cell)?,
        };
    }
    Ok(found)
}
