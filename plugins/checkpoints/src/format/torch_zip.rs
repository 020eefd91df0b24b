//! The zip files of `torch.save`: `data.pkl` says which tensors look how into which storage, `data/N` are the storages.

use super::pickle::{self, Fault, Pickled};
use super::{Contents, DType, Place, Storage, TensorInfo};
use crate::{CheckpointError, ErrorKind, Result};
use std::borrow::Cow;
use std::io::{Cursor, Read};
use std::path::Path;
use zip::{CompressionMethod, ZipArchive};

/// A pickle of names and shapes; the largest published one is a few MB.
const MAX_PICKLE: u64 = 1 << 28;

type Archive<'a> = ZipArchive<Cursor<&'a [u8]>>;

pub(super) fn read(path: &Path, bytes: &[u8]) -> Result<Contents> {
    let mut archive =
        ZipArchive::new(Cursor::new(bytes)).map_err(|error| no_directory(path, bytes, &error))?;
    let is_pickle = |name: &str| name == "data.pkl" || name.ends_with("/data.pkl");
    let pickle_name =
        archive.file_names().flatten().find(|name| is_pickle(name)).map(|name| name.into_owned());
    let Some(pickle_name) = pickle_name else {
        let message =
            format!("{} is a zip archive without data.pkl, so torch.save did not write it", path.display());
        return Err(CheckpointError::new(
            ErrorKind::Refused,
            message,
            "unpack it, and name the weights in it",
        ));
    };
    let root = pickle_name.trim_end_matches("data.pkl").to_owned();
    check_byte_order(path, &mut archive, &root)?;
    let text = entry_bytes(path, &mut archive, &pickle_name, MAX_PICKLE)?;
    let pickled = pickle::load(&text).map_err(|fault| refuse(path, fault))?;
    let storages = storages(path, &mut archive, &root, bytes.len(), &pickled)?;
    let tensors = tensors(path, &pickled)?;
    Ok(Contents { tensors, storages, metadata: pickled.numbers })
}

/// A zip archive ends with the list of its files, so a cut file has none.
fn no_directory(path: &Path, bytes: &[u8], error: &zip::result::ZipError) -> CheckpointError {
    let message = format!(
        "{} is truncated: its {} bytes do not end with a zip archive's list of files ({error})",
        path.display(),
        bytes.len()
    );
    CheckpointError::new(ErrorKind::Truncated, message, "download it once more; the transfer was cut off")
}

pub(super) fn refuse(path: &Path, fault: Fault) -> CheckpointError {
    match fault {
        Fault::Refused(what) => CheckpointError::new(
            ErrorKind::Refused,
            format!(
                "{}: its pickle uses {what}, which no state dict needs; it was not executed",
                path.display()
            ),
            "take the .safetensors of the same model, or convert the file where it may do no harm",
        ),
        Fault::Malformed(reason) => CheckpointError::malformed(path, format!("its pickle {reason}")),
    }
}

fn check_byte_order(path: &Path, archive: &mut Archive<'_>, root: &str) -> Result<()> {
    let name = format!("{root}byteorder");
    if archive.index_for_name(&name).is_none() {
        return Ok(());
    }
    let order = entry_bytes(path, archive, &name, 16)?;
    if order == b"little" {
        return Ok(());
    }
    let message = format!("{} was written by a big-endian machine", path.display());
    Err(CheckpointError::new(ErrorKind::Refused, message, "take the .safetensors of the same model"))
}

fn entry_bytes(path: &Path, archive: &mut Archive<'_>, name: &str, limit: u64) -> Result<Vec<u8>> {
    let fault = |reason: String| CheckpointError::malformed(path, format!("{name}: {reason}"));
    let entry = archive.by_name(name).map_err(|error| fault(error.to_string()))?;
    let mut bytes = Vec::new();
    entry.take(limit + 1).read_to_end(&mut bytes).map_err(|error| fault(error.to_string()))?;
    if bytes.len() as u64 > limit {
        return Err(fault(format!("more than {limit} bytes")));
    }
    Ok(bytes)
}

fn storages(
    path: &Path,
    archive: &mut Archive<'_>,
    root: &str,
    length: usize,
    pickled: &Pickled,
) -> Result<Vec<Storage>> {
    let one = |(key, bytes): (&str, u64)| storage(path, archive, &format!("{root}data/{key}"), length, bytes);
    pickled.storages.iter().map(|s| (s.key.as_ref(), s.bytes())).map(one).collect()
}

