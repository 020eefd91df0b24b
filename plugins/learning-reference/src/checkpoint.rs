//! Checkpoints: one JSON file in a directory, replaced as a whole.

use adeval_sdk::prelude::*;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::path::Path;

/// What stands in the file.
#[derive(Serialize, Deserialize)]
struct File<T> {
    /// The component that wrote it.
    component: String,
    /// Of the layout of `state`.
    version: u32,
    state: T,
}

const VERSION: u32 = 1;

/// Writes `state` to `directory/<component>.json`, through a temporary file, so that a reader never sees half of it.
pub(crate) fn save<T: Serialize>(directory: &Path, component: &str, state: &T) -> Result<()> {
    let path = directory.join(format!("{component}.json"));
    let failed = |e: std::io::Error| {
        PluginError::new(ErrorKind::Io, format!("cannot write the checkpoint {}: {e}", path.display()))
    };
    let file = File { component: component.to_owned(), version: VERSION, state };
    let json = serde_json::to_vec(&file).map_err(|e| failed(e.into()))?;
    std::fs::create_dir_all(directory).map_err(failed)?;
    let partial = directory.join(format!("{component}.json.{}.partial", std::process::id()));
    std::fs::write(&partial, json).and_then(|()| std::fs::rename(&partial, &path)).map_err(|e| {
        // The write's own error is what the reader needs; a leftover file does no harm.
        let _ = std::fs::remove_file(&partial);
        failed(e)
    })
}

/// Reads what [`save`] wrote, and checks it with `fits`.
pub(crate) fn load<T: DeserializeOwned>(
    directory: &Path,
    component: &str,
    fits: fn(&T) -> bool,
) -> Result<T> {
    let path = directory.join(format!("{component}.json"));
    let bad = |why: String| {
        PluginError::new(ErrorKind::BadWeights, format!("the checkpoint {}: {why}", path.display()))
            .with_hint("load a directory that this component's save() wrote")
    };
    let json = std::fs::read(&path).map_err(|e| {
        PluginError::new(
            ErrorKind::MissingWeights,
            format!("cannot read the checkpoint {}: {e}", path.display()),
        )
        .with_hint("give the directory that save() wrote")
    })?;
    let file: File<T> =
        serde_json::from_slice(&json).map_err(|e| bad(format!("it is damaged or not one: {e}")))?;
    if file.component != component || file.version != VERSION {
        let (other, version) = (file.component, file.version);
        return Err(bad(format!(
            "it is of \"{other}\", version {version}; \"{component}\", version {VERSION} is needed"
        )));
    }
    if fits(&file.state) {
        Ok(file.state)
    } else {
        Err(bad("its numbers have another shape or are not finite".into()))
    }
}
