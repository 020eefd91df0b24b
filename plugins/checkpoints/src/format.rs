//! One file of weights: names, types, shapes and bytes of its tensors, whatever it is written in.
//!
//! [`TensorFile::open`] looks at the content, not at the ending: safetensors, what `torch.save` writes
//! (`.ckpt`, `.bin`, `.pth`, `.pt`; zip files since PyTorch 1.6, bare pickles before), or the index of a sharded checkpoint. Files are mapped, so opening a checkpoint of
//! 7 GB reads its header only.

mod index;
mod mapped;
mod pickle;
mod safetensors_file;
mod torch_legacy;
mod torch_zip;

use crate::{CheckpointError, ErrorKind, Result};
use mapped::Mapped;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub(crate) use index::is_below;
pub use index::{is_index, shards};
pub use safetensors::Dtype as DType;

/// What a file says of one tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// Its name in the file.
    pub name: String,
    /// The type of an element.
    pub dtype: DType,
    /// Sizes, outermost first; empty for a scalar.
    pub shape: Vec<usize>,
    /// Bytes of all elements: elements times the size of one.
    pub bytes: u64,
}

impl TensorInfo {
    /// Number of elements.
    pub fn elements(&self) -> u64 {
        self.shape.iter().map(|&size| size as u64).product()
    }
}

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// A JSON header, then raw bytes.
    Safetensors,
    /// A zip archive with a pickle and raw bytes: `torch.save` since PyTorch 1.6.
    TorchZip,
    /// Pickles, then raw bytes: `torch.save` before PyTorch 1.6.
    TorchLegacy,
}

/// The tensors of one checkpoint: one file, or all shards of an index.
#[derive(Debug)]
pub struct TensorFile {
    path: PathBuf,
    parts: Vec<Part>,
    tensors: Vec<TensorInfo>,
    /// For each of `tensors`: its part, and its place there.
    places: Vec<(usize, Place)>,
    by_name: BTreeMap<String, usize>,
    metadata: BTreeMap<String, String>,
}

/// One file on disk.
#[derive(Debug)]
struct Part {
    path: PathBuf,
    format: Format,
    data: Mapped,
    storages: Vec<Storage>,
}

/// Where a tensor's elements lie in its part.
#[derive(Debug, Clone)]
enum Place {
    /// In the file, in order: first byte, and byte after the last.
    Range(usize, usize),
    /// In a storage, by element offset and strides.
    View { storage: usize, offset: usize, strides: Vec<usize> },
}

/// Bytes that one or more tensors of a torch file look into.
#[derive(Debug)]
enum Storage {
    /// In the file, as is.
    Range(usize, usize),
    /// Unpacked: the archive was compressed by another program than torch.
    Owned(Vec<u8>),
}

/// What the reader of one format finds.
struct Contents {
    tensors: Vec<(TensorInfo, Place)>,
    storages: Vec<Storage>,
    metadata: BTreeMap<String, String>,
}

