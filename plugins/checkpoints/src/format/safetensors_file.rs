//! The safetensors format: eight bytes of header length, a JSON header, raw bytes.
//!
//! The header is read here and not by the `safetensors` crate, because its errors name neither the file nor the tensor,
//! nor how many bytes of a truncated file are missing.

use super::{Contents, DType, Place, TensorInfo};
use crate::{CheckpointError, Result};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::Path;

/// The format's own bound on the header.
const MAX_HEADER: u64 = 100_000_000;
const LENGTH: usize = 8;

#[derive(Deserialize)]
struct Entry {
    dtype: Value,
    shape: Vec<usize>,
    data_offsets: (usize, usize),
}

pub(super) fn read(path: &Path, bytes: &[u8]) -> Result<Contents> {
    let (header, data_start) = header(path, bytes)?;
    let mut metadata = BTreeMap::new();
    let mut tensors = Vec::with_capacity(header.len());
    for (name, value) in header {
        if name == "__metadata__" {
            metadata = texts(&value);
            continue;
        }
        tensors.push(tensor(path, name, value)?);
    }
    tensors.sort_by_key(|(_, (start, _))| *start);
    check_extent(path, &tensors, data_start, bytes.len())?;
    let place = |(start, end): (usize, usize)| Place::Range(data_start + start, data_start + end);
    let tensors = tensors.into_iter().map(|(info, offsets)| (info, place(offsets))).collect();
    Ok(Contents { tensors, storages: Vec::new(), metadata })
}

/// The parsed header, and the first byte after it.
fn header(path: &Path, bytes: &[u8]) -> Result<(Map<String, Value>, usize)> {
    let found = bytes.len() as u64;
    let Some(length) = bytes.first_chunk::<LENGTH>().map(|&length| u64::from_le_bytes(length)) else {
        return Err(CheckpointError::truncated(path, LENGTH as u64, found));
    };
    let first = bytes.get(LENGTH);
    if length > MAX_HEADER || first.is_some_and(|&byte| byte != b'{') {
        let reason = "neither a safetensors file nor a torch file: it starts like neither";
        return Err(CheckpointError::malformed(path, reason));
    }
    let end = LENGTH + length as usize;
    let Some(text) = bytes.get(LENGTH..end) else {
        return Err(CheckpointError::truncated(path, end as u64, found));
    };
    let header = serde_json::from_slice(text)
        .map_err(|error| CheckpointError::malformed(path, format!("its header is not JSON: {error}")))?;
    Ok((header, end))
}

fn texts(value: &Value) -> BTreeMap<String, String> {
    let pairs = value.as_object().into_iter().flatten();
    pairs.filter_map(|(key, text)| Some((key.clone(), text.as_str()?.to_owned()))).collect()
}

fn tensor(path: &Path, name: String, value: Value) -> Result<(TensorInfo, (usize, usize))> {
    let fault = |reason: String| CheckpointError::malformed(path, format!("tensor {name}: {reason}"));
    let entry: Entry = serde_json::from_value(value).map_err(|error| fault(error.to_string()))?;
    let dtype: DType = serde_json::from_value(entry.dtype.clone())
        .map_err(|_| fault(format!("the element type {} is unknown", entry.dtype)))?;
    let (start, end) = entry.data_offsets;
    let elements = entry.shape.iter().try_fold(1_usize, |product, &size| product.checked_mul(size));
    let bytes = elements.and_then(|n| n.checked_mul(dtype.bitsize())).map(|bits| bits / 8);
    if end.checked_sub(start) != bytes || bytes.is_none() {
        let shape = &entry.shape;
        return Err(fault(format!("offsets {start} to {end} do not fit {dtype} of shape {shape:?}")));
    }
    let info = TensorInfo { name, dtype, shape: entry.shape, bytes: (end - start) as u64 };
    Ok((info, (start, end)))
}

/// Tensors follow each other without gaps or overlaps, up to the end of the file.
fn check_extent(
    path: &Path,
    tensors: &[(TensorInfo, (usize, usize))],
    data_start: usize,
    length: usize,
) -> Result<()> {
    let mut next = 0;
    for (info, (start, end)) in tensors {
        if *start != next {
            let reason = format!("tensor {} starts at byte {start} of the data, expected {next}", info.name);
            return Err(CheckpointError::malformed(path, reason));
        }
        next = *end;
    }
    let expected = data_start.saturating_add(next);
    if length < expected {
        return Err(CheckpointError::truncated(path, expected as u64, length as u64));
    }
    if length > expected {
        let reason = format!("{} bytes follow the last tensor", length - expected);
        return Err(CheckpointError::malformed(path, reason));
    }
    Ok(())
}
