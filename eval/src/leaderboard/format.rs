//! Numbers as people read them; shared by the renderers.

use super::board::{Column, Coverage, Leaderboard, RankRange};
use crate::Estimate;

/// A value in its unit: shares of wins and clicks as percent.
pub fn number(column: &Column, value: f64) -> String {
    match (column.unit.as_str(), column.id.as_str()) {
        ("share", id) if id.starts_with("predicted_ctr") => format!("{:.2}%", 100.0 * value),
        ("share", id) if id.starts_with("win_rate") || id == "availability" => {
            format!("{:.1}%", 100.0 * value)
        }
        ("share", "gap_closed" | "worst_seed" | "regret") => format!("{:.1}%", 100.0 * value),
        ("creatives", _) => format!("{value:.0}"),
        ("ms", _) => significant(value),
        ("bytes", _) => format!("{:.0} MiB", value / (1024.0 * 1024.0)),
        ("s", _) if value < 1.0 => format!("{value:.3}"),
        ("log-odds", _) => format!("{value:+.2}"),
        (_, id) if id.starts_with("fd:") || id.starts_with("kd:") => significant(value),
        _ => format!("{value:.3}"),
    }
}

/// Four significant digits without an exponent, up to 4 decimals.
fn significant(value: f64) -> String {
    let digits = if value.abs() < 1e-9 { 0 } else { value.abs().log10().floor() as i32 };
    let decimals = (3 - digits).clamp(0, 4) as usize;
    format!("{value:.decimals$}")
}

/// The interval, e.g. `[51.0%, 63.2%]`.
pub fn interval(column: &Column, estimate: &Estimate) -> Option<String> {
    let (low, high) = (estimate.low?, estimate.high?);
    Some(format!("[{}, {}]", number(column, low), number(column, high)))
}

/// `1`, `2-4`, or `-` when the entry is not ranked.
pub fn rank(rank: Option<RankRange>) -> String {
    match rank {
        Some(r) if r.best == r.worst => r.best.to_string(),
        Some(r) => format!("{}-{}", r.best, r.worst),
        None => "-".into(),
    }
}

/// `96/96`, and the number of failures when there are any.
pub fn coverage(coverage: Coverage, failures: usize) -> String {
    let done = format!("{}/{}", coverage.done, coverage.planned);
    match failures {
        0 => done,
        1 => format!("{done}, 1 failure"),
        n => format!("{done}, {n} failures"),
    }
}

/// The title, which says when the data are synthetic.
pub fn title(board: &Leaderboard) -> String {
    let synthetic = board.notes.iter().any(|note| note.to_lowercase().contains("synthetic"));
    let title = if board.title.is_empty() { "Leaderboard" } else { &board.title };
    if synthetic { format!("{title} (synthetic data)") } else { title.to_owned() }
}

/// What the table shows, in one sentence.
pub fn caption(board: &Leaderboard) -> String {
    let level = 100.0 * board.level;
    format!(
        "{} products. Brackets are {level}% intervals over products. Entries share ranks unless they differ at {:.3} after Holm's correction.",
        board.products,
        1.0 - board.level
    )
}

/// What a judge's answers show, in one sentence.
pub fn judges(board: &Leaderboard) -> Vec<String> {
    let line = |j: &super::JudgeReport| {
        let mut line = format!("{}: {} pairs, {} asked in both orders", j.judge, j.pairs, j.both_orders);
        if let (Some(consistency), Some(bias)) = (j.swap_consistency, j.position_bias) {
            line += &format!(
                "; the two orders agree on {:.1}%, position bias {:+.1} points to the left",
                100.0 * consistency,
                100.0 * bias
            );
        }
        line + &format!("; {:.1}% ties.", 100.0 * j.ties)
    };
    board.judges.iter().map(line).collect()
}
