//! Files of a result that another store takes over.

use super::{Outcome, Record, Store, files::sharded};
use crate::bench::BenchError;
use std::path::Path;

impl Store {
    /// Takes over the files of another store's result: by a second link, or a copy where that is not possible.
    ///
    /// # Errors
    /// [`BenchError::Read`] or [`BenchError::Write`].
    pub fn take_files(&self, from: &Self, record: &Record) -> Result<(), BenchError> {
        match &record.outcome {
            Outcome::Creative { image, .. } => {
                let to = self.image_path(image);
                // Its name is the hash of its bytes.
                if to.exists() { Ok(()) } else { link(&from.image_path(image), &to) }
            }
            Outcome::Features(_) => {
                let path = |store: &Self| sharded(&store.dir.join("features"), &record.key, "f32");
                link(&path(from), &path(self))
            }
            _ => Ok(()),
        }
    }
}

/// Puts a file at another place, too; whole or not at all.
fn link(from: &Path, to: &Path) -> Result<(), BenchError> {
    if let Some(folder) = to.parent() {
        std::fs::create_dir_all(folder).map_err(BenchError::write(folder))?;
    }
    if std::fs::hard_link(from, to).is_ok() {
        return Ok(());
    }
    // Another file is there already, or the disk is another one.
    let beside = to.with_extension("part");
    // What a merge that was cut off has left.
    let _ = std::fs::remove_file(&beside);
    if std::fs::hard_link(from, &beside).is_err() {
        std::fs::copy(from, &beside).map_err(BenchError::write(&beside))?;
    }
    let moved = std::fs::rename(&beside, to).map_err(BenchError::write(to));
    // A rename of one link over another of the same file leaves both.
    let _ = std::fs::remove_file(&beside);
    moved
}
