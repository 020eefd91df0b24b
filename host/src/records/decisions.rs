//! A bandit log: what was shown, with which chance, and what it earned.

use super::error::{Problem, Reason};
use super::layout::{Column, Layout, Shape};
use super::names::Names;
use super::policies::Policies;
use super::read::{Row, Table};
use super::seen::Seen;
use adeval_eval::ope::{Round, Tally};
use std::borrow::Cow;

const PRODUCT: usize = 0;
const CREATIVE: usize = 1;
const PROPENSITY: usize = 2;
const CLICKED: usize = 3;
const REWARD: usize = 4;
const ID: usize = 5;
const CLUSTER: usize = 6;

pub(super) const SHAPE: Shape = Shape {
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

/// The most units that are resampled each on its own. Further ones go into the groups of the first, one after the other: a
/// group of clusters is a cluster, and intervals need no more of them.
const GROUPS: usize = 1 << 16;

/// The rounds of a log, summed for the policies of a file in memory that does not grow with the log.
#[derive(Debug)]
pub struct Decisions<'a> {
    policies: &'a Policies,
    tallies: Vec<Tally>,
    unlisted: Vec<u64>,
    rounds: u64,
    /// By product of the policies: its place among the log's products.
    places: Vec<Option<u32>>,
    products: u32,
    clusters: Names,
    more_clusters: bool,
    ids: Seen,
    clicks: bool,
    named: bool,
    clustered: bool,
}

impl<'a> Decisions<'a> {
    /// No rounds yet.
    pub fn new(policies: &'a Policies) -> Self {
        Self {
            policies,
            tallies: vec![Tally::new(policies.modelled()); policies.names.len()],
            unlisted: vec![0; policies.names.len()],
            rounds: 0,
            places: vec![None; policies.products.len()],
            products: 0,
            clusters: Names::default(),
            more_clusters: false,
            ids: Seen::default(),
            clicks: false,
            named: false,
            clustered: false,
        }
    }

    /// What is resampled together, and how many of it there are.
    pub fn unit(&self) -> (Unit, usize) {
        let units = self.tallies.first().map_or(0, Tally::clusters);
        match (self.clustered, self.products) {
            (true, _) => (Unit::Cluster, units),
            (false, 0 | 1) => (Unit::Round, units),
            (false, _) => (Unit::Product, units),
        }
    }

    /// Whether several products, clusters or rounds went into one group.
    pub fn grouped(&self) -> bool {
        match self.unit().0 {
            Unit::Cluster => self.more_clusters,
            Unit::Product => self.products as usize > GROUPS,
            Unit::Round => self.rounds > GROUPS as u64,
        }
    }

    /// Rounds that showed a creative which a policy does not list.
    pub fn unlisted(&self, policy: u32) -> u64 {
        self.unlisted[policy as usize]
    }

    /// Rounds whose id was not checked against all others, since too many came before.
    pub fn unchecked(&self) -> u64 {
        self.ids.unchecked()
    }

    /// What a policy's estimators need. Where some creative that was shown has no prediction, the reward model is left out.
    pub fn tally(&self, policy: u32) -> &Tally {
        &self.tallies[policy as usize]
    }

    /// The group that a round is resampled with.
    fn group(&mut self, product: u32, cluster: Option<&str>) -> usize {
        if let Some(cluster) = cluster {
            return self.cluster(cluster);
        }
        let place = match self.places[product as usize] {
            Some(place) => place,
            None => {
                // Until now there was one product, whose rounds were resampled each on its own.
                if self.products == 1 {
                    self.tallies.iter_mut().for_each(Tally::merge_clusters);
                }
                let place = self.products;
                self.places[product as usize] = Some(place);
                self.products += 1;
                place
            }
        };
        let at = if self.products < 2 { self.rounds as usize } else { place as usize };
        at % GROUPS
    }

    fn cluster(&mut self, name: &str) -> usize {
        if let Some(known) = self.clusters.find(name) {
            return known as usize;
        }
        if self.clusters.len() < GROUPS {
            return self.clusters.number(name) as usize;
        }
        self.more_clusters = true;
        (fnv(name) % GROUPS as u64) as usize
    }
}

