//! Sums of files, and the sums that the hub gave them.

use crate::{CheckpointError, Result};
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The file's length and SHA-256; `progress` is told of bytes as they are read.
pub(super) fn sha256(path: &Path, progress: &mut dyn FnMut(u64)) -> Result<(u64, String)> {
    let fault = |error: std::io::Error| CheckpointError::io(path, &error);
    let mut file = File::open(path).map_err(fault)?;
    let (mut sum, mut buffer, mut length) = (Sha256::new(), vec![0; 1 << 20], 0);
    loop {
        let read = file.read(&mut buffer).map_err(fault)?;
        if read == 0 {
            break;
        }
        sum.update(&buffer[..read]);
        length += read as u64;
        progress(read as u64);
    }
    let hex = sum.finalize().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    });
    Ok((length, hex))
}

/// The hub's cache names large files by their SHA-256 (small ones by Git's sum, of 40 digits, which is not checked).
pub(super) fn expected(path: &Path) -> Option<String> {
    let real = path.canonicalize().ok()?;
    let in_blobs = real.parent()?.file_name()? == "blobs";
    let name = real.file_name()?.to_str()?;
    let is_sum = name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    (in_blobs && is_sum).then(|| name.to_owned())
}