/// `wanted`: bytes that the pickle says it has.
fn storage(
    path: &Path,
    archive: &mut Archive<'_>,
    name: &str,
    length: usize,
    wanted: u64,
) -> Result<Storage> {
    let fault = |reason: String| CheckpointError::malformed(path, format!("storage {name}: {reason}"));
    let entry = archive.by_name(name).map_err(|error| fault(error.to_string()))?;
    let (size, method, start) = (entry.size(), entry.compression(), entry.data_start());
    drop(entry);
    if size < wanted {
        return Err(fault(format!("{wanted} bytes expected, {size} found")));
    }
    if method != CompressionMethod::Stored {
        return Ok(Storage::Owned(entry_bytes(path, archive, name, size)?));
    }
    let start = start.and_then(|start| usize::try_from(start).ok()).unwrap_or(usize::MAX);
    let end = start.saturating_add(size as usize);
    if end > length {
        return Err(CheckpointError::truncated(path, end as u64, length as u64));
    }
    Ok(Storage::Range(start, end))
}

/// Where the tensors of a pickle lie in its storages.
pub(super) fn tensors(path: &Path, pickled: &Pickled) -> Result<Vec<(TensorInfo, Place)>> {
    let one = |(name, tensor): &(String, pickle::Tensor)| {
        let storage = &pickled.storages[tensor.storage];
        let fault = |reason: &str| CheckpointError::malformed(path, format!("tensor {name}: {reason}"));
        let size = size_of(storage.dtype) as u64;
        let elements = extent(&tensor.shape, &tensor.strides, tensor.offset)
            .filter(|&(_, last)| last <= storage.elements)
            .map(|(elements, _)| elements)
            .ok_or_else(|| fault("it reaches out of its storage"))?;
        let info = TensorInfo {
            name: name.clone(),
            dtype: storage.dtype,
            shape: tensor.shape.clone(),
            bytes: elements.checked_mul(size).ok_or_else(|| fault("it is too large"))?,
        };
        let strides = tensor.strides.clone();
        Ok((info, Place::View { storage: tensor.storage, offset: tensor.offset, strides }))
    };
    if pickled.tensors.is_empty() {
        let message = format!("{} holds no named tensors", path.display());
        return Err(CheckpointError::missing(message, "name a file that holds a state dict"));
    }
    pickled.tensors.iter().map(one).collect()
}

/// Elements of a view, and the storage's element after the last that it touches. None where numbers overflow, and for
/// a view that repeats elements so often that copying it out could fill the memory.
fn extent(shape: &[usize], strides: &[usize], offset: usize) -> Option<(u64, u64)> {
    if shape.len() != strides.len() {
        return None;
    }
    let elements = shape.iter().try_fold(1_u64, |product, &size| product.checked_mul(size as u64))?;
    if elements == 0 {
        return Some((0, offset as u64));
    }
    let reach = shape.iter().zip(strides).try_fold(offset as u64, |reach, (&size, &stride)| {
        reach.checked_add((size as u64 - 1).checked_mul(stride as u64)?)
    })?;
    let last = reach.checked_add(1)?;
    let expanded = elements > last.saturating_mul(4096).max(1 << 20);
    (!expanded).then_some((elements, last))
}

/// Bytes of an element; the types that a torch storage may have here are whole bytes wide.
pub(super) fn size_of(dtype: DType) -> usize {
    dtype.bitsize() / 8
}

/// The elements of a view in row-major order.
pub(super) fn view<'a>(
    storage: &'a [u8],
    info: &TensorInfo,
    offset: usize,
    strides: &[usize],
) -> Cow<'a, [u8]> {
    let size = size_of(info.dtype);
    let (shape, total) = (&info.shape, info.bytes as usize);
    if total == 0 {
        return Cow::Borrowed(&[]);
    }
    if is_contiguous(shape, strides) {
        return Cow::Borrowed(&storage[offset * size..offset * size + total]);
    }
    let mut bytes = Vec::with_capacity(total);
    let mut place = vec![0_usize; shape.len()];
    for _ in 0..total / size {
        let element = offset + place.iter().zip(strides).map(|(at, stride)| at * stride).sum::<usize>();
        bytes.extend_from_slice(&storage[element * size..(element + 1) * size]);
        step(&mut place, shape);
    }
    Cow::Owned(bytes)
}

/// The next place in row-major order.
fn step(place: &mut [usize], shape: &[usize]) {
    for (at, &size) in place.iter_mut().zip(shape).rev() {
        *at += 1;
        if *at < size {
            return;
        }
        *at = 0;
    }
}

fn is_contiguous(shape: &[usize], strides: &[usize]) -> bool {
    let mut expected = 1;
    shape.iter().zip(strides).rev().all(|(&size, &stride)| {
        let fits = size == 1 || stride == expected;
        expected *= size;
        fits
    })
}
