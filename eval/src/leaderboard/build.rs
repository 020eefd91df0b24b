//! From evidence to a board.

use super::board::{Column, Coverage, Direction, JudgeReport, Leaderboard, Row};
use super::index::{Index, IndexedEntry, IndexedJudge};
use super::ranking::{self, Pair};
use super::{Evidence, Options, SCHEMA_VERSION, distances, product};
use crate::{Bootstrap, ClusterTable, Estimate, EvalError, Preferences, Result, bradley_terry};
use std::collections::BTreeMap;

/// A column with its values by entry (in the index's order).
pub(super) struct Filled {
    pub column: Column,
    pub values: Vec<Option<Estimate>>,
}

/// Computes the ranked board.
///
/// Failed creatives are left out of the metrics (coverage and failures say so) and entries are compared on the products
/// that both have. The result depends on the evidence and the options alone: not on listing order, not on threads.
///
/// # Errors
/// [`EvalError`] names the entry, product and metric of a value that is not finite or out of range, of an unknown or
/// repeated id, or of features whose sizes differ.
pub fn leaderboard(evidence: &Evidence, options: &Options) -> Result<Leaderboard> {
    let bootstrap = Bootstrap { seed: options.seed, resamples: options.resamples, level: options.level };
    bootstrap.validate()?;
    if !(0.0..0.5).contains(&options.tie_margin) {
        let value = options.tie_margin.to_string();
        return Err(EvalError::BadOption { option: "tie_margin", value, rule: "it must lie in [0, 0.5)" });
    }
    let index = Index::new(evidence)?;
    let primary = primary_judge(&index, options)?;
    let mut notes = evidence.notes.clone();
    let judged: Vec<(&IndexedJudge, Preferences)> = index
        .judges
        .iter()
        .map(|j| Ok((j, j.preferences(&index, options.tie_margin)?)))
        .collect::<Result<_>>()?;

    let mut columns = Vec::new();
    for (judge, preferences) in &judged {
        columns.extend(judge_columns(judge, preferences, &index, &bootstrap)?);
    }
    columns.extend(product::columns(&index, &bootstrap)?);
    columns.extend(distances::columns(&index, options, &mut notes)?);
    columns.extend(cost_columns(&index));
    let (primary_column, table) = match primary.map(|p| &judged[p]) {
        Some((judge, preferences)) => (format!("win_rate:{}", judge.id), preferences.table()),
        None => (String::new(), ClusterTable::new(index.products.len(), index.entries.len())),
    };
    if primary.is_none() {
        notes.push("No judge compared the entries, so they are not ranked.".into());
    }
    incomplete_notes(&index, &judged, &mut notes);

    let values = columns.iter().find(|c| c.column.id == primary_column).map(|c| c.values.as_slice());
    let order = ranking::order(index.entries.len(), values);
    let met = ranking::meetings(&order, &table);
    let rates = match primary.map(|p| &judged[p].1) {
        Some(preferences) => preferences.head_to_head(&met, &bootstrap)?,
        None => vec![None; met.len()],
    };
    let ids: Vec<&str> = index.entries.iter().map(|e| e.id).collect();
    let pairwise = ranking::compare(&ids, &met, &table, rates, &bootstrap)?;
    let rows =
        order.iter().map(|&e| row(&index.entries[e], e, &columns, values, &pairwise, &index)).collect();
    notes.sort();
    notes.dedup();
    let mut board = Leaderboard {
        schema_version: SCHEMA_VERSION,
        title: evidence.title.clone(),
        products: index.products.len(),
        level: options.level,
        primary_column,
        columns: columns.into_iter().map(|c| c.column).collect(),
        rows,
        pairwise: pairwise.into_iter().map(|(_, _, result)| result).collect(),
        judges: judged.iter().map(|(judge, preferences)| JudgeReport::of(judge.id, preferences)).collect(),
        notes,
    };
    board.sort_columns();
    Ok(board)
}

