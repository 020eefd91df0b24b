//! A snapshot's folder: `manifest.json`, `prompts.json`, `metrics.json`, `embeddings.f32` and `images/ENTRY/...png`.

use super::{FORMAT_VERSION, Manifest, Snapshot, SnapshotError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::path::{Component, Path};

impl Snapshot {
    /// Reads a folder; `None` when there is none.
    ///
    /// # Errors
    /// [`SnapshotError::Read`], naming the file that is missing or damaged.
    pub fn load(folder: &Path) -> Result<Option<Self>, SnapshotError> {
        if !folder.exists() {
            return Ok(None);
        }
        let manifest: Manifest = read_json(&folder.join("manifest.json"))?;
        if manifest.format_version != FORMAT_VERSION {
            let reason = format!(
                "it has format version {}, this adeval reads {FORMAT_VERSION}; accept the snapshot anew",
                manifest.format_version
            );
            return Err(SnapshotError::read(&folder.join("manifest.json"), reason));
        }
        let mut images = BTreeMap::new();
        for (key, image) in &manifest.images {
            images.insert(key.clone(), read(&inside(folder, &image.file)?)?);
        }
        Ok(Some(Self {
            prompts: read_json(&folder.join("prompts.json"))?,
            metrics: read_json(&folder.join("metrics.json"))?,
            embeddings: read_embeddings(folder, &manifest)?,
            images,
            manifest,
        }))
    }

    /// Writes a folder in place of what was there. It is written beside its place first, so that a full disk does not cost
    /// the old one.
    ///
    /// # Errors
    /// [`SnapshotError::Write`].
    pub fn save(&self, folder: &Path) -> Result<(), SnapshotError> {
        let (part, old) = (beside(folder, ".part"), beside(folder, ".old"));
        for left_over in [&part, &old] {
            remove(left_over)?;
        }
        self.write_all(&part)?;
        if folder.exists() {
            std::fs::rename(folder, &old).map_err(SnapshotError::write(folder))?;
        }
        std::fs::rename(&part, folder).map_err(SnapshotError::write(folder))?;
        remove(&old)
    }

    fn write_all(&self, folder: &Path) -> Result<(), SnapshotError> {
        write_json(&folder.join("manifest.json"), &self.manifest)?;
        write_json(&folder.join("prompts.json"), &self.prompts)?;
        write_json(&folder.join("metrics.json"), &self.metrics)?;
        let vectors = self.manifest.embeddings.iter().filter_map(|key| self.embeddings.get(key));
        let bytes: Vec<u8> = vectors.flatten().flat_map(|value| value.to_le_bytes()).collect();
        if !bytes.is_empty() {
            write(&folder.join("embeddings.f32"), &bytes)?;
        }
        for (key, image) in &self.manifest.images {
            if let Some(png) = self.images.get(key) {
                write(&inside(folder, &image.file)?, png)?;
            }
        }
        Ok(())
    }
}

/// A file of the folder: a manifest that somebody edited must not lead elsewhere.
fn inside(folder: &Path, file: &str) -> Result<std::path::PathBuf, SnapshotError> {
    let plain = Path::new(file).components().all(|part| matches!(part, Component::Normal(_)));
    if plain && !file.is_empty() {
        return Ok(folder.join(file));
    }
    let reason = format!("it names the file \"{file}\", which is not in the snapshot's folder");
    Err(SnapshotError::read(&folder.join("manifest.json"), reason))
}

fn read_embeddings(folder: &Path, manifest: &Manifest) -> Result<BTreeMap<String, Vec<f32>>, SnapshotError> {
    if manifest.embeddings.is_empty() {
        return Ok(BTreeMap::new());
    }
    let path = folder.join("embeddings.f32");
    let bytes = read(&path)?;
    let wanted = manifest.embedding_length.saturating_mul(manifest.embeddings.len()).saturating_mul(4);
    if bytes.len() != wanted || manifest.embedding_length == 0 {
        let reason = format!("it has {} bytes, the manifest says {wanted}; restore both", bytes.len());
        return Err(SnapshotError::read(&path, reason));
    }
    let (floats, _) = bytes.as_chunks::<4>();
    let floats: Vec<f32> = floats.iter().map(|b| f32::from_le_bytes(*b)).collect();
    let rows = floats.chunks(manifest.embedding_length).map(<[f32]>::to_vec);
    Ok(manifest.embeddings.iter().cloned().zip(rows).collect())
}

fn beside(folder: &Path, ending: &str) -> std::path::PathBuf {
    let mut name = folder.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn remove(folder: &Path) -> Result<(), SnapshotError> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(SnapshotError::Write { path: folder.to_owned(), source: error })
        }
        _ => Ok(()),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, SnapshotError> {
    std::fs::read(path).map_err(|error| {
        SnapshotError::read(path, format!("cannot be read: {error}; restore it, or accept the snapshot anew"))
    })
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, SnapshotError> {
    serde_json::from_slice(&read(path)?)
        .map_err(|error| SnapshotError::read(path, format!("is damaged: {error}; restore it")))
}

/// Writes a file and makes its folder.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), SnapshotError> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(SnapshotError::write(folder))?;
    }
    std::fs::write(path, bytes).map_err(SnapshotError::write(path))
}

fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), SnapshotError> {
    let text = serde_json::to_string_pretty(value).map_err(|e| SnapshotError::write(path)(e.into()))?;
    write(path, (text + "\n").as_bytes())
}
