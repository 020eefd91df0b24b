//! Writes a table in the format that a file's name says, whole or not at all.

use super::cell::Cell;
use super::read::plain;
use arrow_array::builder::{ArrayBuilder, BooleanBuilder, Float64Builder, Int64Builder, StringBuilder};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field as ArrowField, Schema};
use flate2::Compression;
use flate2::write::GzEncoder;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression as Codec, ZstdLevel};
use parquet::file::properties::WriterProperties;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Rows of a Parquet batch.
const BATCH: usize = 8192;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text, and in text files anything.
    Text,
    /// Whole numbers.
    Whole,
    /// Numbers.
    Real,
    /// True and false.
    Flag,
}

/// A column of a file to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
}

impl Field {
    /// A column.
    pub fn new(name: impl Into<String>, kind: Kind) -> Self {
        Self { name: name.into(), kind }
    }
}

/// A file that is being written: under another name until [`Writer::finish`].
pub struct Writer {
    path: PathBuf,
    partial: PathBuf,
    fields: Vec<Field>,
    sink: Option<Sink>,
    rows: u64,
}

enum Sink {
    Separated(Box<csv::Writer<Box<dyn Write>>>),
    Lines(Box<dyn Write>),
    Parquet(Box<Batches>),
}

impl Writer {
    /// Begins a file: .csv, .tsv, .jsonl (also with .gz behind) or .parquet.
    ///
    /// # Errors
    /// One sentence: an unknown ending, a file that is there already, or what the system says.
    pub fn create(path: &Path, fields: Vec<Field>) -> Result<Self, String> {
        let shown = path.display();
        if path.exists() {
            return Err(format!("{shown} is there already; remove it, or name another file"));
        }
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let lower = name.to_lowercase();
        let (stem, zipped) = lower.strip_suffix(".gz").map_or((lower.as_str(), false), |stem| (stem, true));
        let format = stem.rsplit_once('.').map(|(_, ending)| ending.to_owned());
        let partial = path.with_file_name(format!(".{name}.partial"));
        let open = || File::create(&partial).map_err(|e| format!("{shown} cannot be written: {}", plain(&e)));
        let text = || -> Result<Box<dyn Write>, String> {
            let file = BufWriter::with_capacity(1 << 18, open()?);
            Ok(if zipped { Box::new(GzEncoder::new(file, Compression::default())) } else { Box::new(file) })
        };
        let separated = |delimiter| -> Result<Sink, String> {
            Ok(Sink::Separated(csv::WriterBuilder::new().delimiter(delimiter).from_writer(text()?).into()))
        };
        let mut sink = match format.as_deref() {
            Some("csv") => separated(b',')?,
            Some("tsv") => separated(b'\t')?,
            Some("jsonl" | "ndjson") => Sink::Lines(text()?),
            Some("parquet") if !zipped => {
                Sink::Parquet(Box::new(Batches::new(open()?, &fields).map_err(|e| format!("{shown}: {e}"))?))
            }
            _ => {
                return Err(format!(
                    "{shown}: the name does not say which format to write; name it .csv, .tsv, .jsonl or .parquet"
                ));
            }
        };
        if let Sink::Separated(writer) = &mut sink {
            let head = writer.write_record(fields.iter().map(|f| f.name.as_str()));
            head.map_err(|e| format!("{shown} cannot be written: {e}"))?;
        }
        Ok(Self { path: path.to_owned(), partial, fields, sink: Some(sink), rows: 0 })
    }

