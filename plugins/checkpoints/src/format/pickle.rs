//! The pickle of a state dict, read by a machine that knows nothing else.
//!
//! A pickle is a program: it names Python functions and calls them. This machine builds dicts, tuples, numbers and
//! texts, and knows four calls (an ordered dict, the two that rebuild a tensor, a parameter). Every other call is
//! refused by its name. There is no Python here that could execute one.

mod machine;

use super::DType;
use machine::{Machine, Value};
use std::collections::BTreeMap;
use std::rc::Rc;

/// Dicts within dicts that are followed; state dicts use three at most.
const MAX_DEPTH: usize = 16;
/// Entries that are visited, against dicts that contain each other many times.
const MAX_ENTRIES: usize = 4_000_000;

/// Bytes of a tensor's name.
const MAX_NAME: usize = 4096;

/// Why a pickle is not read.
#[derive(Debug, PartialEq)]
pub(super) enum Fault {
    /// It uses something that a state dict never needs: a call or an instruction, by name.
    Refused(String),
    /// It is no sound pickle; the text follows "its pickle".
    Malformed(String),
}

/// Bytes that tensors look into.
#[derive(Debug, Clone)]
pub(super) struct StorageRef {
    /// Its file in the archive's `data` folder.
    pub key: Rc<str>,
    pub dtype: DType,
    pub elements: u64,
}

impl StorageRef {
    pub fn bytes(&self) -> u64 {
        self.elements.saturating_mul(super::torch_zip::size_of(self.dtype) as u64)
    }
}

/// A view of a storage; offset and strides in elements.
#[derive(Debug, Clone)]
pub(super) struct Tensor {
    /// Index into [`Pickled::storages`].
    pub storage: usize,
    pub offset: usize,
    pub shape: Vec<usize>,
    pub strides: Vec<usize>,
}

/// What a pickle holds of interest.
#[derive(Debug)]
pub(super) struct Pickled {
    pub tensors: Vec<(String, Tensor)>,
    pub storages: Vec<StorageRef>,
    /// Bytes that the pickle took.
    pub bytes: usize,
    /// Numbers and texts outside the state dict, such as `global_step`.
    pub numbers: BTreeMap<String, String>,
}

/// A pickle that tells something else than tensors, as files of before PyTorch 1.6 have before and behind their state dict.
#[derive(Debug, PartialEq)]
pub(super) enum Aside {
    /// Entries of a dict whose keys and values are plain, as texts.
    Facts(BTreeMap<String, String>),
    /// A list of texts.
    Names(Vec<Rc<str>>),
}

/// Reads a pickle of plain things: what it holds, and the bytes that it took.
pub(super) fn aside(bytes: &[u8]) -> Result<(Aside, usize), Fault> {
    let (machine, root) = Machine::new(bytes).run()?;
    let aside = match root {
        Value::Dict(dict) => {
            let mut facts = BTreeMap::new();
            note_numbers(machine.dict(dict), &mut facts);
            Aside::Facts(facts)
        }
        Value::List(list) => {
            let text = |value: &Value| match value {
                Value::Text(text) => Ok(text.clone()),
                _ => Err(Fault::Malformed("lists storages by what is no text".into())),
            };
            Aside::Names(machine.list(list).iter().map(text).collect::<Result<_, _>>()?)
        }
        _ => return Err(Fault::Malformed("holds neither a dict nor a list".into())),
    };
    Ok((aside, machine.consumed()))
}

/// Runs the pickle and collects its tensors. A dict under `state_dict` is taken alone, as every loader does; other dicts
/// within dicts give names joined by dots.
pub(super) fn load(bytes: &[u8]) -> Result<Pickled, Fault> {
    let (machine, root) = Machine::new(bytes).run()?;
    let Value::Dict(mut dict) = root else {
        return Err(Fault::Malformed("holds no dict of tensors".into()));
    };
    let mut numbers = BTreeMap::new();
    for _ in 0..MAX_DEPTH {
        note_numbers(machine.dict(dict), &mut numbers);
        let inner = machine.dict(dict).iter().find_map(|(key, value)| match (key, value) {
            (Value::Text(key), Value::Dict(inner)) if &**key == "state_dict" => Some(*inner),
            _ => None,
        });
        match inner {
            Some(inner) => dict = inner,
            None => break,
        }
    }
    let mut walk = Walk { machine: &machine, tensors: Vec::new(), left: MAX_ENTRIES };
    walk.dict(dict, "", 0)?;
    Ok(Pickled {
        tensors: walk.tensors,
        storages: machine.storages.clone(),
        bytes: machine.consumed(),
        numbers,
    })
}

fn note_numbers(dict: &[(Value, Value)], numbers: &mut BTreeMap<String, String>) {
    for (key, value) in dict {
        let (Value::Text(key), Some(text)) = (key, value.as_plain_text()) else { continue };
        numbers.insert(key.to_string(), text);
    }
}

struct Walk<'a> {
    machine: &'a Machine<'a>,
    tensors: Vec<(String, Tensor)>,
    left: usize,
}

impl Walk<'_> {
    fn dict(&mut self, dict: usize, prefix: &str, depth: usize) -> Result<(), Fault> {
        if depth > MAX_DEPTH {
            return Err(Fault::Malformed(format!("nests dicts more than {MAX_DEPTH} deep")));
        }
        for (key, value) in self.machine.dict(dict) {
            self.left =
                self.left.checked_sub(1).ok_or_else(|| Fault::Malformed("has too many entries".into()))?;
            let Some(key) = key.as_plain_text() else { continue };
            let name = if prefix.is_empty() { key } else { format!("{prefix}.{key}") };
            if name.len() > MAX_NAME {
                return Err(Fault::Malformed(format!("has a name of more than {MAX_NAME} bytes")));
            }
            match value {
                Value::Tensor(tensor) => self.tensors.push((name, self.machine.tensors[*tensor].clone())),
                Value::Dict(inner) => self.dict(*inner, &name, depth + 1)?,
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
