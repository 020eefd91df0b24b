//! Pictures of the creatives that differ.

use super::differences::decode;
use super::{Change, Difference, Snapshot, SnapshotError, files};
use adeval_sdk::testkit;
use rayon::prelude::*;
use std::path::Path;

/// Draws old, new and difference of every creative that differs into a folder, and notes the files in the differences.
///
/// # Errors
/// [`SnapshotError::Write`].
pub fn illustrate(
    old: &Snapshot,
    new: &Snapshot,
    differences: &mut [Difference],
    folder: &Path,
) -> Result<(), SnapshotError> {
    differences.par_iter_mut().try_for_each(|difference| {
        let Change::Pixels { comparison, flip, evidence } = &mut difference.change else { return Ok(()) };
        let key = &difference.key;
        let (Some(Ok(before)), Some(Ok(after))) =
            (old.images.get(key).map(|png| decode(png)), new.images.get(key).map(|png| decode(png)))
        else {
            return Ok(());
        };
        let file = folder.join(super::take::file_name(key, "-"));
        let drawn = testkit::evidence(&before, &after, comparison)
            .map_err(|error| SnapshotError::write(&file)(std::io::Error::other(error)))?;
        files::write(&file, &drawn.png)?;
        *flip = drawn.flip;
        *evidence = Some(file);
        Ok(())
    })
}
