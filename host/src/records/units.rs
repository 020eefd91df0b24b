//! Which rounds are resampled together. Groups are numbered by what they are, so that a log's rows may stand in any order.

use super::names::Names;
use adeval_eval::ope::Tally;
use std::cmp::Ordering;

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

/// The most units that are resampled each on its own. More of them share as many groups, by a hash of their names: a group of
/// clusters is a cluster, and intervals need no more of them.
const GROUPS: usize = 1 << 16;

/// The groups of a log's rounds.
#[derive(Debug)]
pub(super) struct Units {
    /// By product of the policies: its group.
    of_product: Vec<u32>,
    /// Clusters, or ids of rounds while there is one product; none once they share groups.
    names: Option<Names>,
    /// The product of all rounds so far.
    only: Option<u32>,
    several: bool,
    clustered: bool,
    /// Whether rounds without ids are told apart by their number.
    numbered: bool,
    rounds: usize,
}

impl Units {
    /// For rounds of these products.
    pub fn new(products: &Names) -> Self {
        let mut order: Vec<u32> = (0..products.len() as u32).collect();
        order.sort_unstable_by_key(|product| products.name(*product));
        let mut of_product = vec![0; products.len()];
        for (rank, product) in order.into_iter().enumerate() {
            let rank = if products.len() > GROUPS { hashed(products.name(product)) } else { rank };
            of_product[product as usize] = rank as u32;
        }
        Self {
            of_product,
            names: Some(Names::default()),
            only: None,
            several: false,
            clustered: false,
            numbered: false,
            rounds: 0,
        }
    }

    /// What is resampled together.
    pub fn unit(&self) -> Unit {
        match (self.clustered, self.several) {
            (true, _) => Unit::Cluster,
            (false, true) => Unit::Product,
            (false, false) => Unit::Round,
        }
    }

    /// Whether several units may have gone into one group.
    pub fn grouped(&self) -> bool {
        match self.unit() {
            Unit::Product => self.of_product.len() > GROUPS,
            Unit::Round if self.numbered => self.rounds > GROUPS,
            Unit::Cluster | Unit::Round => self.names.is_none(),
        }
    }

    /// The group of a round, which all `tallies` are then given.
    pub fn group(
        &mut self,
        product: u32,
        cluster: Option<&str>,
        id: Option<&str>,
        tallies: &mut [Tally],
    ) -> usize {
        self.rounds += 1;
        if let Some(cluster) = cluster {
            self.clustered = true;
            return self.named(cluster, tallies);
        }
        if !self.several && self.only.is_none_or(|only| only == product) {
            self.only = Some(product);
            self.numbered = id.is_none();
            return id.map_or((self.rounds - 1) % GROUPS, |id| self.named(id, tallies));
        }
        if !self.several {
            // Until now there was one product, whose rounds were resampled each on its own.
            self.several = true;
            let first = self.only.map_or(0, |only| self.of_product[only as usize]);
            tallies.iter_mut().for_each(|tally| tally.renumber(|_| first as usize));
        }
        self.of_product[product as usize] as usize
    }

    fn named(&mut self, name: &str, tallies: &mut [Tally]) -> usize {
        let Some(names) = &mut self.names else { return hashed(name) };
        match names.find(name) {
            Some(known) => return known as usize,
            None if names.len() < GROUPS => return names.number(name) as usize,
            None => {}
        }
        tallies.iter_mut().for_each(|tally| tally.renumber(|group| hashed(names.name(group as u32))));
        self.names = None;
        hashed(name)
    }

    /// After the last round: groups that were numbered as they came are numbered anew. Rounds of one product without ids are
    /// ordered by what they add; beyond 65,536 of them their groups depend on the order of the rows.
    pub fn settle(&self, tallies: &mut [Tally]) {
        let order = match (self.unit(), &self.names) {
            (Unit::Product, _) => return,
            (Unit::Round, _) if self.numbered && self.rounds > GROUPS => return,
            (Unit::Round, _) if self.numbered => {
                let mut order: Vec<usize> = (0..self.rounds).collect();
                order.sort_by(|a, b| {
                    let apart = tallies.iter().map(|tally| tally.order(*a, *b));
                    apart.fold(Ordering::Equal, Ordering::then)
                });
                order
            }
            (_, Some(names)) => {
                let mut order: Vec<usize> = (0..names.len()).collect();
                order.sort_unstable_by_key(|group| names.name(*group as u32));
                order
            }
            (_, None) => return,
        };
        let mut ranks = vec![0; order.len()];
        order.into_iter().enumerate().for_each(|(rank, group)| ranks[group] = rank);
        tallies.iter_mut().for_each(|tally| tally.renumber(|group| ranks[group]));
    }
}

fn hashed(name: &str) -> usize {
    (fnv(name) % GROUPS as u64) as usize
}

/// FNV-1a with a mixing of its bits at the end: the same on every machine, and quick for short names.
pub(super) fn fnv(text: &str) -> u64 {
    let mix = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = text.as_bytes().iter().fold(0xcbf2_9ce4_8422_2325, mix);
    (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 24
}
