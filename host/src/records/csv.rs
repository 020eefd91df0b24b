//! Comma- and tab-separated values, RFC 4180 with any line ending and the header in the first line.

use super::cell::Cell;
use super::error::{Place, Problem, Reason, RecordError};
use super::feed::Feed;
use std::borrow::Cow;
use std::io::Read;

pub(super) fn feed(reader: impl Read, delimiter: u8, feed: &mut Feed<'_>) -> Result<(), RecordError> {
    let given = feed.given_header();
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .has_headers(given.is_none())
        .from_reader(reader);
    let header = match given {
        Some(names) => names.iter().collect(),
        None => reader.byte_headers().map_err(|e| feed.damaged(reason(&e)))?.clone(),
    };
    let names = header.iter().map(|name| std::str::from_utf8(name).map(str::to_owned));
    let names: Vec<String> = names.collect::<Result<_, _>>().map_err(|_| {
        feed.columns(
            "line 1 is not UTF-8; export the file as UTF-8 (spreadsheets call it \"CSV UTF-8\")".into(),
        )
    })?;
    feed.header(&names)?;
    let mut record = csv::ByteRecord::new();
    while reader.read_byte_record(&mut record).map_err(|e| feed.damaged(reason(&e)))? {
        let place = Place::Line(record.position().map_or(0, csv::Position::line));
        let mut cells = vec![Cell::Missing; feed.width()];
        match fill(&record, &names, feed.slots(), &mut cells) {
            Ok(()) => feed.row(place, Ok(&cells))?,
            Err(problem) => feed.row(place, Err(problem))?,
        }
    }
    Ok(())
}

fn fill<'a>(
    record: &'a csv::ByteRecord,
    names: &[String],
    slots: &[Option<usize>],
    cells: &mut [Cell<'a>],
) -> Result<(), Problem> {
    if record.len() != slots.len() {
        let message = format!(
            "there are {} fields where the header has {}; quote fields that hold the separator, and see that the line is whole",
            record.len(),
            slots.len()
        );
        return Err(Problem::new(Reason::UnevenFields, message));
    }
    for ((field, slot), name) in record.iter().zip(slots).zip(names) {
        let Some(slot) = slot else { continue };
        if field.is_empty() {
            continue;
        }
        let text = std::str::from_utf8(field).map_err(|_| {
            let message =
                format!("{:?} is not UTF-8; export the file as UTF-8", String::from_utf8_lossy(field));
            Problem::new(Reason::NotUtf8, message).of(name)
        })?;
        cells[*slot] = Cell::Text(Cow::Borrowed(text));
    }
    Ok(())
}

fn reason(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::Io(error) => super::read::plain(error),
        _ => error.to_string(),
    }
}