    /// Writes a row: a cell for each column.
    ///
    /// # Errors
    /// One sentence that names the file.
    pub fn row(&mut self, cells: &[Cell<'_>]) -> Result<(), String> {
        self.rows += 1;
        let done = match &mut self.sink {
            Some(Sink::Separated(writer)) => separated(writer, cells).map_err(|e| e.to_string()),
            Some(Sink::Lines(writer)) => line(writer, &self.fields, cells).map_err(|e| plain(&e)),
            Some(Sink::Parquet(batches)) => batches.row(cells),
            None => Err("it is finished".into()),
        };
        done.map_err(|e| format!("{} cannot be written: {e}", self.path.display()))
    }

    /// Rows so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Ends the file and gives it its name.
    ///
    /// # Errors
    /// One sentence that names the file.
    pub fn finish(mut self) -> Result<u64, String> {
        let ended = match self.sink.take() {
            Some(Sink::Separated(writer)) => writer
                .into_inner()
                .map_err(|e| plain(e.error()))
                .and_then(|mut w| w.flush().map_err(|e| plain(&e))),
            Some(Sink::Lines(mut writer)) => writer.flush().map_err(|e| plain(&e)),
            Some(Sink::Parquet(batches)) => batches.finish(),
            None => Ok(()),
        };
        let named = ended.and_then(|()| std::fs::rename(&self.partial, &self.path).map_err(|e| plain(&e)));
        named.map_err(|e| format!("{} cannot be written: {e}", self.path.display()))?;
        Ok(self.rows)
    }
}

impl Drop for Writer {
    /// Leaves no half of a file behind; nothing is there to remove after [`Writer::finish`].
    fn drop(&mut self) {
        self.sink = None;
        let _ = std::fs::remove_file(&self.partial);
    }
}

fn separated(writer: &mut csv::Writer<Box<dyn Write>>, cells: &[Cell<'_>]) -> csv::Result<()> {
    for cell in cells {
        writer.write_field(cell.written().as_bytes())?;
    }
    writer.write_record(None::<&[u8]>)
}

fn line(writer: &mut impl Write, fields: &[Field], cells: &[Cell<'_>]) -> io::Result<()> {
    for (at, (field, cell)) in fields.iter().zip(cells).enumerate() {
        writer.write_all(if at == 0 { b"{" } else { b", " })?;
        serde_json::to_writer(&mut *writer, &field.name)?;
        writer.write_all(b": ")?;
        match cell {
            Cell::Missing => writer.write_all(b"null")?,
            Cell::Text(text) => serde_json::to_writer(&mut *writer, text)?,
            Cell::Whole(number) => write!(writer, "{number}")?,
            Cell::Real(number) => serde_json::to_writer(&mut *writer, number)?,
            Cell::Flag(flag) => write!(writer, "{flag}")?,
        }
    }
    writer.write_all(b"}\n")
}

/// Columns of a Parquet file on their way.
struct Batches {
    writer: ArrowWriter<File>,
    schema: Arc<Schema>,
    columns: Vec<Column>,
    names: Vec<String>,
}

enum Column {
    Text(StringBuilder),
    Whole(Int64Builder),
    Real(Float64Builder),
    Flag(BooleanBuilder),
}

impl Batches {
    fn new(file: File, fields: &[Field]) -> Result<Self, String> {
        let typed = |field: &Field| {
            let (kind, column) = match field.kind {
                Kind::Text => (DataType::Utf8, Column::Text(StringBuilder::new())),
                Kind::Whole => (DataType::Int64, Column::Whole(Int64Builder::new())),
                Kind::Real => (DataType::Float64, Column::Real(Float64Builder::new())),
                Kind::Flag => (DataType::Boolean, Column::Flag(BooleanBuilder::new())),
            };
            (ArrowField::new(&field.name, kind, true), column)
        };
        let (arrow, columns): (Vec<_>, _) = fields.iter().map(typed).unzip();
        let schema = Arc::new(Schema::new(arrow));
        let properties =
            WriterProperties::builder().set_compression(Codec::ZSTD(ZstdLevel::default())).build();
        let writer =
            ArrowWriter::try_new(file, schema.clone(), Some(properties)).map_err(|e| e.to_string())?;
        Ok(Self { writer, schema, columns, names: fields.iter().map(|f| f.name.clone()).collect() })
    }

    fn row(&mut self, cells: &[Cell<'_>]) -> Result<(), String> {
        for ((column, cell), name) in self.columns.iter_mut().zip(cells).zip(&self.names) {
            let fits = match (column, cell) {
                (Column::Text(b), Cell::Missing) => {
                    b.append_null();
                    true
                }
                (Column::Text(b), cell) => {
                    b.append_value(cell.written());
                    true
                }
                (Column::Whole(b), Cell::Missing) => {
                    b.append_null();
                    true
                }
                (Column::Whole(b), Cell::Whole(v)) => {
                    b.append_value(*v);
                    true
                }
                (Column::Real(b), Cell::Missing) => {
                    b.append_null();
                    true
                }
                (Column::Real(b), Cell::Real(v)) => {
                    b.append_value(*v);
                    true
                }
                (Column::Flag(b), Cell::Missing) => {
                    b.append_null();
                    true
                }
                (Column::Flag(b), Cell::Flag(v)) => {
                    b.append_value(*v);
                    true
                }
                _ => false,
            };
            if !fits {
                return Err(format!("{} does not fit the type of column \"{name}\"", cell.shown()));
            }
        }
        let full = self.columns.first().is_some_and(|c| c.len() == BATCH);
        if full { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), String> {
        let arrays: Vec<ArrayRef> = self.columns.iter_mut().map(Column::take).collect();
        let batch = RecordBatch::try_new(self.schema.clone(), arrays).map_err(|e| e.to_string())?;
        self.writer.write(&batch).map_err(|e| e.to_string())
    }

    fn finish(mut self: Box<Self>) -> Result<(), String> {
        self.flush()?;
        self.writer.close().map(|_| ()).map_err(|e| e.to_string())
    }
}

impl Column {
    fn len(&self) -> usize {
        match self {
            Self::Text(b) => b.len(),
            Self::Whole(b) => b.len(),
            Self::Real(b) => b.len(),
            Self::Flag(b) => b.len(),
        }
    }

    fn take(&mut self) -> ArrayRef {
        match self {
            Self::Text(b) => Arc::new(b.finish()),
            Self::Whole(b) => Arc::new(b.finish()),
            Self::Real(b) => Arc::new(b.finish()),
            Self::Flag(b) => Arc::new(b.finish()),
        }
    }
}
