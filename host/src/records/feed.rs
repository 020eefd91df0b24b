//! Between a format and a table: columns are matched, rows checked and counted.

use super::cell::Cell;
use super::error::{Place, Problem, RecordError};
use super::layout::Layout;
use super::read::{ReadOptions, Row, Table};
use super::report::RowReport;
use super::write::Kind;

/// Takes a file's rows from its format's decoder and gives them to the table.
pub(super) struct Feed<'a> {
    file: String,
    options: &'a ReadOptions<'a>,
    table: &'a mut dyn Table,
    layout: Layout,
    report: RowReport,
    first: Option<(Place, Problem)>,
    kinds: Vec<Kind>,
}

impl<'a> Feed<'a> {
    pub fn new(file: String, options: &'a ReadOptions<'a>, table: &'a mut dyn Table) -> Self {
        Self {
            file,
            options,
            table,
            layout: Layout::default(),
            report: RowReport::default(),
            first: None,
            kinds: Vec::new(),
        }
    }

    /// The columns of the file, before its first row.
    pub fn header(&mut self, names: &[String]) -> Result<(), RecordError> {
        let refused = |message| RecordError::Columns { file: self.file.clone(), message };
        let past = self.options.past_unknown;
        self.layout = Layout::new(self.table.shape(), names, &self.options.ignore, past).map_err(refused)?;
        self.layout.set_kinds(&self.kinds);
        self.report.ignored.clone_from(&self.layout.unknown);
        self.table.begin(&self.layout).map_err(refused)
    }

    /// What the columns of a typed file hold, before its header.
    pub fn kinds(&mut self, kinds: Vec<Kind>) {
        self.kinds = kinds;
    }

    /// The columns of a text file without a line of them.
    pub fn given_header(&self) -> Option<&'static [&'static str]> {
        self.options.header
    }

    /// For each column of the file, the cell that it fills.
    pub fn slots(&self) -> &[Option<usize>] {
        &self.layout.slots
    }

    /// Cells of a row.
    pub fn width(&self) -> usize {
        self.layout.names.len()
    }

    /// A row, or why it cannot be read.
    pub fn row(&mut self, place: Place, cells: Result<&[Cell<'_>], Problem>) -> Result<(), RecordError> {
        self.report.read += 1;
        let names = &self.layout.names;
        let done = cells.and_then(|cells| self.table.row(&Row { cells, names }));
        let Err(problem) = done else {
            self.report.used += 1;
            return Ok(());
        };
        if !self.options.skip_bad_rows {
            return Err(RecordError::Row { file: self.file.clone(), place, problem });
        }
        (self.options.rejected)(place, &problem);
        self.report.leave_out(place, &problem);
        self.first.get_or_insert((place, problem));
        Ok(())
    }

    /// The bytes are not what the format says.
    pub fn damaged(&self, reason: impl ToString) -> RecordError {
        RecordError::Damaged { file: self.file.clone(), reason: reason.to_string() }
    }

    /// The columns cannot be read.
    pub fn columns(&self, message: String) -> RecordError {
        RecordError::Columns { file: self.file.clone(), message }
    }

    /// After the last row, or after what ended the reading.
    pub fn finish(self, error: Option<RecordError>) -> (RowReport, Option<RecordError>) {
        let file = self.file;
        let error = error.or_else(|| match self.first {
            _ if self.report.read == 0 => Some(RecordError::Empty { file, table: self.table.shape().name }),
            Some((place, problem)) if self.report.used == 0 => {
                Some(RecordError::NothingLeft { file, rows: self.report.read, place, problem })
            }
            _ => None,
        });
        (self.report, error)
    }
}
