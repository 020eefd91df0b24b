//! The board for a terminal.

use super::board::{Column, Direction, Leaderboard};
use super::grid::{Grid, GridRow};
use super::{OptimizerBoard, format};
use comfy_table::{Attribute, Cell, CellAlignment, Color, ContentArrangement, LineStyle, Table, TableStyle};

/// Renders the ranking for a terminal of `width` columns (at least 60), with the interval below each number; the best
/// value of a column is bold and the entries that may be first are green when `colour` is on. Columns that do not fit go
/// into further tables below. Strengths are left out: they say again what the win rate says.
pub fn to_table(board: &Leaderboard, width: u16, colour: bool) -> String {
    let texts = [format::caption(board)].into_iter().chain(format::judges(board));
    let texts = texts.chain(board.notes.iter().map(|note| std::format!("Note: {note}")));
    page(&format::title(board), &Grid::from(board), texts, width, colour)
}

/// Renders the board of optimizers, like [`to_table`].
pub fn optimizers_to_table(board: &OptimizerBoard, width: u16, colour: bool) -> String {
    let texts = [board.world.clone(), board.caption()].into_iter();
    page(super::optimizers::TITLE, &Grid::from(board), texts, width, colour)
}

fn page(
    title: &str,
    grid: &Grid<'_>,
    texts: impl Iterator<Item = String>,
    width: u16,
    colour: bool,
) -> String {
    let columns: Vec<&Column> = grid.columns.iter().filter(|c| !c.id.starts_with("strength:")).collect();
    let width = width.max(60);
    let mut out = std::format!("{title}\n");
    for columns in split(grid, &columns, usize::from(width)) {
        out.push('\n');
        build(grid, columns, Some(width), colour).lines().for_each(|line| {
            out.push_str(line.trim_end());
            out.push('\n');
        });
    }
    out.push('\n');
    texts.for_each(|text| wrap(&mut out, &text, usize::from(width)));
    out
}

/// Runs of columns that fit side by side, at least one column each.
fn split<'a, 'b>(grid: &Grid<'_>, columns: &'b [&'a Column], width: usize) -> Vec<&'b [&'a Column]> {
    let mut runs = Vec::new();
    let mut rest = columns;
    loop {
        let fits = (1..=rest.len()).rev().find(|n| widest(&build(grid, &rest[..*n], None, false)) <= width);
        let (run, after) = rest.split_at(fits.unwrap_or(rest.len().min(1)));
        runs.push(run);
        if after.is_empty() {
            return runs;
        }
        rest = after;
    }
}

/// One rule, under the head, so that all columns of the default suite fit in 100.
const RULED: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─'));

fn widest(table: &Table) -> usize {
    table.lines().map(|line| line.chars().count()).max().unwrap_or(0)
}

/// The table; at its natural width without a `width`.
fn build(grid: &Grid<'_>, columns: &[&Column], width: Option<u16>, colour: bool) -> Table {
    let mut table = Table::new();
    table.load_style(RULED);
    match width {
        Some(width) => table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width),
        None => table.set_content_arrangement(ContentArrangement::Disabled),
    };
    if colour {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    let titles = columns.iter().map(|c| {
        let arrow = if c.direction == Direction::Higher { '↑' } else { '↓' };
        Cell::new(std::format!("{} {arrow}", c.title.replace(' ', "\n").replace('-', "-\n")))
            .set_alignment(CellAlignment::Right)
    });
    let header =
        [Cell::new("Rank"), Cell::new(grid.head)].into_iter().chain(titles).chain([Cell::new("Done")]);
    table.set_header(header.collect::<Vec<_>>());
    for row in &grid.rows {
        table.add_row(cells(grid, columns, row));
    }
    let last = columns.len() + 2;
    table.column_iter_mut().enumerate().for_each(|(at, column)| {
        column.set_padding((0, u16::from(at < last)));
    });
    table
}

fn cells(grid: &Grid<'_>, columns: &[&Column], row: &GridRow<'_>) -> Vec<Cell> {
    let may_be_first = row.rank.is_some_and(|r| r.best == 1);
    let entry = Cell::new(row.id);
    let mut cells =
        vec![Cell::new(format::rank(row.rank)), if may_be_first { entry.fg(Color::Green) } else { entry }];
    for column in columns {
        let cell = match row.cells.get(&column.id) {
            None => Cell::new("-"),
            Some(estimate) => {
                let value = format::number(column, estimate.value);
                let text = match format::interval(column, estimate) {
                    Some(interval) => {
                        std::format!("{value}\n{}", interval.replace('%', "").replace(", ", " "))
                    }
                    None => value,
                };
                let best = best(grid, column) == Some(estimate.value);
                if best { Cell::new(text).add_attribute(Attribute::Bold) } else { Cell::new(text) }
            }
        };
        cells.push(cell.set_alignment(CellAlignment::Right));
    }
    let done = Cell::new(row.done.replace(", ", "\n"));
    cells.push(if row.failed { done.fg(Color::Yellow) } else { done });
    cells
}

fn best(grid: &Grid<'_>, column: &Column) -> Option<f64> {
    let values = grid.rows.iter().filter_map(|row| Some(row.cells.get(&column.id)?.value));
    match column.direction {
        Direction::Higher => values.max_by(f64::total_cmp),
        Direction::Lower => values.min_by(f64::total_cmp),
    }
}

/// Appends text broken at spaces.
fn wrap(out: &mut String, text: &str, width: usize) {
    let mut used = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if used > 0 && used + 1 + length > width {
            out.push('\n');
            used = 0;
        } else if used > 0 {
            out.push(' ');
            used += 1;
        }
        out.push_str(word);
        used += length;
    }
    out.push('\n');
}
