//! The board as Markdown.

use super::board::{Column, Direction, Leaderboard, PairwiseResult};
use super::grid::Grid;
use super::{OptimizerBoard, format};
use std::fmt::Write;

/// Renders the whole board: ranking, meanings of the columns, paired comparisons, judges, failures, notes.
pub fn to_markdown(board: &Leaderboard) -> String {
    let mut out = format!("# {}\n\n{}\n\n", escape(&format::title(board)), format::caption(board));
    ranking(&mut out, &Grid::from(board));
    meanings(&mut out, &board.columns);
    let primary = board.columns.iter().find(|c| c.id == board.primary_column);
    pairwise(&mut out, primary, &board.pairwise);
    section(&mut out, "Judges", format::judges(board).into_iter());
    let failures = board.rows.iter().flat_map(|row| {
        row.failures.iter().map(|f| {
            let product = if f.product.is_empty() { "all products" } else { &f.product };
            std::format!("{}, {product}, {}: {}", row.entry, f.stage, f.message)
        })
    });
    section(&mut out, "Failures", failures);
    section(&mut out, "Notes", board.notes.iter().cloned());
    out
}

/// Renders the board of optimizers, like [`to_markdown`].
pub fn optimizers_to_markdown(board: &OptimizerBoard) -> String {
    let title = super::optimizers::TITLE;
    let mut out = format!("# {title}\n\n{} {}\n\n", escape(&board.world), board.caption());
    ranking(&mut out, &Grid::from(board));
    meanings(&mut out, &board.columns);
    let primary = board.columns.iter().find(|c| c.id == board.primary_column);
    pairwise(&mut out, primary, &board.pairwise);
    let failures = board
        .rows
        .iter()
        .flat_map(|row| row.failures.iter().map(|failure| std::format!("{}: {failure}", row.optimizer)));
    section(&mut out, "Failures", failures);
    out
}

fn meanings(out: &mut String, columns: &[Column]) {
    *out += "\n## Columns\n\n";
    for column in columns {
        let better = match column.direction {
            Direction::Higher => "higher is better",
            Direction::Lower => "lower is better",
        };
        line(out, format_args!("- **{}**: {}; {better}.", escape(&column.title), escape(&column.meaning)));
    }
}

fn ranking(out: &mut String, grid: &Grid<'_>) {
    let arrow = |c: &Column| if c.direction == Direction::Higher { "↑" } else { "↓" };
    let titles = grid.columns.iter().map(|c| std::format!(" {} {} |", escape(&c.title), arrow(c)));
    line(out, format_args!("| Rank | {} |{} Done |", grid.head, titles.collect::<String>()));
    line(out, format_args!("|---|---|{}---|", "---:|".repeat(grid.columns.len())));
    for row in &grid.rows {
        let cells = grid.columns.iter().map(|column| match row.cells.get(&column.id) {
            None => " - |".to_owned(),
            Some(estimate) => {
                let interval =
                    format::interval(column, estimate).map_or(String::new(), |i| " ".to_owned() + &i);
                std::format!(" {}{interval} |", format::number(column, estimate.value))
            }
        });
        let cells: String = cells.collect();
        let rank = format::rank(row.rank);
        line(out, format_args!("| {rank} | {} |{cells} {} |", escape(row.id), row.done));
    }
}

fn pairwise(out: &mut String, column: Option<&Column>, pairs: &[PairwiseResult]) {
    let Some(column) = column.filter(|_| !pairs.is_empty()) else { return };
    *out += "\n## Paired comparisons\n\n";
    let title = escape(&column.title);
    line(out, format_args!("| A | B | A beats B | {title}, A minus B | p | p (Holm) | verdict |"));
    *out += "|---|---|---:|---:|---:|---:|---|\n";
    for pair in pairs {
        let percent = |e: &crate::Estimate| match format::interval(column, e) {
            Some(interval) => std::format!("{} {interval}", format::number(column, e.value)),
            None => format::number(column, e.value),
        };
        let (rate, difference) =
            (pair.win_rate.as_ref().map_or("-".into(), percent), percent(&pair.difference));
        let verdict = match (pair.significant, pair.difference.value > 0.0) {
            (false, _) => "tie",
            (true, true) => "A",
            (true, false) => "B",
        };
        let (a, b, p, holm) = (escape(&pair.a), escape(&pair.b), pair.p, pair.p_holm);
        line(out, format_args!("| {a} | {b} | {rate} | {difference} | {p:.4} | {holm:.4} | {verdict} |"));
    }
}

fn section(out: &mut String, title: &str, lines: impl Iterator<Item = String>) {
    let mut lines = lines.peekable();
    if lines.peek().is_none() {
        return;
    }
    line(out, format_args!("\n## {title}\n"));
    lines.for_each(|text| line(out, format_args!("- {}", escape(&text))));
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{text}");
}

/// Keeps foreign text from breaking tables or becoming markup.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '|' | '*' | '_' | '`' | '<' | '>' | '[' | ']' | '\\' | '#' => out.extend(['\\', c]),
            '\n' | '\r' => out.push(' '),
            _ => out.push(c),
        }
    }
    out
}
