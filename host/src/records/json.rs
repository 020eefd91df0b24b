//! JSON lines: one object of plain values a line, the same keys in each.

use super::cell::Cell;
use super::error::{Place, Problem, Reason, RecordError};
use super::feed::Feed;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use std::borrow::Cow;
use std::fmt;
use std::io::BufRead;

pub(super) fn feed(mut reader: impl BufRead, feed: &mut Feed<'_>) -> Result<(), RecordError> {
    let mut line = Vec::new();
    let mut names: Option<Vec<String>> = None;
    for number in 1.. {
        line.clear();
        let read = reader.read_until(b'\n', &mut line).map_err(|e| feed.damaged(super::read::plain(&e)))?;
        if read == 0 {
            break;
        }
        let place = Place::Line(number);
        let text = match std::str::from_utf8(&line) {
            Ok(text) => text.trim_start_matches('\u{feff}').trim(),
            Err(_) => {
                let message = "the line is not UTF-8; write the file as UTF-8";
                feed.row(place, Err(Problem::new(Reason::NotUtf8, message)))?;
                continue;
            }
        };
        if text.is_empty() {
            continue;
        }
        let object = match serde_json::from_str::<Object<'_>>(text) {
            Ok(object) => object,
            Err(error) => {
                feed.row(place, Err(not_json(&error)))?;
                continue;
            }
        };
        // The first line that can be read is the header, too.
        if names.is_none() {
            let header: Vec<String> = object.0.iter().map(|(key, _)| key.to_string()).collect();
            feed.header(&header)?;
            names = Some(header);
        }
        let names = names.as_deref().unwrap_or_default();
        let mut cells = vec![Cell::Missing; feed.width()];
        match fill(object, names, feed.slots(), &mut cells) {
            Ok(()) => feed.row(place, Ok(&cells))?,
            Err(problem) => feed.row(place, Err(problem))?,
        }
    }
    Ok(())
}

fn fill<'a>(
    object: Object<'a>,
    names: &[String],
    slots: &[Option<usize>],
    cells: &mut [Cell<'a>],
) -> Result<(), Problem> {
    for (at, (key, cell)) in object.0.into_iter().enumerate() {
        // Lines mostly have their keys in one order.
        let same = names.get(at).is_some_and(|name| *name == key);
        let found = if same { Some(at) } else { names.iter().position(|n| *n == key) };
        let Some(column) = found else {
            let message =
                "the first line does not have this key; give every line the same keys, null for no value";
            return Err(Problem::new(Reason::UnevenFields, message).of(&key));
        };
        let Some(slot) = slots[column] else { continue };
        if !cells[slot].is_missing() {
            let message = "the key is there twice; keep one";
            return Err(Problem::new(Reason::UnevenFields, message).of(&key));
        }
        cells[slot] = cell;
    }
    Ok(())
}

fn not_json(error: &serde_json::Error) -> Problem {
    let text = error.to_string();
    let words = text.split_once(" at line ").map_or(text.as_str(), |(words, _)| words);
    let message = format!("it is not a JSON object of plain values ({words}); write one object a line");
    Problem::new(Reason::NotJson, message)
}

/// A line's keys and values, in its order.
struct Object<'a>(Vec<(Cow<'a, str>, Cell<'a>)>);

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Keys)
    }
}

struct Keys;

impl<'de> Visitor<'de> for Keys {
    type Value = Object<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::with_capacity(12);
        while let Some((key, value)) = map.next_entry::<Text<'de>, Value<'de>>()? {
            pairs.push((key.0, value.0));
        }
        Ok(Object(pairs))
    }
}

struct Text<'a>(Cow<'a, str>);
struct Value<'a>(Cell<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.deserialize_str(Plain)? {
            Cell::Text(text) => Ok(Self(text)),
            _ => Err(D::Error::custom("a key that is no text")),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Value<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Plain).map(Value)
    }
}

struct Plain;

impl<'de> Visitor<'de> for Plain {
    type Value = Cell<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text, a number, true, false or null")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(if text.is_empty() { Cell::Missing } else { Cell::Text(Cow::Borrowed(text)) })
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(if text.is_empty() { Cell::Missing } else { Cell::Text(Cow::Owned(text.to_owned())) })
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Cell::Whole(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        Ok(i64::try_from(number).map_or_else(|_| Cell::Text(Cow::Owned(number.to_string())), Cell::Whole))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Cell::Real(number))
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Self::Value, E> {
        Ok(Cell::Flag(flag))
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Cell::Missing)
    }
}
