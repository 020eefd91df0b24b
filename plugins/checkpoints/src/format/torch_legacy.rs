//! What `torch.save` wrote before PyTorch 1.6, and what many published weights of that time are: five pickles (a magic number, the
//! format's version, facts of the machine, the state dict, the order of the storages), then each storage, its elements counted
//! before it.

use super::pickle::{self, Aside, Pickled};
use super::torch_zip::{refuse, size_of, tensors};
use super::{Contents, Storage};
use crate::{CheckpointError, ErrorKind, Result};
use std::collections::HashMap;
use std::path::Path;
use std::rc::Rc;

/// The first pickle: a number of ten bytes.
pub(super) const MAGIC: &[u8] = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.";
/// The second: 1001, the only version there ever was.
const VERSION: &[u8] = b"\x80\x02M\xe9\x03.";

pub(super) fn read(path: &Path, bytes: &[u8]) -> Result<Contents> {
    let start = MAGIC.len() + VERSION.len();
    let Some(rest) = bytes.get(start..).filter(|_| bytes[MAGIC.len()..].starts_with(VERSION)) else {
        return Err(CheckpointError::malformed(
            path,
            "it starts like a torch file, and is of no known version",
        ));
    };
    let (machine, taken) = pickle::aside(rest).map_err(|fault| refuse(path, fault))?;
    check_byte_order(path, &machine)?;
    let mut at = start + taken;
    let pickled = pickle::load(&bytes[at..]).map_err(|fault| refuse(path, fault))?;
    at += pickled.bytes;
    let (order, taken) = pickle::aside(&bytes[at..]).map_err(|fault| refuse(path, fault))?;
    let Aside::Names(order) = order else {
        return Err(CheckpointError::malformed(path, "it does not list its storages"));
    };
    let storages = storages(path, bytes, at + taken, &order, &pickled)?;
    Ok(Contents { tensors: tensors(path, &pickled)?, storages, metadata: pickled.numbers })
}

fn check_byte_order(path: &Path, machine: &Aside) -> Result<()> {
    let Aside::Facts(facts) = machine else {
        return Err(CheckpointError::malformed(path, "it says nothing of the machine that wrote it"));
    };
    if facts.get("little_endian").is_some_and(|little| little == "true") {
        return Ok(());
    }
    let message = format!("{} was written by a big-endian machine", path.display());
    Err(CheckpointError::new(ErrorKind::Refused, message, "take the .safetensors of the same model"))
}

/// The storages that the state dict looks into, in its order; `at` is where the first of `order` starts.
fn storages(
    path: &Path,
    bytes: &[u8],
    at: usize,
    order: &[Rc<str>],
    pickled: &Pickled,
) -> Result<Vec<Storage>> {
    let sizes: HashMap<&str, usize> =
        pickled.storages.iter().map(|s| (s.key.as_ref(), size_of(s.dtype))).collect();
    let mut places = HashMap::new();
    let mut at = at;
    for key in order {
        let Some(size) = sizes.get(key.as_ref()) else {
            return Err(CheckpointError::malformed(path, format!("nothing looks into its storage {key}")));
        };
        let start = at.saturating_add(8);
        let count = bytes.get(at..start).and_then(|count| count.try_into().ok()).map(u64::from_le_bytes);
        let Some(count) = count else {
            return Err(CheckpointError::truncated(path, start as u64, bytes.len() as u64));
        };
        let end = count.saturating_mul(*size as u64).saturating_add(start as u64);
        if end > bytes.len() as u64 {
            return Err(CheckpointError::truncated(path, end, bytes.len() as u64));
        }
        at = end as usize;
        places.insert(key.as_ref(), (start, at));
    }
    let place = |storage: &pickle::StorageRef| match places.get(storage.key.as_ref()) {
        Some(&(start, end)) if (end - start) as u64 >= storage.bytes() => Ok(Storage::Range(start, end)),
        _ => {
            let fault = format!("storage {} is missing or too short", storage.key);
            Err(CheckpointError::malformed(path, fault))
        }
    };
    pickled.storages.iter().map(place).collect()
}
