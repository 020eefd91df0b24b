//! Opens a file and gives its rows to a table.

use super::cell::Cell;
use super::error::{Place, Problem, RecordError};
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
    /// The columns of a text file that has no line of them.
    pub header: Option<&'static [&'static str]>,
    /// Read past columns that the table does not know, and list them in [`RowReport::ignored`].
    pub past_unknown: bool,
    /// Told of each row that is left out.
    pub rejected: &'a dyn Fn(Place, &Problem),
}

impl Default for ReadOptions<'_> {
    fn default() -> Self {
        Self {
            skip_bad_rows: false,
            ignore: Vec::new(),
            progress: &|_| {},
            header: None,
            past_unknown: false,
            rejected: &|_, _| {},
        }
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

    /// A value as text files have it; one that is missing has no place in an order.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn written(&self, column: usize) -> Result<Cow<'_, str>, Problem> {
        match &self.cells[column] {
            Cell::Missing => {
                let message = "there is no value; fill it in, or leave the row out";
                Err(self.at(column, Problem::new(super::Reason::Missing, message)))
            }
            cell => Ok(cell.written()),
        }
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
    match examine(path, options, table) {
        (report, None) => Ok(report),
        (_, Some(error)) => Err(error),
    }
}

/// The same, with what was read until an error, too.
pub fn examine(
    path: &Path,
    options: &ReadOptions<'_>,
    table: &mut dyn Table,
) -> (RowReport, Option<RecordError>) {
    let mut feed = Feed::new(path.display().to_string(), options, table);
    let read = decode(path, options, &mut feed);
    feed.finish(read.err())
}

fn decode(path: &Path, options: &ReadOptions<'_>, feed: &mut Feed<'_>) -> Result<(), RecordError> {
    let file = path.display().to_string();
    let opened = File::open(path).and_then(|f| match f.metadata()?.is_dir() {
        true => Err(io::Error::other("it is a folder; name a file")),
        false => Ok(f),
    });
    let mut opened =
        opened.map_err(|error| RecordError::Open { file: file.clone(), reason: plain(&error) })?;
    let name = path.file_name().map(|n| n.to_string_lossy().to_lowercase()).unwrap_or_default();
    let (name, zipped) = name.strip_suffix(".gz").map_or((name.as_str(), false), |name| (name, true));
    let text = |opened: File, first: Vec<u8>| {
        let inner = io::Cursor::new(first).chain(opened);
        let counted = BufReader::with_capacity(1 << 18, Counted { inner, progress: options.progress });
        let inner: Box<dyn Read> =
            if zipped { Box::new(MultiGzDecoder::new(counted)) } else { Box::new(counted) };
        BufReader::with_capacity(1 << 18, inner)
    };
    let format = name.rsplit_once('.').map(|(_, ending)| ending);
    let first = match format {
        Some("parquet") => Vec::new(),
        _ => first_bytes(&mut opened, zipped, &file)?,
    };
    match format {
        Some("csv") => csv::feed(text(opened, first), b',', feed),
        Some("tsv") => csv::feed(text(opened, first), b'\t', feed),
        // Lists without a header are often called so.
        Some("txt") if options.header.is_some() => csv::feed(text(opened, first), b'\t', feed),
        Some("jsonl" | "ndjson") => json::feed(text(opened, first), feed),
        Some("parquet") if !zipped => parquet::feed(opened, options.progress, feed),
        _ => Err(RecordError::Format { file }),
    }
}

/// The first two bytes. UTF-16 files have a mark or a zero there: one message in place of one a row.
fn first_bytes(opened: &mut File, zipped: bool, file: &str) -> Result<Vec<u8>, RecordError> {
    let mut first = Vec::new();
    let read = opened.take(2).read_to_end(&mut first);
    read.map_err(|error| RecordError::Open { file: file.to_owned(), reason: plain(&error) })?;
    if !zipped && (matches!(first[..], [0xff, 0xfe] | [0xfe, 0xff]) || first.contains(&0)) {
        let message = "the file is UTF-16; export it as UTF-8 (spreadsheets call it \"CSV UTF-8\")".into();
        return Err(RecordError::Columns { file: file.to_owned(), message });
    }
    Ok(first)
}

/// The names of a file's columns.
#[derive(Debug, Default)]
pub struct Header {
    names: Vec<String>,
}

impl Table for Header {
    fn shape(&self) -> &'static Shape {
        &Shape { name: "rows", columns: &[], families: &[] }
    }

    fn begin(&mut self, layout: &Layout) -> Result<(), String> {
        self.names = layout.unknown.clone();
        // Nothing more is to be read.
        Err(String::new())
    }

    fn row(&mut self, _: &Row<'_>) -> Result<(), Problem> {
        Ok(())
    }
}

/// Reads the names of a file's columns.
///
/// # Errors
/// As [`read`].
pub fn header(path: &Path) -> Result<Vec<String>, RecordError> {
    let mut table = Header::default();
    let options = ReadOptions { skip_bad_rows: true, past_unknown: true, ..ReadOptions::default() };
    match examine(path, &options, &mut table) {
        (_, Some(RecordError::Columns { message, .. })) if message.is_empty() => Ok(table.names),
        (_, Some(error)) => Err(error),
        (_, None) => Ok(table.names),
    }
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
