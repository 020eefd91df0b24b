//! The tensors of a component in one set of names, whatever file they come from.

use super::{Component, Names, Role};
use crate::rename::{self, Renamed, Renamer, Reshape};
use crate::{CheckpointError, Result, TensorFile, TensorInfo};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

/// A component's tensors by the names of diffusers and transformers.
#[derive(Debug)]
pub struct Tensors {
    file: TensorFile,
    /// Name here: name in the file, and what becomes of the shape.
    names: BTreeMap<String, (String, Reshape)>,
    unused: Vec<String>,
}

impl Tensors {
    pub(super) fn of(component: &Component) -> Result<Self> {
        Self::new(component.file()?, component.role, component.names)
    }

    /// The tensors of `role` in a file whose names are of the kind `names`. Names of LoRA and IP-Adapter stay as they are.
    ///
    /// # Errors
    /// For two tensors of one name after renaming.
    pub fn new(file: TensorFile, role: Role, names: Names) -> Result<Self> {
        let original = (names == Names::Original)
            .then(|| Renamer::of(file.tensors().iter().map(|info| info.name.as_str())));
        let mut tensors = Self { file, names: BTreeMap::new(), unused: Vec::new() };
        for info in tensors.file.tensors() {
            let renamed = match (&original, names) {
                (Some(renamer), _) => renamer.rename(&info.name).filter(|renamed| renamed.role == role),
                (None, Names::Diffusers) => rename::current(role, &info.name),
                (None, _) => Some(Renamed { role, name: info.name.clone(), reshape: Reshape::Keep }),
            };
            let Some(renamed) = renamed else {
                tensors.unused.push(info.name.clone());
                continue;
            };
            let place = (info.name.clone(), renamed.reshape);
            if let Some((other, _)) = tensors.names.insert(renamed.name.clone(), place) {
                let reason = format!("{other} and {} are both {}", info.name, renamed.name);
                return Err(CheckpointError::malformed(tensors.file.path(), reason));
            }
        }
        Ok(tensors)
    }

    /// All names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(String::as_str)
    }

    /// Type, shape (as a layer of today wants it) and bytes of the tensor of this name.
    pub fn get(&self, name: &str) -> Option<TensorInfo> {
        let (original, reshape) = self.names.get(name)?;
        let info = self.file.get(original)?;
        Some(TensorInfo { name: name.to_owned(), shape: reshape.apply(&info.shape), ..info.clone() })
    }

    /// Its elements, as [`TensorFile::read`] gives them.
    ///
    /// # Errors
    /// For a name that is not there.
    pub fn read(&self, name: &str) -> Result<Cow<'_, [u8]>> {
        self.file.read(self.name_in_file(name).unwrap_or(name))
    }

    /// The name that the file gives the tensor `name`, for messages.
    pub fn name_in_file(&self, name: &str) -> Option<&str> {
        self.names.get(name).map(|(original, _)| original.as_str())
    }

    /// Tensors of the file that are no part of the component, in the file's names.
    pub fn unused(&self) -> &[String] {
        &self.unused
    }

    /// The file, for messages.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// The file or files themselves.
    pub fn file(&self) -> &TensorFile {
        &self.file
    }
}
