//! Apache Parquet: flat columns of text, numbers, booleans and dates, a batch of rows at a time.

use super::cell::Cell;
use super::error::{Place, RecordError};
use super::feed::Feed;
use super::write::Kind;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Date64Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{
    Array, BooleanArray, LargeStringArray, PrimitiveArray, RecordBatch, StringArray, StringViewArray,
};
use arrow_schema::{DataType, TimeUnit};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::borrow::Cow;
use std::fs::File;

/// Rows decoded at once.
const BATCH: usize = 8192;

pub(super) fn feed(file: File, progress: &dyn Fn(u64), feed: &mut Feed<'_>) -> Result<(), RecordError> {
    let bytes = file.metadata().map_or(0, |m| m.len());
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|e| feed.damaged(reason(&e)))?;
    let rows = u64::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(0).max(1);
    let names: Vec<String> = builder.schema().fields().iter().map(|f| f.name().clone()).collect();
    feed.kinds(builder.schema().fields().iter().map(|f| kind(f.data_type())).collect());
    feed.header(&names)?;
    let reader = builder.with_batch_size(BATCH).build().map_err(|e| feed.damaged(reason(&e)))?;
    let mut before = 0;
    for batch in reader {
        let batch = batch.map_err(|e| feed.damaged(reason(&e)))?;
        feed_batch(&batch, &names, before, feed)?;
        before += batch.num_rows() as u64;
        progress((bytes as f64 * batch.num_rows() as f64 / rows as f64) as u64);
    }
    Ok(())
}

fn feed_batch(
    batch: &RecordBatch,
    names: &[String],
    before: u64,
    feed: &mut Feed<'_>,
) -> Result<(), RecordError> {
    let mut columns = Vec::new();
    for ((column, name), slot) in batch.columns().iter().zip(names).zip(feed.slots()) {
        let Some(slot) = slot else { continue };
        let values = Values::of(column.as_ref()).ok_or_else(|| {
            let kind = column.data_type();
            feed.columns(format!(
                "column \"{name}\" is of type {kind}, which is not read; write it as text, whole numbers, floats or booleans"
            ))
        })?;
        columns.push((*slot, values));
    }
    let mut cells = vec![Cell::Missing; feed.width()];
    for row in 0..batch.num_rows() {
        for (slot, values) in &columns {
            cells[*slot] = values.cell(row);
        }
        feed.row(Place::Row(before + row as u64 + 1), Ok(&cells))?;
    }
    Ok(())
}

/// What cells of a column are; dates and times are whole numbers in their own unit.
fn kind(of: &DataType) -> Kind {
    use DataType as D;
    match of {
        D::Boolean => Kind::Flag,
        D::Float32 | D::Float64 => Kind::Real,
        // Those that are too large for a whole number would be text.
        D::Int8 | D::Int16 | D::Int32 | D::Int64 | D::UInt8 | D::UInt16 | D::UInt32 => Kind::Whole,
        D::Date32 | D::Date64 | D::Timestamp(..) => Kind::Whole,
        D::Dictionary(_, values) => kind(values),
        _ => Kind::Text,
    }
}

