//! Options of every command that reads a log, and the reading.

use super::super::Session;
use super::super::exit::{Finish, Stop};
use super::super::output;
use super::super::progress::Report;
use crate::records::{self, Place, Problem, ReadOptions, RecordError, RowReport, Table};
use adeval_eval::Bootstrap;
use serde::Serialize;
use std::path::Path;

/// Files below this are read before a bar could be seen.
const LARGE: u64 = 1 << 26;

/// Which rows and columns count.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Reading")]
pub struct SourceArgs {
    /// Leave out rows that cannot be used, and count them by reason; without, the first one is an error.
    #[arg(long)]
    skip_bad_rows: bool,
    /// Read past a column that the table does not know; may be repeated.
    #[arg(long, value_name = "COLUMN")]
    ignore: Vec<String>,
}

/// How intervals are made.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Intervals")]
pub struct IntervalArgs {
    /// Confidence level of intervals.
    #[arg(long, default_value_t = 0.95)]
    level: f64,
    /// Bootstrap resamples, 100 to 1000000.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    resamples: u32,
    /// Seed of all randomness.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

impl IntervalArgs {
    pub fn bootstrap(&self) -> Result<Bootstrap, Stop> {
        let bootstrap = Bootstrap { seed: self.seed, resamples: self.resamples, level: self.level };
        bootstrap.validate()?;
        Ok(bootstrap)
    }
}

impl SourceArgs {
    /// Every row and every column counts.
    pub fn strict() -> Self {
        Self { skip_bad_rows: false, ignore: Vec::new() }
    }

    /// Reads a file. Columns to ignore are those of the first file, `ignores` says whether this is it.
    pub fn read(
        &self,
        path: &Path,
        ignores: bool,
        table: &mut dyn Table,
        session: Session,
    ) -> Result<RowReport, Stop> {
        let ignore = if ignores { self.ignore.clone() } else { Vec::new() };
        let options = ReadOptions { skip_bad_rows: self.skip_bad_rows, ignore, ..ReadOptions::default() };
        warned(path, with_progress(path, options, table, session))
    }

    /// Reads a file that will be read again, and warned of then.
    pub fn peek(&self, path: &Path, table: &mut dyn Table, session: Session) -> Result<RowReport, Stop> {
        let (skip_bad_rows, ignore) = (self.skip_bad_rows, self.ignore.clone());
        let options = ReadOptions { skip_bad_rows, ignore, ..ReadOptions::default() };
        match with_progress(path, options, table, session) {
            (rows, None) => Ok(rows),
            (_, Some(error)) => Err(error.into()),
        }
    }

    /// Reads a file that is to become another one: its columns may be given, and rows that are left out are told of.
    pub fn read_as(
        &self,
        path: &Path,
        header: Option<&'static [&'static str]>,
        rejected: &dyn Fn(Place, &Problem),
        table: &mut dyn Table,
        session: Session,
    ) -> Result<RowReport, Stop> {
        let (skip_bad_rows, ignore) = (self.skip_bad_rows, self.ignore.clone());
        let options = ReadOptions { skip_bad_rows, ignore, header, rejected, ..ReadOptions::default() };
        warned(path, with_progress(path, options, table, session))
    }
}

/// Reads a file with a bar if it is large; what was read until an error, too.
pub fn with_progress(
    path: &Path,
    options: ReadOptions<'_>,
    table: &mut dyn Table,
    session: Session,
) -> (RowReport, Option<RecordError>) {
    let size = std::fs::metadata(path).map_or(0, |m| m.len());
    let report = Report::new(session.quiet || size < LARGE);
    if size >= LARGE {
        report.stage_bytes("read", size);
    }
    let progress = |bytes| report.advance_bytes(bytes);
    let read = records::examine(path, &ReadOptions { progress: &progress, ..options }, table);
    report.finish();
    read
}

/// Warns of rows that were left out.
fn warned(path: &Path, (rows, error): (RowReport, Option<RecordError>)) -> Result<RowReport, Stop> {
    if let Some(error) = error {
        return Err(error.into());
    }
    for left in &rows.left_out {
        let count = format!("{} of {} rows left out ({})", left.rows, rows.read, left.reason);
        output::warn(&format!("{}: {count}; the first: {}, {}", path.display(), left.place, left.first));
    }
    Ok(rows)
}

/// Prints a result as JSON, or as a page for people.
pub fn show<T: Serialize>(result: &T, page: impl FnOnce(&T) -> String, session: Session) -> Result<(), Stop> {
    if session.json { output::print_json(result) } else { output::print(&page(result)) }?;
    Ok(())
}

/// 3 when rows were left out: done, but without some items.
pub fn finish<'a>(rows: impl IntoIterator<Item = &'a RowReport>) -> Finish {
    Finish::with_failures(rows.into_iter().any(|rows| rows.missing() > 0))
}

impl From<RecordError> for Stop {
    fn from(error: RecordError) -> Self {
        let stop = Self::new(error.to_string());
        match error {
            RecordError::Row { .. } => {
                stop.help("mend the row, or leave out all rows that cannot be used with --skip-bad-rows, which counts them")
            }
            RecordError::Columns { .. } | RecordError::Format { .. } | RecordError::Empty { .. } => {
                stop.help("docs/logs.md has the columns of each table, with examples")
            }
            _ => stop,
        }
    }
}
