//! The board of RL optimizers in the synthetic world of [`crate::bandit`]: its intervals are over seeds, not products.

use super::board::{Column, Coverage, Direction, PairwiseResult, RankRange, SCHEMA_VERSION};
use super::grid::{Grid, GridRow};
use super::{Options, format, ranking};
use crate::bandit::{Learning, TARGET};
use crate::{Bootstrap, ClusterTable, Estimate, EvalError, Result};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// One optimizer, and what came of its runs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct OptimizerEvidence {
    /// Unique id.
    pub id: String,
    /// What it is, in a few words; may be empty.
    pub description: String,
    /// Its runs by the number of their seed; those that failed are absent.
    pub runs: BTreeMap<usize, Learning>,
    /// What failed, one sentence each.
    pub failures: Vec<String>,
}

/// A ranked board of optimizers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct OptimizerBoard {
    /// Version of this layout.
    pub schema_version: u32,
    /// What the numbers are of, in one sentence.
    pub world: String,
    /// Number of seeds: of worlds and starting policies, the same for all optimizers.
    pub seeds: usize,
    /// Answers that a run may sample, each of which would be a creative.
    pub creatives: u32,
    /// Confidence level of every interval.
    pub level: f64,
    /// Id of the column that ranks.
    pub primary_column: String,
    /// The columns, in reading order.
    pub columns: Vec<Column>,
    /// The optimizers, best first.
    pub rows: Vec<OptimizerRow>,
    /// The paired comparisons in the primary column.
    pub pairwise: Vec<PairwiseResult>,
}

/// One optimizer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct OptimizerRow {
    /// Its id in the suite.
    pub optimizer: String,
    /// What it is.
    pub description: String,
    /// Ranks that it may hold; absent when no run of it ended.
    pub rank: Option<RankRange>,
    /// Numbers by column id.
    pub cells: BTreeMap<String, Estimate>,
    /// Runs that ended, of those planned.
    pub coverage: Coverage,
    /// What went wrong, one sentence each.
    pub failures: Vec<String>,
}

/// Id of the column that ranks.
const GAP: &str = "gap_closed";
const WORST: &str = "worst_seed";
const REGRET: &str = "regret";
const TO_TARGET: &str = "creatives_to_target";
/// Id of the column of [`OptimizerBoard::with_times`].
const TIME: &str = "milliseconds_per_step";

/// Ranks optimizers by the share of the gap that they close, over `seeds` seeds.
///
/// # Errors
/// [`EvalError`] for an option out of range, an id that occurs twice, a seed that was not planned, or a number that is not
/// finite.
pub fn optimizers(
    evidence: &[OptimizerEvidence],
    seeds: usize,
    creatives: u32,
    options: &Options,
) -> Result<OptimizerBoard> {
    let bootstrap = Bootstrap { seed: options.seed, resamples: options.resamples, level: options.level };
    bootstrap.validate()?;
    let mut evidence: Vec<&OptimizerEvidence> = evidence.iter().collect();
    evidence.sort_by(|a, b| a.id.cmp(&b.id));
    check(&evidence, seeds)?;
    let table = |of: fn(&Learning, u32) -> f64| {
        let mut table = ClusterTable::new(seeds, evidence.len());
        for (column, optimizer) in evidence.iter().enumerate() {
            optimizer.runs.iter().for_each(|(&seed, run)| table.set(seed, column, of(run, creatives)));
        }
        table
    };
    let gaps = table(|run, _| run.gap_closed);
    let worst = |column: usize| {
        let runs = gaps.column(column);
        let least = runs.iter().copied().reduce(f64::min)?;
        Some(Estimate::plain(least, runs.len()))
    };
    let filled: [(Column, Vec<Option<Estimate>>); 4] = [
        (gap_column(), gaps.means(&bootstrap, false)?),
        (worst_column(), (0..evidence.len()).map(worst).collect()),
        (regret_column(), table(|run, _| run.regret).means(&bootstrap, false)?),
        (target_column(), table(to_target).means(&bootstrap, false)?),
    ];
    let values = &filled[0].1;
    let order = ranking::order(evidence.len(), Some(values));
    let ids: Vec<&str> = evidence.iter().map(|e| e.id.as_str()).collect();
    let met = ranking::meetings(&order, &gaps);
    let pairs = ranking::compare(&ids, &met, &gaps, vec![None; met.len()], &bootstrap)?;
    let row = |&at: &usize| OptimizerRow {
        optimizer: evidence[at].id.clone(),
        description: evidence[at].description.clone(),
        rank: values[at].map(|_| ranking::rank(at, values, &pairs)),
        cells: filled.iter().filter_map(|(column, of)| Some((column.id.clone(), of[at]?))).collect(),
        coverage: Coverage { done: evidence[at].runs.len(), planned: seeds },
        failures: evidence[at].failures.clone(),
    };
    let rows = order.iter().map(row).collect();
    Ok(OptimizerBoard {
        schema_version: SCHEMA_VERSION,
        world: WORLD.into(),
        seeds,
        creatives,
        level: options.level,
        primary_column: GAP.into(),
        rows,
        pairwise: pairs.into_iter().map(|(_, _, result)| result).collect(),
        columns: filled.into_iter().map(|(column, _)| column).collect(),
    })
}

