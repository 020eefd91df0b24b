//! Directories that appear whole or not at all: a component saves beside its place, the files are brought to the disk, and one
//! rename makes them the checkpoint. A full disk or a crash leaves what was there before.

use super::TrainError;
use adeval_sdk::PluginError;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// Lets `save` fill a directory and moves it to `parent/name`.
///
/// # Errors
/// [`TrainError::Save`]; nothing of the attempt is left then.
pub fn save(
    parent: &Path,
    name: &str,
    save: impl FnOnce(&Path) -> Result<(), PluginError>,
) -> Result<(), TrainError> {
    let (place, beside) = (parent.join(name), parent.join(format!(".{name}.part")));
    let failed = |reason: String| {
        // The half that fits on a full disk is of no use to anyone.
        let _ = fs::remove_dir_all(&beside);
        TrainError::Save { path: place.clone(), reason }
    };
    let prepared = fs::create_dir_all(parent).and_then(|()| remove(&beside));
    prepared.map_err(|e| failed(e.to_string()))?;
    save(&beside).map_err(|error| failed(error.to_string()))?;
    // What stands at the place is of an attempt that nothing refers to.
    let moved = sync(&beside)
        .and_then(|()| remove(&place))
        .and_then(|()| fs::rename(&beside, &place))
        .and_then(|()| File::open(parent)?.sync_all());
    moved.map_err(|e| failed(e.to_string()))
}

/// Removes a directory that may not be there.
///
/// # Errors
/// The system's, but that it is not there.
pub fn remove(directory: &Path) -> io::Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

fn sync(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            sync(&entry?.path())?;
        }
    }
    File::open(path)?.sync_all()
}

/// Replaces a small file, durably: it is on the disk before it has its name.
///
/// # Errors
/// [`TrainError::Save`]; the file then is what it was.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), TrainError> {
    let beside = path.with_extension("part");
    let written = File::create(&beside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    });
    written.map_err(|error| {
        let _ = fs::remove_file(&beside);
        TrainError::Save { path: path.to_owned(), reason: error.to_string() }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use adeval_sdk::ErrorKind;

    fn write(text: &str) -> impl FnOnce(&Path) -> Result<(), PluginError> {
        move |directory: &Path| {
            fs::create_dir_all(directory.join("inside"))?;
            Ok(fs::write(directory.join("inside/weights"), text)?)
        }
    }

    #[test]
    fn a_save_that_fails_leaves_the_checkpoint_before_it() {
        let room = tempfile::tempdir().unwrap();
        save(room.path(), "one", write("good")).unwrap();
        let full = |directory: &Path| {
            write("half")(directory)?;
            Err(PluginError::new(ErrorKind::Io, "no space left on device"))
        };
        let error = save(room.path(), "one", full).unwrap_err().to_string();
        assert!(error.contains("no space left") && error.contains("untouched"), "{error}");
        assert_eq!(fs::read_to_string(room.path().join("one/inside/weights")).unwrap(), "good");
        assert_eq!(fs::read_dir(room.path()).unwrap().count(), 1, "nothing of the attempt is left");
        save(room.path(), "one", write("better")).unwrap();
        assert_eq!(fs::read_to_string(room.path().join("one/inside/weights")).unwrap(), "better");
    }

    #[test]
    fn a_file_is_replaced_or_stays() {
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("state.json");
        replace(&path, b"1").unwrap();
        // A folder in the way of the file beside it: nothing can be written there.
        fs::create_dir(path.with_extension("part")).unwrap();
        assert!(matches!(replace(&path, b"2"), Err(TrainError::Save { .. })));
        assert_eq!(fs::read(&path).unwrap(), b"1");
    }
}
