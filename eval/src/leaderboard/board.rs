//! The result: what `leaderboard.json` holds.

use super::Failure;
use crate::{Estimate, Preferences};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Version of the board's schema; it grows when a field is removed or changes its meaning.
pub const SCHEMA_VERSION: u32 = 1;

/// A ranked board.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Leaderboard {
    /// Version of this layout.
    pub schema_version: u32,
    /// The suite's name.
    pub title: String,
    /// Number of products in the suite.
    pub products: usize,
    /// Confidence level of every interval.
    pub level: f64,
    /// Id of the column that ranks.
    pub primary_column: String,
    /// The columns, in reading order.
    pub columns: Vec<Column>,
    /// The entries, best first.
    pub rows: Vec<Row>,
    /// The paired comparisons of entries in the primary column.
    pub pairwise: Vec<PairwiseResult>,
    /// How far each judge can be trusted.
    pub judges: Vec<JudgeReport>,
    /// What a reader must know beside the numbers.
    pub notes: Vec<String>,
}

/// Ids of the columns that say what a creative costs.
pub const COST_COLUMNS: [&str; 2] = ["seconds_per_creative", "peak_memory"];
/// What ids of columns begin with that say more of what FD or product consistency says.
const MORE_OF_THE_SAME: [&str; 6] =
    ["product_fidelity", "kd:", "precision:", "recall:", "density:", "coverage:"];

impl Leaderboard {
    /// Puts the columns into reading order: the one that ranks, those about quality, costs, more of the same. So
    /// the first table of a narrow terminal holds what most readers want.
    pub fn sort_columns(&mut self) {
        let place = |id: &str| match id {
            id if id == self.primary_column => 0,
            id if COST_COLUMNS.contains(&id) => 2,
            id if MORE_OF_THE_SAME.iter().any(|start| id.starts_with(start)) => 3,
            _ => 1,
        };
        self.columns.sort_by_key(|column| place(&column.id));
    }
}

/// Which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Larger is better.
    Higher,
    /// Smaller is better.
    Lower,
}

/// What a column holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Column {
    /// Key of [`Row::cells`]: `win_rate:<judge>`, `strength:<judge>`, `predicted_ctr:<judge>`, `product_fidelity`,
    /// `product_consistency`, `availability`, `fd:<encoder>`, `seconds_per_creative`, `peak_memory`.
    pub id: String,
    /// Title for people.
    pub title: String,
    /// Unit: `share`, `log-odds`, `s`, `bytes`, or empty.
    pub unit: String,
    /// Which way is better.
    pub direction: Direction,
    /// What it means, in one line.
    pub meaning: String,
}

/// The ranks that an entry may hold: entries that cannot be told apart share them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RankRange {
    /// 1 + the number of entries that are significantly better.
    pub best: usize,
    /// The number of entries - the number that are significantly worse.
    pub worst: usize,
}

/// How much of the plan was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Coverage {
    /// Creatives made.
    pub done: usize,
    /// Creatives planned.
    pub planned: usize,
}

/// What an entry costs. Times are of this run on its machine.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Cost {
    /// Median wall time of a creative in seconds.
    pub seconds_per_creative: Option<f64>,
    /// Sum of all creatives' wall times in seconds.
    pub total_seconds: f64,
    /// Largest resident memory of the entry's workers in bytes.
    pub peak_memory_bytes: Option<u64>,
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Row {
    /// Id of the entry.
    pub entry: String,
    /// What it is.
    pub description: String,
    /// Ranks that it may hold; absent when the primary column has no value for it.
    pub rank: Option<RankRange>,
    /// Numbers by column id; a column without evidence for this entry is absent.
    pub cells: BTreeMap<String, Estimate>,
    /// How much of the plan was done.
    pub coverage: Coverage,
    /// What it costs.
    pub cost: Cost,
    /// What went wrong.
    pub failures: Vec<Failure>,
}

/// Two entries compared on the products that both have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PairwiseResult {
    /// The first entry (the one that ranks higher).
    pub a: String,
    /// The second entry.
    pub b: String,
    /// Win rate of `a` against `b` head to head by the primary judge, ties as half; absent when they were never compared.
    pub win_rate: Option<Estimate>,
    /// Primary column of `a` minus `b`, on common products.
    pub difference: Estimate,
    /// Standard deviation of that difference over common products; absent below two, and on boards of older versions.
    #[serde(default)]
    pub deviation: Option<f64>,
    /// Two-sided p-value of no difference.
    pub p: f64,
    /// The same after Holm's correction over all pairs.
    pub p_holm: f64,
    /// Whether the two differ at 1 - level after the correction.
    pub significant: bool,
}

/// How far a judge can be trusted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct JudgeReport {
    /// Id of the judge.
    pub judge: String,
    /// Pairs of creatives that were compared.
    pub pairs: usize,
    /// Of them, those that were asked in both orders.
    pub both_orders: usize,
    /// Share of the pairs asked in both orders for which both answers name the same creative (or both say tie).
    pub swap_consistency: Option<f64>,
    /// Mean of P(left) - 0.5 over pairs asked in both orders: above 0 the left side is favoured.
    pub position_bias: Option<f64>,
    /// Share of pairs that ended as ties.
    pub ties: f64,
}

impl JudgeReport {
    /// What a judge's answers show.
    pub fn of(judge: &str, preferences: &Preferences) -> Self {
        let orders = preferences.orders;
        Self {
            judge: judge.into(),
            pairs: orders.pairs,
            both_orders: orders.both,
            swap_consistency: orders.swap_consistency(),
            position_bias: orders.position_bias(),
            ties: if orders.pairs == 0 { 0.0 } else { orders.ties as f64 / orders.pairs as f64 },
        }
    }
}
