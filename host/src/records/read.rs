//! Opens a file and gives its rows to a table.

use super::cell::Cell;
use super::error::{Problem, RecordError};
use super::feed::Feed;
use super::layout::{Layout, Shape};
use super::report::RowReport;
use super::{csv, json, parquet};
use flate2::read::MultiGzDecoder;
use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

/// How to read.
pub struct ReadOptions<'a> {
    /// Leave out rows that cannot be used, and count them, in place of an error.
    pub skip_bad_rows: bool,
    /// Columns to read past.
    pub ignore: Vec<String>,
    /// Told of each so many bytes that were read.
    pub progress: &'a dyn Fn(u64),
}

impl Default for ReadOptions<'_> {
    fn default() -> Self {
        Self { skip_bad_rows: false, ignore: Vec::new(), progress: &|_| {} }
    }
}

/// Takes the rows of a file.
pub trait Table {
    /// Its columns.
    fn shape(&self) -> &'static Shape;

    /// Before the first row.
    ///
    /// # Errors
    /// One sentence when the file's columns do not go together.
    fn begin(&mut self, layout: &Layout) -> Result<(), String>;

    /// One row. A row that is refused must leave the table as it was.
    ///
    /// # Errors
    /// What is wrong with the row.
    fn row(&mut self, row: &Row<'_>) -> Result<(), Problem>;
}

/// A row's cells, in the order of the table's columns.
pub struct Row<'a> {
    pub(super) cells: &'a [Cell<'a>],
    pub(super) names: &'a [String],
}

impl Row<'_> {
    /// A name: text or a whole number.
    ///
    /// # Errors
    /// What is there in its place, with the column's name; as all below.
    pub fn name(&self, column: usize) -> Result<Cow<'_, str>, Problem> {
        self.cells[column].name().map_err(|p| self.at(column, p))
    }

    /// The same, where nothing may be there.
    pub fn optional_name(&self, column: usize) -> Result<Option<Cow<'_, str>>, Problem> {
        self.optional(column).map(|()| self.name(column)).transpose()
    }

    /// A count.
    pub fn count(&self, column: usize) -> Result<u64, Problem> {
        self.cells[column].count().map_err(|p| self.at(column, p))
    }

    /// A finite number.
    pub fn number(&self, column: usize) -> Result<f64, Problem> {
        self.cells[column].number().map_err(|p| self.at(column, p))
    }

    /// The same, where nothing may be there.
    pub fn optional_number(&self, column: usize) -> Result<Option<f64>, Problem> {
        self.optional(column).map(|()| self.number(column)).transpose()
    }

    /// 0 or 1.
    pub fn zero_or_one(&self, column: usize) -> Result<f64, Problem> {
        self.cells[column].zero_or_one().map_err(|p| self.at(column, p))
    }

    /// A number in [0, 1], where nothing may be there.
    pub fn optional_probability(&self, column: usize) -> Result<Option<f64>, Problem> {
        let Some(p) = self.optional_number(column)? else { return Ok(None) };
        if (0.0..=1.0).contains(&p) {
            return Ok(Some(p));
        }
        let message = format!("{p} is not a probability; it must lie in [0, 1]");
        Err(self.at(column, Problem::new(super::Reason::OutOfRange, message)))
    }

    /// A problem of a column.
    pub fn at(&self, column: usize, problem: Problem) -> Problem {
        problem.of(&self.names[column])
    }

    fn optional(&self, column: usize) -> Option<()> {
        (!self.cells[column].is_missing()).then_some(())
    }
}

/// Gives all rows of a file to a table. The format is told from the name.
///
/// # Errors
/// [`RecordError`] names the file, the row, the column and the mend.
pub fn read(path: &Path, options: &ReadOptions<'_>, table: &mut dyn Table) -> Result<RowReport, RecordError> {
    let file = path.display().to_string();
    let opened = File::open(path).and_then(|f| match f.metadata()?.is_dir() {
        true => Err(io::Error::other("it is a folder; name a file")),
        false => Ok(f),
    });
    let opened = opened.map_err(|error| RecordError::Open { file: file.clone(), reason: plain(&error) })?;
    let name = path.file_name().map(|n| n.to_string_lossy().to_lowercase()).unwrap_or_default();
    let mut feed = Feed::new(file.clone(), options, table);
    let (name, zipped) = name.strip_suffix(".gz").map_or((name.as_str(), false), |name| (name, true));
    let text = |opened| {
        let counted =
            BufReader::with_capacity(1 << 18, Counted { inner: opened, progress: options.progress });
        let inner: Box<dyn Read> =
            if zipped { Box::new(MultiGzDecoder::new(counted)) } else { Box::new(counted) };
        BufReader::with_capacity(1 << 18, inner)
    };
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("csv") => csv::feed(text(opened), b',', &mut feed)?,
        Some("tsv") => csv::feed(text(opened), b'\t', &mut feed)?,
        Some("jsonl" | "ndjson") => json::feed(text(opened), &mut feed)?,
        Some("parquet") if !zipped => parquet::feed(opened, options.progress, &mut feed)?,
        _ => return Err(RecordError::Format { file }),
    }
    feed.finish()
}

/// The system's words, without its number.
pub(super) fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    text.split_once(" (os error").map_or(text.clone(), |(words, _)| words.to_owned())
}

/// Tells how much of a file was read.
struct Counted<'a, R> {
    inner: R,
    progress: &'a dyn Fn(u64),
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        (self.progress)(read as u64);
        Ok(read)
    }
}
