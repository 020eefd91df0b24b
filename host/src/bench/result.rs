//! `result.json`: the board, with everything that a clock or a memory meter says kept apart.
//!
//! Two runs of one suite give the same `board` bytes, killed and resumed or not; `costs` and `session` differ.

use super::BenchError;
use crate::store::{Store, read_json, write_json, write_whole};
use adeval_eval::Estimate;
use adeval_eval::leaderboard::{
    COST_COLUMNS, Column, Cost, Failure, Leaderboard, OptimizerBoard, optimizers_to_markdown,
    optimizers_to_table, to_markdown, to_table,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What `result.json` holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RunResult {
    /// The board without costs: the same bytes for the same suite and plugins on one machine.
    pub board: Leaderboard,
    /// Columns of costs.
    pub cost_columns: Vec<Column>,
    /// Costs by entry.
    pub costs: BTreeMap<String, EntryCost>,
    /// The board of the suite's RL optimizers; absent when it names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub optimizers: Option<OptimizerResult>,
    /// The call of adeval that computed last; of merged shards the sum of theirs.
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

/// What came of the optimizers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct OptimizerResult {
    /// The same bytes for the same suite and plugins on one machine.
    pub board: OptimizerBoard,
    /// Median wall time of a step in the optimizer, in milliseconds, by optimizer.
    pub milliseconds_per_step: BTreeMap<String, f64>,
}

impl OptimizerResult {
    /// The whole board, times included.
    pub fn full_board(&self) -> OptimizerBoard {
        self.board.with_times(&self.milliseconds_per_step)
    }
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
    /// Id of the entry or optimizer.
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
        Self { board, cost_columns, costs, optimizers: None, session }
    }

    /// The whole board, costs included.
    pub fn full_board(&self) -> Leaderboard {
        let mut board = self.board.clone();
        board.columns.extend(self.cost_columns.iter().cloned());
        board.sort_columns();
        for row in &mut board.rows {
            if let Some(entry) = self.costs.get(&row.entry) {
                row.cost = entry.cost;
                row.cells.extend(entry.cells.iter().map(|(id, e)| (id.clone(), *e)));
            }
        }
        board
    }

    /// The boards in Markdown: that of the entries and that of the optimizers, as far as the suite has them.
    pub fn to_markdown(&self) -> String {
        let entries = (!self.board.rows.is_empty()).then(|| to_markdown(&self.full_board()));
        let optimizers = self.optimizers.as_ref().map(|o| optimizers_to_markdown(&o.full_board()));
        entries.into_iter().chain(optimizers).collect::<Vec<_>>().join("\n")
    }

    /// The same for a terminal of so many columns.
    pub fn to_table(&self, width: u16, colour: bool) -> String {
        let entries = (!self.board.rows.is_empty()).then(|| to_table(&self.full_board(), width, colour));
        let optimizers =
            self.optimizers.as_ref().map(|o| optimizers_to_table(&o.full_board(), width, colour));
        entries.into_iter().chain(optimizers).collect::<Vec<_>>().join("\n")
    }

    /// What failed, in the order of the boards: the entry or optimizer, the product where there is one, and a sentence.
    pub fn failures(&self) -> impl Iterator<Item = (&str, Option<&str>, &str)> {
        let entries = self.board.rows.iter().flat_map(|row| {
            row.failures.iter().map(move |f| (row.entry.as_str(), product_of(f), f.message.as_str()))
        });
        let optimizers = self.optimizers.iter().flat_map(|o| &o.board.rows);
        entries.chain(
            optimizers
                .flat_map(|row| row.failures.iter().map(|f| (row.optimizer.as_str(), None, f.as_str()))),
        )
    }

    /// Every number with its row and column, entries first.
    fn numbers(&self) -> Vec<((String, String), Estimate)> {
        let of = |row: &str, columns: &[Column], cells: &BTreeMap<String, Estimate>| {
            let number = |c: &Column| Some(((row.to_owned(), c.id.clone()), *cells.get(&c.id)?));
            columns.iter().filter_map(number).collect::<Vec<_>>()
        };
        let board = self.full_board();
        let mut numbers: Vec<_> =
            board.rows.iter().flat_map(|row| of(&row.entry, &board.columns, &row.cells)).collect();
        if let Some(board) = self.optimizers.as_ref().map(OptimizerResult::full_board) {
            numbers.extend(board.rows.iter().flat_map(|row| of(&row.optimizer, &board.columns, &row.cells)));
        }
        numbers
    }

    /// The first row of the first board.
    pub fn leader(&self) -> Option<&str> {
        let optimizer = self.optimizers.as_ref().and_then(|o| o.board.rows.first());
        let entry = self.board.rows.first().map(|row| row.entry.as_str());
        entry.or_else(|| optimizer.map(|row| row.optimizer.as_str()))
    }
}

/// The product of a failure that is not of its whole entry.
fn product_of(failure: &Failure) -> Option<&str> {
    Some(failure.product.as_str()).filter(|product| !product.is_empty())
}

/// The JSON schema of `result.json`.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(RunResult).to_value()
}

/// Writes `result.json` and `LEADERBOARD.md`. A call that computed nothing leaves the times of the one that did.
pub fn write(
    store: &Store,
    board: Leaderboard,
    optimizers: Option<OptimizerResult>,
    session: Session,
) -> Result<RunResult, BenchError> {
    let path = store.dir().join("result.json");
    let mut result = RunResult { optimizers, ..RunResult::split(board, session) };
    if session.computed == 0
        && let Ok(Some(before)) = read_json::<RunResult>(&path)
    {
        result.session = before.session;
    }
    write_json(&path, &result)?;
    write_whole(&store.dir().join("LEADERBOARD.md"), result.to_markdown().as_bytes())?;
    Ok(result)
}

/// The numbers that two runs share, in the order of the first one's rows and columns.
pub fn compare(a: &RunResult, b: &RunResult) -> Vec<Difference> {
    let others: BTreeMap<_, _> = b.numbers().into_iter().collect();
    let shared = a.numbers().into_iter().filter_map(|(key, a)| Some((others.get(&key).copied()?, key, a)));
    shared
        .map(|(b, (entry, column), a)| Difference { entry, column, a, b, difference: b.value - a.value })
        .collect()
}