impl TensorFile {
    /// Opens a file by its content: safetensors, a torch file, or the `*.index.json` of a sharded checkpoint.
    ///
    /// # Errors
    /// For a file that cannot be read, is truncated (with the bytes expected and found), or does not keep its format;
    /// for a pickle that asks for more than tensors (it is named, and nothing is executed); for a missing shard.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        if index::is_index(path) {
            return Self::from_shards(path, &index::shards(path)?);
        }
        Self::from_shards(path, &[path.to_owned()])
    }

    /// The tensors of several files as one. `label` is the path that messages give for the whole.
    ///
    /// # Errors
    /// As [`TensorFile::open`], and for a tensor that is in two of the files.
    pub fn from_shards(label: &Path, paths: &[PathBuf]) -> Result<Self> {
        let mut whole = Self {
            path: label.to_owned(),
            parts: Vec::new(),
            tensors: Vec::new(),
            places: Vec::new(),
            by_name: BTreeMap::new(),
            metadata: BTreeMap::new(),
        };
        for path in paths {
            whole.add(path)?;
        }
        Ok(whole)
    }

    fn add(&mut self, path: &Path) -> Result<()> {
        let data = Mapped::open(path)?;
        let (format, contents) = read(path, &data)?;
        let part = self.parts.len();
        self.parts.push(Part { path: path.to_owned(), format, data, storages: contents.storages });
        self.metadata.extend(contents.metadata);
        for (info, place) in contents.tensors {
            if let Some(&other) = self.by_name.get(&info.name) {
                let first = self.parts[self.places[other].0].path.display();
                return Err(CheckpointError::malformed(
                    path,
                    format!("tensor {} is in {first} already", info.name),
                ));
            }
            self.by_name.insert(info.name.clone(), self.tensors.len());
            self.tensors.push(info);
            self.places.push((part, place));
        }
        Ok(())
    }

    /// The path it was opened by.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The files on disk, in the index's order.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.parts.iter().map(|part| part.path.as_path())
    }

    /// Bytes of all files together, headers included.
    pub fn bytes_on_disk(&self) -> u64 {
        self.parts.iter().map(|part| part.data.len() as u64).sum()
    }

    /// How its (first) file is written.
    pub fn format(&self) -> Format {
        self.parts.first().map_or(Format::Safetensors, |part| part.format)
    }

    /// What the header says besides tensors (`modelspec.*`, `ss_*` of a LoRA, `format`), for safetensors; and numbers
    /// beside the state dict (`global_step`) for torch files.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// All tensors, in the order of the file.
    pub fn tensors(&self) -> &[TensorInfo] {
        &self.tensors
    }

    /// The tensor of this name.
    pub fn get(&self, name: &str) -> Option<&TensorInfo> {
        self.by_name.get(name).map(|&index| &self.tensors[index])
    }

    /// The file that holds the tensor of this name.
    pub fn file_of(&self, name: &str) -> Option<&Path> {
        self.by_name.get(name).map(|&index| self.parts[self.places[index].0].path.as_path())
    }

    /// The elements of one tensor in row-major order, little-endian; borrowed from the mapped file where they lie so
    /// there, gathered where the tensor is a view with other strides. Its length is [`TensorInfo::bytes`].
    ///
    /// # Errors
    /// For a name that the file does not hold.
    pub fn read(&self, name: &str) -> Result<Cow<'_, [u8]>> {
        let Some(&index) = self.by_name.get(name) else {
            let message = format!("{} holds no tensor {name}", self.path.display());
            return Err(CheckpointError::missing(message, "`adeval models info` lists the names it holds"));
        };
        let (part, place) = &self.places[index];
        let (part, info) = (&self.parts[*part], &self.tensors[index]);
        let whole = part.data.bytes();
        // Places were held against the file's length when it was opened.
        Ok(match place {
            Place::Range(start, end) => Cow::Borrowed(&whole[*start..*end]),
            Place::View { storage, offset, strides } => {
                let storage = match &part.storages[*storage] {
                    Storage::Range(start, end) => &whole[*start..*end],
                    Storage::Owned(bytes) => bytes,
                };
                torch_zip::view(storage, info, *offset, strides)
            }
        })
    }
}

fn read(path: &Path, data: &Mapped) -> Result<(Format, Contents)> {
    let bytes = data.bytes();
    if bytes.starts_with(b"PK\x03\x04") {
        return Ok((Format::TorchZip, torch_zip::read(path, bytes)?));
    }
    if bytes.starts_with(torch_legacy::MAGIC) {
        return Ok((Format::TorchLegacy, torch_legacy::read(path, bytes)?));
    }
    foreign(path, bytes)?;
    Ok((Format::Safetensors, safetensors_file::read(path, bytes)?))
}

/// Names what people often have in place of a weight file.
fn foreign(path: &Path, bytes: &[u8]) -> Result<()> {
    let refuse = |what: &str, mend: &str| {
        let message = format!("{} is {what}", path.display());
        Err(CheckpointError::new(ErrorKind::Refused, message, mend))
    };
    if bytes.starts_with(b"version https://git-lfs") {
        return refuse("a Git LFS pointer, not the weights", "run `git lfs pull` in the folder it came from");
    }
    if bytes.starts_with(b"<!") || bytes.starts_with(b"<html") {
        return refuse(
            "a web page, not the weights",
            "download the file itself, with a token if it is gated",
        );
    }
    if bytes.starts_with(b"GGUF") {
        return refuse("a GGUF file, which is not read here", "take the .safetensors of the same model");
    }
    let is_tar = bytes.get(257..262) == Some(b"ustar");
    if is_tar || bytes.starts_with(b"\x80\x02}") {
        return refuse(
            "a torch file of before PyTorch 0.1.10, or a pickle of another program, which is not read here",
            "write it anew: torch.save(torch.load(path, weights_only=True), new_path), or take the .safetensors",
        );
    }
    Ok(())
}
