//! A bandit log: what was shown, with which chance, and what it earned.

use super::cross_fit::CrossFit;
use super::error::{Problem, Reason};
use super::layout::{Column, Layout, Shape};
use super::policies::Policies;
use super::read::{Row, Table};
use super::seen::Seen;
use super::units::{Unit, Units};
use adeval_eval::ope::{Extras, Round, Tally};
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

/// The rounds of a log, summed for the policies of a file in memory that does not grow with the log.
#[derive(Debug)]
pub struct Decisions<'a> {
    policies: &'a Policies,
    fit: Option<&'a CrossFit>,
    tallies: Vec<Tally>,
    unlisted: Vec<u64>,
    units: Units,
    ids: Seen,
    clicks: bool,
    named: bool,
    clustered: bool,
}

impl<'a> Decisions<'a> {
    /// No rounds yet. Predictions are those of the policies' file, or of a regression that was fitted on other folds.
    pub fn new(policies: &'a Policies, fit: Option<&'a CrossFit>) -> Self {
        let extras = Extras {
            model: policies.modelled() || fit.is_some(),
            balanced: policies.balanced(),
            marginal: policies.embedded() && policies.logging().is_some(),
        };
        Self {
            policies,
            fit,
            tallies: vec![Tally::new(extras); policies.names.len()],
            unlisted: vec![0; policies.names.len()],
            units: Units::new(&policies.products),
            ids: Seen::default(),
            clicks: false,
            named: false,
            clustered: false,
        }
    }

    /// After the last row.
    pub fn settle(&mut self) {
        self.units.settle(&mut self.tallies);
    }

    /// What is resampled together, and how many of it there are.
    pub fn unit(&self) -> (Unit, usize) {
        (self.units.unit(), self.tallies.first().map_or(0, Tally::clusters))
    }

    /// Whether several products, clusters or rounds went into one group.
    pub fn grouped(&self) -> bool {
        self.units.grouped()
    }

    /// Whether rewards are clicks.
    pub fn clicks(&self) -> bool {
        self.clicks
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
        let product = product(row, &decision, self.policies)?;
        let creative = self.policies.creatives.find(&decision.creative);
        self.check_propensity(row, &decision, product, creative)?;
        if let Some(id) = &decision.id
            && !self.ids.is_new(&[id])
        {
            return Err(repeated(row, id));
        }
        let fold = self.fit.map(|fit| (fit, fit.fold(&decision)));
        let (cluster, id) = (decision.cluster.as_deref(), decision.id.as_deref());
        let group = self.units.group(product, cluster, id, &mut self.tallies);
        for (number, tally) in self.tallies.iter_mut().enumerate() {
            let policy = number as u32;
            let answer = creative.and_then(|c| self.policies.answer(policy, product, c));
            self.unlisted[number] += u64::from(answer.is_none());
            let probability = answer.map_or(0.0, |a| a.probability);
            let round = Round {
                reward: decision.reward,
                weight: probability / decision.propensity,
                matched: probability == 1.0,
                model: match fold {
                    Some((fit, fold)) => fit.predict(fold, policy, product, creative),
                    None => answer.and_then(|a| a.predicted),
                },
                balanced: answer.and_then(|a| a.balanced),
                marginal: creative.and_then(|c| self.policies.marginal(policy, product, c)),
            };
            tally.add(group, &round);
        }
        Ok(())
    }
}

impl Decisions<'_> {
    /// Where the policy that made the log is known, propensities are its probabilities.
    fn check_propensity(
        &self,
        row: &Row<'_>,
        decision: &Decision<'_>,
        product: u32,
        creative: Option<u32>,
    ) -> Result<(), Problem> {
        let Some(logging) = self.policies.logging() else { return Ok(()) };
        let answer = creative.and_then(|c| self.policies.answer(logging, product, c));
        let probability = answer.map_or(0.0, |a| a.probability);
        if (probability - decision.propensity).abs() <= LIKE * decision.propensity {
            return Ok(());
        }
        let message = format!(
            "the propensity is {}, but policy {:?} of --logging shows {:?} with {probability}; without --logging the log's counts",
            decision.propensity,
            self.policies.names.name(logging),
            decision.creative
        );
        Err(row.at(PROPENSITY, Problem::new(Reason::Contradiction, message)))
    }
}

/// The number of a row's product.
pub(super) fn product(row: &Row<'_>, decision: &Decision<'_>, policies: &Policies) -> Result<u32, Problem> {
    let product = &decision.product;
    policies.products.find(product).filter(|p| policies.cover(*p)).ok_or_else(|| {
        let message = format!(
            "product {product:?} is not in the policy file (for every policy); add its creatives there"
        );
        row.at(PRODUCT, Problem::new(Reason::UnknownProduct, message))
    })
}

/// How far a propensity may be from the logging policy's probability, as a share: logs are rounded.
const LIKE: f64 = 1e-3;

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
            reward: if clicks { row.zero_or_one(CLICKED)? } else { reward(row, REWARD)? },
            cluster: if clustered { Some(row.name(CLUSTER)?) } else { None },
            id: if named { Some(row.name(ID)?) } else { None },
        })
    }
}

/// The smallest propensity: one over it, times the largest reward, squared, is still a number.
const SMALLEST: f64 = 1e-15;
/// The largest reward, either way.
const LARGEST: f64 = 1e100;

/// What was earned.
pub(super) fn reward(row: &Row<'_>, column: usize) -> Result<f64, Problem> {
    let reward = row.number(column)?;
    if reward.abs() <= LARGEST {
        return Ok(reward);
    }
    let message =
        format!("{reward} is no reward that can be added up; it must lie in [-{LARGEST:e}, {LARGEST:e}]");
    Err(row.at(column, Problem::new(Reason::OutOfRange, message)))
}

/// Whether a file has clicks rather than rewards, ids, clusters.
pub(super) fn columns(layout: &Layout) -> Result<[bool; 3], String> {
    let clicks = rewarded(layout.has(CLICKED), layout.has(REWARD))?;
    Ok([clicks, layout.has(ID), layout.has(CLUSTER)])
}

/// Whether a file has clicks, which it must have if it has no rewards.
pub(super) fn rewarded(clicks: bool, rewards: bool) -> Result<bool, String> {
    match (clicks, rewards) {
        (true, true) => {
            Err("there are both \"clicked\" and \"reward\"; which one counts? Pass the other with --ignore"
                .into())
        }
        (false, false) => {
            Err("column \"clicked\" (0 or 1) is missing, and there is no \"reward\" (any number)".into())
        }
        (clicks, _) => Ok(clicks),
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
