//! What can be wrong with a file, and with one of its rows.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Where a row is, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The line of a text file on which the row starts; a CSV file's header is line 1.
    Line(u64),
    /// The row of a Parquet file.
    Row(u64),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::Row(row) => write!(f, "row {row}"),
        }
    }
}

/// Why a row cannot be used.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// More or fewer fields than the header, or a key that the first line lacks or that is there twice.
    UnevenFields,
    /// Bytes that are not UTF-8.
    NotUtf8,
    /// A line that is not a JSON object of plain values.
    NotJson,
    /// A value that must be there is not.
    Missing,
    /// A number where a name must be, or the reverse.
    WrongType,
    /// Not a finite number.
    NotANumber,
    /// Not a whole number of at least 0.
    NotACount,
    /// A number outside its range.
    OutOfRange,
    /// A propensity that is 0, negative or above 1.
    Propensity,
    /// More clicks than impressions.
    ClicksAboveImpressions,
    /// A creative of a pair that was never shown.
    NeverShown,
    /// A row with the identity of an earlier one.
    Duplicate,
    /// A pair of a creative with itself.
    SameCreative,
    /// A product of which the policy file says nothing.
    UnknownProduct,
    /// A label against the numbers beside it.
    Contradiction,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnevenFields => "uneven fields",
            Self::NotUtf8 => "not UTF-8",
            Self::NotJson => "not JSON",
            Self::Missing => "missing value",
            Self::WrongType => "wrong type",
            Self::NotANumber => "not a number",
            Self::NotACount => "not a count",
            Self::OutOfRange => "out of range",
            Self::Propensity => "impossible propensity",
            Self::ClicksAboveImpressions => "clicks above impressions",
            Self::NeverShown => "never shown",
            Self::Duplicate => "duplicate",
            Self::SameCreative => "creative paired with itself",
            Self::UnknownProduct => "product without a policy",
            Self::Contradiction => "label against its numbers",
        })
    }
}

/// What is wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Its kind, by which rows are counted.
    pub reason: Reason,
    /// The column, where it is one column's.
    pub column: Option<String>,
    /// What is there and how to mend it.
    pub message: String,
}

impl Problem {
    /// A problem of no column yet.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, column: None, message: message.into() }
    }

    /// The same, of a column.
    pub fn of(self, column: &str) -> Self {
        Self { column: Some(column.into()), ..self }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.column {
            Some(column) => write!(f, "column \"{column}\": {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// It cannot be opened.
    #[error("{file}: it cannot be opened: {reason}")]
    Open {
        /// The file.
        file: String,
        /// What the system says.
        reason: String,
    },
    /// Its name says no format that is known.
    #[error(
        "{file}: the name does not say which format it is; name it .csv, .tsv, .jsonl or .parquet (text also with .gz behind)"
    )]
    Format {
        /// The file.
        file: String,
    },
    /// It ends too early, or its bytes are not what its format says.
    #[error("{file}: {reason}; it is damaged or was not written to its end: copy or export it again")]
    Damaged {
        /// The file.
        file: String,
        /// What the decoder says.
        reason: String,
    },
    /// It has no rows.
    #[error("{file}: there is no row in it; a table of {table} needs some")]
    Empty {
        /// The file.
        file: String,
        /// Which table.
        table: &'static str,
    },
    /// A column that must be there is not, or one is there that no one knows.
    #[error("{file}: {message}")]
    Columns {
        /// The file.
        file: String,
        /// Which column, and how to mend it.
        message: String,
    },
    /// A row cannot be used.
    #[error("{file}: {place}, {problem}")]
    Row {
        /// The file.
        file: String,
        /// Where.
        place: Place,
        /// What is wrong.
        problem: Problem,
    },
    /// All rows were left out.
    #[error("{file}: none of {rows} rows can be used; {place}, {problem}")]
    NothingLeft {
        /// The file.
        file: String,
        /// How many rows were read.
        rows: u64,
        /// The first of them.
        place: Place,
        /// What is wrong with that.
        problem: Problem,
    },
    /// A file cannot be written.
    #[error("{reason}")]
    Write {
        /// Which, and why.
        reason: String,
    },
    /// Rows that are right one by one do not go together.
    #[error("{file}: {message}")]
    Together {
        /// The file.
        file: String,
        /// What does not, and how to mend it.
        message: String,
    },
}
