//! What goes to stdout: text in the width of the terminal, or JSON.

use super::exit::{Finish, Stop};
use comfy_table::presets::NOTHING;
use comfy_table::{Attribute, Cell, ContentArrangement, Table};
use serde::Serialize;
use std::io::{ErrorKind, Write};

/// Columns where stdout is no terminal.
const WIDTH: u16 = 100;

/// Columns that a table may take.
pub fn width() -> u16 {
    let terminal = console::Term::stdout();
    if terminal.is_term() { terminal.size().1.clamp(60, 160) } else { WIDTH }
}

/// Whether stdout takes colours: a terminal, without `NO_COLOR`.
pub fn colour() -> bool {
    console::colors_enabled()
}

/// Writes text to stdout. A reader that has left (`| head`) is no failure.
pub fn print(text: &str) -> Result<Finish, Stop> {
    let mut stdout = anstream::stdout().lock();
    let newline = if text.ends_with('\n') { "" } else { "\n" };
    match write!(stdout, "{text}{newline}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Stop::new(format!("stdout cannot be written: {error}")))
        }
        _ => Ok(Finish::Done),
    }
}

/// Writes a value as indented JSON to stdout.
pub fn print_json(value: &impl Serialize) -> Result<Finish, Stop> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| Stop::new(format!("the result cannot be written as JSON: {error}")))?;
    print(&text)
}

/// A table without lines, its head in bold.
pub fn table<const N: usize>(head: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    table_of(head, rows)
}

/// The same with as many columns as there happen to be.
pub fn table_of<'a, R: IntoIterator<Item = String>>(
    head: impl IntoIterator<Item = &'a str>,
    rows: impl IntoIterator<Item = R>,
) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_width(width());
    if colour() {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    table.set_header(head.into_iter().map(|title| Cell::new(title).add_attribute(Attribute::Bold)));
    table.add_rows(rows.into_iter().map(|row| row.into_iter().collect::<Vec<_>>()));
    table.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

/// A warning for people, on stderr.
pub fn warn(message: &str) {
    let yellow = anstyle::AnsiColor::Yellow.on_default().bold();
    anstream::eprintln!("{yellow}warning:{yellow:#} {message}");
}