/// Title of the table.
pub(super) const TITLE: &str = "Optimizers (synthetic world)";

const WORLD: &str = "Optimizers in a synthetic world: a small policy, 8 contexts, 12 answers, a judge that orders three \
pairs in four rightly. No product, no creative and no click is in these numbers.";

fn check(evidence: &[&OptimizerEvidence], seeds: usize) -> Result<()> {
    let mut ids = BTreeSet::new();
    for optimizer in evidence {
        if !ids.insert(&optimizer.id) {
            return Err(EvalError::Duplicate { what: "optimizer", name: optimizer.id.clone() });
        }
        for (&seed, run) in &optimizer.runs {
            let place = || format!("optimizer \"{}\", seed {seed}", optimizer.id);
            if seed >= seeds {
                let (metric, value, high) = ("the seed's number".into(), seed as f64, seeds as f64 - 1.0);
                return Err(EvalError::OutOfRange { place: place(), metric, value, low: 0.0, high });
            }
            let bad = [(GAP, run.gap_closed), (REGRET, run.regret)].into_iter().find(|(_, v)| !v.is_finite());
            if let Some((metric, value)) = bad {
                return Err(EvalError::NotFinite { place: place(), metric: metric.into(), value });
            }
        }
    }
    Ok(())
}

/// A run that never reached the target counts as one that would have done so with its last answer: too kind, and said so.
fn to_target(run: &Learning, creatives: u32) -> f64 {
    f64::from(run.creatives_to_target.unwrap_or(creatives))
}

fn column(id: &str, title: &str, unit: &str, direction: Direction, meaning: String) -> Column {
    Column { id: id.into(), title: title.into(), unit: unit.into(), direction, meaning }
}

fn gap_column() -> Column {
    let meaning = "Share of the expected reward between the starting policy and the best possible one that is won at the end";
    column(GAP, "Gap closed", "share", Direction::Higher, meaning.into())
}

fn worst_column() -> Column {
    column(WORST, "Worst seed", "share", Direction::Higher, "The smallest gap closed of all seeds".into())
}

fn regret_column() -> Column {
    let meaning =
        "Mean share of the gap that was still open when an answer was sampled; 100% is never to learn";
    column(REGRET, "Regret", "share", Direction::Lower, meaning.into())
}

fn target_column() -> Column {
    let percent = 100.0 * TARGET;
    let meaning = format!(
        "Answers sampled until {percent:.0}% of the gap was closed; a run that never got there counts with its whole budget"
    );
    column(TO_TARGET, &format!("Creatives to {percent:.0}%"), "creatives", Direction::Lower, meaning)
}

impl OptimizerBoard {
    /// The board with a column of times, in milliseconds by optimizer: they differ from run to run, so they are kept apart.
    #[must_use]
    pub fn with_times(&self, milliseconds: &BTreeMap<String, f64>) -> Self {
        let mut board = self.clone();
        let meaning = "Median wall time of a step in the optimizer, on this machine";
        board.columns.push(column(TIME, "ms per step", "ms", Direction::Lower, meaning.into()));
        for row in &mut board.rows {
            let time = milliseconds.get(&row.optimizer).map(|ms| Estimate::plain(*ms, row.coverage.done));
            row.cells.extend(time.map(|time| (TIME.to_owned(), time)));
        }
        board
    }

    /// What the table shows, in one sentence.
    pub(super) fn caption(&self) -> String {
        std::format!(
            "{} seeds of {} sampled answers. Brackets are {}% intervals over seeds, which all optimizers share; optimizers share ranks unless they differ at {:.3} after Holm's correction.",
            self.seeds,
            self.creatives,
            100.0 * self.level,
            1.0 - self.level
        )
    }
}

impl<'a> From<&'a OptimizerBoard> for Grid<'a> {
    fn from(board: &'a OptimizerBoard) -> Self {
        let row = |row: &'a OptimizerRow| GridRow {
            rank: row.rank,
            id: &row.optimizer,
            cells: &row.cells,
            done: format::coverage(row.coverage, row.failures.len()),
            failed: !row.failures.is_empty(),
        };
        Self { head: "Optimizer", columns: &board.columns, rows: board.rows.iter().map(row).collect() }
    }
}