/// FNV-1a with a mixing of its bits at the end: the same on every machine, and quick for short names.
fn fnv(text: &str) -> u64 {
    let mix = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = text.as_bytes().iter().fold(0xcbf2_9ce4_8422_2325, mix);
    (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 24
}

impl Table for Decisions<'_> {
    fn shape(&self) -> &'static Shape {
        &SHAPE
    }

    fn begin(&mut self, layout: &Layout) -> Result<(), String> {
        [self.clicks, self.named, self.clustered] = columns(layout)?;
        Ok(())
    }

    fn row(&mut self, row: &Row<'_>) -> Result<(), Problem> {
        let decision = Decision::of(row, self.clicks, self.named, self.clustered)?;
        let product = &decision.product;
        let Some(number) = self.policies.products.find(product).filter(|p| self.policies.cover(*p)) else {
            let message = format!(
                "product {product:?} is not in the policy file (for every policy); add its creatives there"
            );
            return Err(row.at(PRODUCT, Problem::new(Reason::UnknownProduct, message)));
        };
        if let Some(id) = &decision.id
            && !self.ids.is_new(&[id])
        {
            return Err(repeated(row, id));
        }
        let group = self.group(number, decision.cluster.as_deref());
        let creative = self.policies.creatives.find(&decision.creative);
        for (policy, tally) in self.tallies.iter_mut().enumerate() {
            let answer = creative.and_then(|c| self.policies.answer(policy as u32, number, c));
            self.unlisted[policy] += u64::from(answer.is_none());
            let probability = answer.map_or(0.0, |a| a.probability);
            tally.add(
                group,
                Round {
                    reward: decision.reward,
                    weight: probability / decision.propensity,
                    matched: probability == 1.0,
                    model: answer.and_then(|a| a.predicted),
                },
            );
        }
        self.rounds += 1;
        Ok(())
    }
}

/// A row of the log.
pub(super) struct Decision<'a> {
    pub product: Cow<'a, str>,
    pub creative: Cow<'a, str>,
    pub propensity: f64,
    pub reward: f64,
    pub id: Option<Cow<'a, str>>,
    pub cluster: Option<Cow<'a, str>>,
}

impl<'a> Decision<'a> {
    /// Of a file that has clicks rather than rewards, ids, clusters.
    pub fn of(row: &'a Row<'a>, clicks: bool, named: bool, clustered: bool) -> Result<Self, Problem> {
        Ok(Self {
            product: row.name(PRODUCT)?,
            creative: row.name(CREATIVE)?,
            propensity: propensity(row, PROPENSITY)?,
            reward: if clicks { row.zero_or_one(CLICKED)? } else { reward(row)? },
            cluster: if clustered { Some(row.name(CLUSTER)?) } else { None },
            id: if named { Some(row.name(ID)?) } else { None },
        })
    }
}

/// The smallest propensity: one over it, times the largest reward, squared, is still a number.
const SMALLEST: f64 = 1e-15;
/// The largest reward, either way.
const LARGEST: f64 = 1e100;

fn reward(row: &Row<'_>) -> Result<f64, Problem> {
    let reward = row.number(REWARD)?;
    if reward.abs() <= LARGEST {
        return Ok(reward);
    }
    let message =
        format!("{reward} is no reward that can be added up; it must lie in [-{LARGEST:e}, {LARGEST:e}]");
    Err(row.at(REWARD, Problem::new(Reason::OutOfRange, message)))
}

/// Whether a file has clicks rather than rewards, ids, clusters.
pub(super) fn columns(layout: &Layout) -> Result<[bool; 3], String> {
    match (layout.has(CLICKED), layout.has(REWARD)) {
        (true, true) => {
            Err("there are both \"clicked\" and \"reward\"; which one counts? Pass the other with --ignore"
                .into())
        }
        (false, false) => {
            Err("column \"clicked\" (0 or 1) is missing, and there is no \"reward\" (any number)".into())
        }
        (clicks, _) => Ok([clicks, layout.has(ID), layout.has(CLUSTER)]),
    }
}

/// The problem of a decision that was there before.
pub(super) fn repeated(row: &Row<'_>, id: &str) -> Problem {
    let message = format!("id {id:?} was there before; keep one row a decision");
    row.at(ID, Problem::new(Reason::Duplicate, message))
}

/// The chance of what was shown.
pub(super) fn propensity(row: &Row<'_>, column: usize) -> Result<f64, Problem> {
    let refused = |what: String| {
        let message =
            format!("{what}; what was shown had a chance to be, in (0, 1]: log it, or leave the row out");
        row.at(column, Problem::new(Reason::Propensity, message))
    };
    match row.optional_number(column)? {
        None => Err(refused("there is no propensity".into())),
        Some(p) if p > 0.0 && p < SMALLEST => {
            Err(refused(format!("the propensity is {p}, below {SMALLEST}, which no policy means")))
        }
        Some(p) if p > 0.0 && p <= 1.0 => Ok(p),
        Some(p) => Err(refused(format!("the propensity is {p}"))),
    }
}