/// A column of a batch, its type known.
enum Values<'a> {
    Text(&'a StringArray),
    LargeText(&'a LargeStringArray),
    TextView(&'a StringViewArray),
    Flags(&'a BooleanArray),
    Number(Box<dyn Fn(usize) -> Cell<'a> + 'a>),
    /// Texts that occur often, by number.
    Dictionary(Vec<usize>, Box<Self>, &'a dyn Array),
}

impl<'a> Values<'a> {
    fn of(array: &'a dyn Array) -> Option<Self> {
        Some(match array.data_type() {
            DataType::Utf8 => Self::Text(array.as_string()),
            DataType::LargeUtf8 => Self::LargeText(array.as_string()),
            DataType::Utf8View => Self::TextView(array.as_string_view()),
            DataType::Boolean => Self::Flags(array.as_boolean()),
            DataType::Float32 => real::<Float32Type>(array.as_primitive(), f64::from),
            DataType::Float64 => real::<Float64Type>(array.as_primitive(), |v| v),
            DataType::Int8 => whole::<Int8Type>(array.as_primitive()),
            DataType::Int16 => whole::<Int16Type>(array.as_primitive()),
            DataType::Int32 => whole::<Int32Type>(array.as_primitive()),
            DataType::Int64 => whole::<Int64Type>(array.as_primitive()),
            DataType::UInt8 => whole::<UInt8Type>(array.as_primitive()),
            DataType::UInt16 => whole::<UInt16Type>(array.as_primitive()),
            DataType::UInt32 => whole::<UInt32Type>(array.as_primitive()),
            DataType::UInt64 => whole::<UInt64Type>(array.as_primitive()),
            DataType::Date32 => whole::<Date32Type>(array.as_primitive()),
            DataType::Date64 => whole::<Date64Type>(array.as_primitive()),
            DataType::Timestamp(unit, _) => match unit {
                TimeUnit::Second => whole::<TimestampSecondType>(array.as_primitive()),
                TimeUnit::Millisecond => whole::<TimestampMillisecondType>(array.as_primitive()),
                TimeUnit::Microsecond => whole::<TimestampMicrosecondType>(array.as_primitive()),
                TimeUnit::Nanosecond => whole::<TimestampNanosecondType>(array.as_primitive()),
            },
            DataType::Dictionary(_, _) => {
                let dictionary = array.as_any_dictionary_opt()?;
                let values = Self::of(dictionary.values().as_ref())?;
                // Without a text to point at, every row is null.
                let none = dictionary.values().is_empty();
                let keys = if none { vec![0; array.len()] } else { dictionary.normalized_keys() };
                Self::Dictionary(keys, Box::new(values), array)
            }
            _ => return None,
        })
    }

    fn cell(&self, row: usize) -> Cell<'a> {
        let text = |there: bool, text: &'a str| match there && !text.is_empty() {
            true => Cell::Text(Cow::Borrowed(text)),
            false => Cell::Missing,
        };
        match self {
            Self::Text(array) => text(array.is_valid(row), array.value(row)),
            Self::LargeText(array) => text(array.is_valid(row), array.value(row)),
            Self::TextView(array) => text(array.is_valid(row), array.value(row)),
            Self::Flags(array) if array.is_valid(row) => Cell::Flag(array.value(row)),
            Self::Flags(_) => Cell::Missing,
            Self::Number(cell) => cell(row),
            Self::Dictionary(keys, values, array) if array.is_valid(row) => values.cell(keys[row]),
            Self::Dictionary(..) => Cell::Missing,
        }
    }
}

fn whole<'a, T>(array: &'a PrimitiveArray<T>) -> Values<'a>
where
    T: ArrowPrimitiveType,
    T::Native: TryInto<i64> + ToString,
{
    Values::Number(Box::new(move |row| match array.is_valid(row) {
        true => {
            let value = array.value(row);
            value.try_into().map_or_else(|_| Cell::Text(Cow::Owned(value.to_string())), Cell::Whole)
        }
        false => Cell::Missing,
    }))
}

fn real<'a, T: ArrowPrimitiveType>(
    array: &'a PrimitiveArray<T>,
    to: impl Fn(T::Native) -> f64 + 'a,
) -> Values<'a> {
    Values::Number(Box::new(move |row| match array.is_valid(row) {
        true => Cell::Real(to(array.value(row))),
        false => Cell::Missing,
    }))
}

/// The decoder's words, without its names for kinds of errors.
fn reason(error: &impl ToString) -> String {
    let text = error.to_string();
    let words = ["Parquet error: ", "Parquet argument error: ", "External: ", "EOF: ", "Arrow: "];
    words.iter().fold(text.as_str(), |text, word| text.strip_prefix(word).unwrap_or(text)).to_owned()
}
