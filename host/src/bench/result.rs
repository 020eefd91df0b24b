//! `result.json`: the board, with everything that a clock or a memory meter says kept apart.
//!
//! Two runs of one suite give the same `board` bytes, killed and resumed or not; `costs` and `session` differ.

use super::BenchError;
use crate::store::{Store, read_json, write_json, write_whole};
use adeval_eval::Estimate;
use adeval_eval::leaderboard::{Column, Cost, Leaderboard, to_markdown};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Columns that are measured by a clock or a memory meter.
const COST_COLUMNS: [&str; 2] = ["seconds_per_creative", "peak_memory"];

/// What `result.json` holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RunResult {
    /// The board without costs: the same bytes for the same suite and plugins on one machine.
    pub board: Leaderboard,
    /// Columns of costs.
    pub cost_columns: Vec<Column>,
    /// Costs by entry.
    pub costs: BTreeMap<String, EntryCost>,
    /// The call of adeval that computed last.
    pub session: Session,
}

/// What an entry costs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct EntryCost {
    /// Times and memory.
    pub cost: Cost,
    /// Values of the cost columns.
    pub cells: BTreeMap<String, Estimate>,
}

/// One call of adeval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Session {
    /// Its wall time in seconds, until the board.
    pub wall_seconds: f64,
    /// Of it, the time inside plugins in seconds.
    pub plugin_seconds: f64,
    /// Results that it computed.
    pub computed: usize,
}

/// How an entry's number differs between two runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// Id of the entry.
    pub entry: String,
    /// Id of the column.
    pub column: String,
    /// In the first run.
    pub a: Estimate,
    /// In the second run.
    pub b: Estimate,
    /// `b` minus `a`.
    pub difference: f64,
}

impl RunResult {
    /// Takes the costs out of a board.
    pub fn split(mut board: Leaderboard, session: Session) -> Self {
        let is_cost = |id: &str| COST_COLUMNS.contains(&id);
        let (cost_columns, columns) = board.columns.into_iter().partition(|c| is_cost(&c.id));
        board.columns = columns;
        let mut costs = BTreeMap::new();
        for row in &mut board.rows {
            let cells =
                row.cells.iter().filter(|(id, _)| is_cost(id)).map(|(id, e)| (id.clone(), *e)).collect();
            row.cells.retain(|id, _| !is_cost(id));
            costs.insert(row.entry.clone(), EntryCost { cost: row.cost, cells });
            row.cost = Cost { seconds_per_creative: None, total_seconds: 0.0, peak_memory_bytes: None };
        }
        Self { board, cost_columns, costs, session }
    }

    /// The whole board, costs included.
    pub fn full_board(&self) -> Leaderboard {
        let mut board = self.board.clone();
        board.columns.extend(self.cost_columns.iter().cloned());
        for row in &mut board.rows {
            if let Some(entry) = self.costs.get(&row.entry) {
                row.cost = entry.cost;
                row.cells.extend(entry.cells.iter().map(|(id, e)| (id.clone(), *e)));
            }
        }
        board
    }
}

/// The JSON schema of `result.json`.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(RunResult).to_value()
}

/// Writes `result.json` and `LEADERBOARD.md`. A call that computed nothing leaves the times of the one that did.
pub fn write(store: &Store, board: Leaderboard, session: Session) -> Result<RunResult, BenchError> {
    let path = store.dir().join("result.json");
    let mut result = RunResult::split(board, session);
    if session.computed == 0
        && let Ok(Some(before)) = read_json::<RunResult>(&path)
    {
        result.session = before.session;
    }
    write_json(&path, &result)?;
    let markdown = to_markdown(&result.full_board());
    write_whole(&store.dir().join("LEADERBOARD.md"), markdown.as_bytes())?;
    Ok(result)
}

/// The numbers that two runs share, in the order of the first one's rows and columns.
pub fn compare(a: &RunResult, b: &RunResult) -> Vec<Difference> {
    let (a, b) = (a.full_board(), b.full_board());
    let mut differences = Vec::new();
    for row in &a.rows {
        let Some(other) = b.rows.iter().find(|r| r.entry == row.entry) else { continue };
        for column in &a.columns {
            if let (Some(x), Some(y)) = (row.cells.get(&column.id), other.cells.get(&column.id)) {
                differences.push(Difference {
                    entry: row.entry.clone(),
                    column: column.id.clone(),
                    a: *x,
                    b: *y,
                    difference: y.value - x.value,
                });
            }
        }
    }
    differences
}
