//! A file in the address space.

use crate::{CheckpointError, ErrorKind, Result};
use memmap2::Mmap;
use std::fs::File;
use std::path::Path;

/// The bytes of a file, read when touched.
#[derive(Debug)]
pub(super) struct Mapped {
    /// None for an empty file, which no system maps.
    map: Option<Mmap>,
}

impl Mapped {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|error| CheckpointError::io(path, &error))?;
        let metadata = file.metadata().map_err(|error| CheckpointError::io(path, &error))?;
        if metadata.is_dir() {
            let message = format!("{} is a folder, not a weight file", path.display());
            return Err(CheckpointError::new(ErrorKind::Io, message, "name a file in it"));
        }
        if metadata.len() == 0 {
            return Ok(Self { map: None });
        }
        map(&file).map(|map| Self { map: Some(map) }).map_err(|error| CheckpointError::io(path, &error))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.map.as_deref().unwrap_or_default()
    }

    pub(super) fn len(&self) -> usize {
        self.bytes().len()
    }
}

#[expect(unsafe_code, reason = "mapping a file is unsafe: nobody may shorten it meanwhile")]
fn map(file: &File) -> std::io::Result<Mmap> {
    // SAFETY: weights are read-only inputs. A program that shortens one while it is mapped ends this process with
    // SIGBUS, as it would with every other reader of mapped weights.
    unsafe { Mmap::map(file) }
}