fn primary_judge(index: &Index<'_>, options: &Options) -> Result<Option<usize>> {
    match &options.primary_judge {
        None => Ok((!index.judges.is_empty()).then_some(0)),
        Some(id) => match index.judges.iter().position(|j| j.id == id) {
            Some(at) => Ok(Some(at)),
            None => Err(EvalError::Unknown {
                place: "option primary_judge".into(),
                what: "judge",
                name: id.clone(),
                known: index.judges.iter().map(|j| j.id).collect::<Vec<_>>().join(", "),
            }),
        },
    }
}

pub(super) fn column(id: String, title: &str, unit: &str, direction: Direction, meaning: &str) -> Column {
    Column { id, title: title.into(), unit: unit.into(), direction, meaning: meaning.into() }
}

fn judge_columns(
    judge: &IndexedJudge<'_>,
    preferences: &Preferences,
    index: &Index<'_>,
    bootstrap: &Bootstrap,
) -> Result<Vec<Filled>> {
    let id = judge.id;
    let of = |title: &str| if index.judges.len() > 1 { format!("{title} ({id})") } else { title.into() };
    let mut filled = vec![
        Filled {
            column: column(
                format!("win_rate:{id}"),
                &of("Win rate"),
                "share",
                Direction::Higher,
                &format!(
                    "How often {id} prefers the entry's creative to another entry's for the same product; ties as half"
                ),
            ),
            values: preferences.win_rates(bootstrap)?,
        },
        Filled {
            column: column(
                format!("strength:{id}"),
                &of("Strength"),
                "log-odds",
                Direction::Higher,
                &format!("Bradley-Terry strength under {id}; 0 is the mean entry"),
            ),
            values: bradley_terry::strengths(preferences, bootstrap)?,
        },
    ];
    if !judge.scores.is_empty() {
        filled.push(Filled {
            column: column(
                format!("predicted_ctr:{id}"),
                &of("Predicted CTR"),
                "share",
                Direction::Higher,
                &format!(
                    "Mean click-through rate that {id} predicts; a model's opinion, not observed clicks"
                ),
            ),
            values: index.means(judge.scores.iter().copied()).means(bootstrap, false)?,
        });
    }
    Ok(filled)
}

fn cost_columns(index: &Index<'_>) -> Vec<Filled> {
    let seconds = index
        .entries
        .iter()
        .map(|entry| Some(Estimate::plain(entry.cost.seconds_per_creative?, entry.items.len())))
        .collect();
    let memory = index
        .entries
        .iter()
        .map(|entry| Some(Estimate::plain(entry.cost.peak_memory_bytes? as f64, entry.items.len())))
        .collect();
    let meaning = "Median wall time that the entry's plugins take for one creative, on this machine";
    vec![
        Filled {
            column: column("seconds_per_creative".into(), "s per creative", "s", Direction::Lower, meaning),
            values: seconds,
        },
        Filled {
            column: column(
                "peak_memory".into(),
                "Peak memory",
                "bytes",
                Direction::Lower,
                "Largest resident memory of the entry's workers",
            ),
            values: memory,
        },
    ]
}

fn incomplete_notes(index: &Index<'_>, judged: &[(&IndexedJudge<'_>, Preferences)], notes: &mut Vec<String>) {
    for entry in &index.entries {
        if entry.items.len() < entry.planned {
            notes.push(format!(
                "{}: {} of {} creatives were made; its numbers are over those.",
                entry.id,
                entry.items.len(),
                entry.planned
            ));
        }
    }
    for (judge, preferences) in judged {
        let missing = preferences.orders.pairs - preferences.orders.both;
        if missing > 0 {
            notes.push(format!("{}: {missing} pairs were answered in one order only.", judge.id));
        }
    }
}

fn row(
    entry: &IndexedEntry<'_>,
    at: usize,
    columns: &[Filled],
    values: Option<&[Option<Estimate>]>,
    pairwise: &[Pair],
    index: &Index<'_>,
) -> Row {
    let cells: BTreeMap<String, Estimate> =
        columns.iter().filter_map(|c| Some((c.column.id.clone(), c.values[at]?))).collect();
    Row {
        entry: entry.id.into(),
        description: entry.description.into(),
        rank: values.filter(|v| v[at].is_some()).map(|v| ranking::rank(at, v, pairwise)),
        cells,
        coverage: Coverage { done: entry.items.len(), planned: entry.planned },
        cost: entry.cost,
        failures: index.failures(at),
    }
}
