//! The JSON files of the paper's repository: counted pairs, labelled pairs of the reward model's test, products with captions.

use super::paper_pairs;
use crate::records::cell::Cell;
use crate::records::error::{Place, Problem, Reason, RecordError};
use crate::records::read::plain;
use crate::records::report::RowReport;
use crate::records::write::{Field, Kind, Writer};
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::fmt;
use std::fs::File;
use std::io::{BufReader, Write};
use std::path::Path;

/// Which of its files a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CaigKind {
    /// An object of pairs with clicks and impressions: written as judged pairs without answers.
    CountedPairs,
    /// A list of pictures of two creatives with CTRs and a target: written as labelled pairs.
    LabelledPairs,
    /// A list of products with captions: written as `products.json`.
    Products,
}

/// What became of a file.
#[derive(Debug)]
pub struct CaigReport {
    /// What it is; absent for a file without entries.
    pub kind: Option<CaigKind>,
    /// Its entries.
    pub rows: RowReport,
    /// Entries written.
    pub written: u64,
    /// Labelled pairs whose answer in words names the other side than their target.
    pub contradicted: u64,
}

/// Reads a file entry by entry and writes what it is.
///
/// # Errors
/// [`RecordError`] names the file, the entry, the key and the mend.
pub fn import_caig(
    path: &Path,
    out: &Path,
    skip_bad_rows: bool,
    rejected: &mut dyn FnMut(Place, &Problem),
) -> Result<CaigReport, RecordError> {
    let file = path.display().to_string();
    let opened = File::open(path).map_err(|e| RecordError::Open { file: file.clone(), reason: plain(&e) })?;
    let mut import = Import {
        out,
        skip_bad_rows,
        rejected,
        sink: None,
        report: CaigReport { kind: None, rows: RowReport::default(), written: 0, contradicted: 0 },
        seen: HashSet::new(),
        stopped: None,
    };
    let mut reader = serde_json::Deserializer::from_reader(BufReader::with_capacity(1 << 18, opened));
    let read = reader.deserialize_any(Entries(&mut import)).and_then(|()| reader.end());
    let Import { sink, mut report, stopped, .. } = import;
    match (stopped, read) {
        (Some(Stopped::Row(place, problem)), _) => return Err(RecordError::Row { file, place, problem }),
        (Some(Stopped::Write(reason)), _) => return Err(RecordError::Write { reason }),
        (None, Err(error)) => return Err(RecordError::Damaged { file, reason: error.to_string() }),
        (None, Ok(())) => {}
    }
    let Some(sink) = sink else { return Err(RecordError::Empty { file, table: "CAIG" }) };
    report.written = sink.finish(out).map_err(|reason| RecordError::Write { reason })?;
    Ok(report)
}

enum Sink {
    Table(Box<Writer>),
    Products(Vec<Value>),
}

enum Stopped {
    Row(Place, Problem),
    Write(String),
}

struct Import<'a> {
    out: &'a Path,
    skip_bad_rows: bool,
    rejected: &'a mut dyn FnMut(Place, &Problem),
    sink: Option<Sink>,
    report: CaigReport,
    seen: HashSet<String>,
    stopped: Option<Stopped>,
}

impl Import<'_> {
    /// One entry; whether to go on.
    fn entry(&mut self, key: &str, entry: &Value, grouped: bool) -> bool {
        self.report.rows.read += 1;
        let place = Place::Row(self.report.rows.read);
        if self.sink.is_none()
            && let Err(stopped) = self.begin(entry, grouped, place)
        {
            self.stopped = Some(stopped);
            return false;
        }
        let done = match self.report.kind {
            Some(CaigKind::CountedPairs) => counted(key, entry),
            Some(CaigKind::LabelledPairs) => self.labelled(entry),
            _ => self.product(entry),
        };
        let done = done.map(|cells| match &mut self.sink {
            Some(Sink::Table(writer)) => writer.row(&cells).err(),
            _ => None,
        });
        match done {
            Ok(None) => self.report.rows.used += 1,
            Ok(Some(reason)) => {
                self.stopped = Some(Stopped::Write(reason));
                return false;
            }
            Err(problem) if self.skip_bad_rows => {
                (self.rejected)(place, &problem);
                self.report.rows.leave_out(place, &problem);
            }
            Err(problem) => {
                self.stopped = Some(Stopped::Row(place, problem));
                return false;
            }
        }
        true
    }

    /// The first entry says what the file is.
    fn begin(&mut self, entry: &Value, grouped: bool, place: Place) -> Result<(), Stopped> {
        let kind = match entry {
            Value::Array(_) if grouped => CaigKind::CountedPairs,
            Value::Object(keys) if keys.contains_key("target") => CaigKind::LabelledPairs,
            Value::Object(keys) if keys.contains_key("new_caption") => CaigKind::Products,
            _ => {
                let message = "it is none of CAIG's: a list of objects with \"target\" or \"new_caption\", or an object of pairs";
                return Err(Stopped::Row(place, Problem::new(Reason::WrongType, message)));
            }
        };
        let table =
            |fields| Writer::create(self.out, fields).map(|w| Sink::Table(w.into())).map_err(Stopped::Write);
        self.report.kind = Some(kind);
        self.sink = Some(match kind {
            CaigKind::CountedPairs => {
                table(paper_pairs::fields().into_iter().filter(|f| !f.name.ends_with("_ctr")).collect())?
            }
            CaigKind::LabelledPairs => table(vec![
                Field::new("product", Kind::Text),
                Field::new("image", Kind::Text),
                Field::new("left_ctr", Kind::Real),
                Field::new("right_ctr", Kind::Real),
                Field::new("target", Kind::Text),
            ])?,
            CaigKind::Products => {
                if self.out.extension().is_none_or(|e| !e.eq_ignore_ascii_case("json")) {
                    let reason =
                        format!("{}: products are a JSON list; name the file .json", self.out.display());
                    return Err(Stopped::Write(reason));
                }
                if self.out.exists() {
                    let reason =
                        format!("{} is there already; remove it, or name another file", self.out.display());
                    return Err(Stopped::Write(reason));
                }
                Sink::Products(Vec::new())
            }
        });
        Ok(())
    }

    fn id(&mut self, entry: &Value) -> Result<String, Problem> {
        let id = text(entry, "id")?;
        if self.seen.insert(id.clone()) {
            return Ok(id);
        }
        Err(Problem::new(Reason::Duplicate, format!("id {id:?} was there before; keep one entry")).of("id"))
    }

    fn labelled(&mut self, entry: &Value) -> Result<Vec<Cell<'static>>, Problem> {
        let (image, target) = (text(entry, "image")?, text(entry, "target")?);
        let (left, right) = (rate(entry, "left_ctr")?, rate(entry, "right_ctr")?);
        let other = match target.as_str() {
            "left" => "right",
            "right" => "left",
            _ => {
                let message = format!("{target:?} is not a side; write left or right");
                return Err(Problem::new(Reason::OutOfRange, message).of("target"));
            }
        };
        if left == right || (left > right) != (target == "left") {
            let message = format!(
                "{target:?} does not have the higher of the CTRs {left} and {right}; mend one of them"
            );
            return Err(Problem::new(Reason::Contradiction, message).of("target"));
        }
        let id = self.id(entry)?;
        let answer = entry["conversations"].as_array().and_then(|all| all.last()?["value"].as_str());
        let words = answer.unwrap_or_default().to_lowercase();
        self.report.contradicted += u64::from(words.contains(other) && !words.contains(&target));
        let own = |value: String| Cell::Text(value.into());
        Ok(vec![own(id), own(image), Cell::Real(left), Cell::Real(right), own(target)])
    }

    fn product(&mut self, entry: &Value) -> Result<Vec<Cell<'static>>, Problem> {
        let (image, title) = (text(entry, "image")?, text(entry, "new_caption")?);
        let id = self.id(entry)?;
        if let Some(Sink::Products(all)) = &mut self.sink {
            all.push(json!({ "id": id, "image": image, "title": title }));
        }
        Ok(Vec::new())
    }
}

impl Sink {
    fn finish(self, out: &Path) -> Result<u64, String> {
        match self {
            Self::Table(writer) => writer.finish(),
            Self::Products(all) => {
                let wrong = |e: std::io::Error| format!("{} cannot be written: {}", out.display(), plain(&e));
                let mut file = File::create(out).map_err(wrong)?;
                let mut text = serde_json::to_string_pretty(&all).map_err(|e| e.to_string())?;
                text.push('\n');
                file.write_all(text.as_bytes()).map_err(wrong)?;
                Ok(all.len() as u64)
            }
        }
    }
}

/// A pair of creatives with their counts; its key is all that is known of the product.
fn counted(key: &str, entry: &Value) -> Result<Vec<Cell<'static>>, Problem> {
    let Some([left, right]) =
        entry.as_array().and_then(|all| all.first_chunk::<2>()).filter(|_| entry[2].is_null())
    else {
        return Err(Problem::new(Reason::WrongType, "it is not a pair; give a list of two creatives"));
    };
    let mut cells = vec![Cell::Text(key.to_owned().into())];
    for creative in [left, right] {
        cells.push(Cell::Text(text(creative, "creative_image_hash")?.into()));
    }
    if cells[1] == cells[2] {
        return Err(Problem::new(Reason::SameCreative, "the creative is paired with itself")
            .of("creative_image_hash"));
    }
    for creative in [left, right] {
        let (clicks, shown) = (count(creative, "exp_click_cnt")?, count(creative, "exp_impression_cnt")?);
        if clicks > shown {
            let message =
                format!("{clicks} clicks of {shown} impressions; count at most one click an impression");
            return Err(Problem::new(Reason::ClicksAboveImpressions, message).of("exp_click_cnt"));
        }
        if shown == 0 {
            return Err(
                Problem::new(Reason::NeverShown, "the creative was never shown").of("exp_impression_cnt")
            );
        }
        cells.extend([Cell::Whole(clicks as i64), Cell::Whole(shown as i64)]);
    }
    Ok(cells)
}

fn text(entry: &Value, key: &str) -> Result<String, Problem> {
    match &entry[key] {
        Value::String(text) if !text.is_empty() => Ok(text.clone()),
        Value::Number(number) if number.is_i64() => Ok(number.to_string()),
        Value::Null => Err(Problem::new(Reason::Missing, "there is no value; fill it in").of(key)),
        other => Err(Problem::new(Reason::WrongType, format!("{other} is not text")).of(key)),
    }
}

fn rate(entry: &Value, key: &str) -> Result<f64, Problem> {
    match entry[key].as_f64() {
        Some(rate) if (0.0..=1.0).contains(&rate) => Ok(rate),
        Some(rate) => {
            let message = format!("{rate} is not a rate; it must lie in [0, 1]");
            Err(Problem::new(Reason::OutOfRange, message).of(key))
        }
        None if entry[key].is_null() => {
            Err(Problem::new(Reason::Missing, "there is no value; fill it in").of(key))
        }
        None => Err(Problem::new(Reason::NotANumber, format!("{} is not a number", entry[key])).of(key)),
    }
}

fn count(entry: &Value, key: &str) -> Result<u64, Problem> {
    entry[key].as_u64().filter(|count| i64::try_from(*count).is_ok()).ok_or_else(|| {
        let message = format!("{} is not a count; write a whole number of at least 0", entry[key]);
        Problem::new(Reason::NotACount, message).of(key)
    })
}

/// Gives the entries of a list or an object to the import as they are read.
struct Entries<'a, 'b>(&'a mut Import<'b>);

impl<'de> Visitor<'de> for Entries<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list or an object of entries")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(entry) = list.next_element::<Value>()? {
            if !self.0.entry("", &entry, false) {
                return Err(A::Error::custom("stopped"));
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some((key, entry)) = map.next_entry::<String, Value>()? {
            if !self.0.entry(&key, &entry, true) {
                return Err(A::Error::custom("stopped"));
            }
        }
        Ok(())
    }
}
