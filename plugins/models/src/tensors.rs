//! Weights by name: what a model asks for, what a checkpoint holds, and a report of every difference at once.
//!
//! A model is built from [`Weights`], which mirrors the names of the checkpoint (`weights.pp("down_blocks").pp(0)`).
//! Building does not stop at the first tensor that is missing or misshapen: it goes on with zeros, and
//! [`Source::finish`] names all faults, so that one look tells which checkpoint this really is.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::path::Path;

use adeval_checkpoints::{TensorFile, TensorInfo};
use candle_core::{DType, Device, Tensor, Var};

use crate::{ModelError, Result};

/// The tensors of one model, with the device and the element type that they are wanted in.
pub struct Source {
    label: String,
    device: Device,
    dtype: DType,
    held: Held,
    patches: BTreeMap<String, Vec<Patch>>,
    used: RefCell<BTreeSet<String>>,
    faults: RefCell<Faults>,
    /// What was handed out, where it shall be trained.
    variables: Option<RefCell<BTreeMap<String, Var>>>,
}

/// A tensor that is trained, and its name in the checkpoint.
#[derive(Clone)]
pub(crate) struct Parameter {
    pub name: String,
    pub tensor: Tensor,
}

/// What is added to a tensor when it is loaded, in float32: the product of (rows, rank) and (rank, the rest), multiplied out
/// only then, because a LoRA's is large.
struct Patch {
    up: Tensor,
    down: Tensor,
}

impl Patch {
    fn add_to(&self, tensor: &Tensor) -> candle_core::Result<Tensor> {
        let delta = self.up.matmul(&self.down)?.reshape(tensor.dims())?;
        tensor + delta.to_device(tensor.device())?
    }
}

/// Computes a tensor from its name and shape.
type Make = dyn Fn(&str, &[usize]) -> Result<Tensor>;

enum Held {
    Memory(BTreeMap<String, Tensor>),
    /// A component of a recognised checkpoint, whatever file and names it comes in.
    Checkpoint(adeval_checkpoints::layout::Tensors),
    /// One file or its shards, in the file's own names.
    File(TensorFile),
    /// Made when asked for, whatever the name.
    Made(Box<Make>),
}

#[derive(Default)]
struct Faults {
    missing: BTreeSet<String>,
    misshapen: Vec<(String, Vec<usize>, Vec<usize>)>,
}

impl Source {
    /// Tensors that are in memory. `label` is what messages call them, a path or an id.
    pub fn from_tensors(
        label: impl Into<String>,
        tensors: impl IntoIterator<Item = (String, Tensor)>,
        device: &Device,
        dtype: DType,
    ) -> Self {
        Self::new(label.into(), Held::Memory(tensors.into_iter().collect()), device, dtype)
    }

    /// Tensors that `make` computes from name and shape, so that a network of full size can be tried without its
    /// checkpoint. It holds whatever is asked for, but [`Source::names`] and [`Weights::has`] know of none.
    pub fn from_fn(
        label: impl Into<String>,
        make: impl Fn(&str, &[usize]) -> Result<Tensor> + 'static,
        device: &Device,
        dtype: DType,
    ) -> Self {
        Self::new(label.into(), Held::Made(Box::new(make)), device, dtype)
    }

    /// A component of a recognised checkpoint: any layout, file format and spelling of names that
    /// [`adeval_checkpoints`] knows.
    pub fn from_checkpoint(
        tensors: adeval_checkpoints::layout::Tensors,
        device: &Device,
        dtype: DType,
    ) -> Self {
        let label = tensors.path().display().to_string();
        Self::new(label, Held::Checkpoint(tensors), device, dtype)
    }

    /// The tensors of the file at `path`, by the names that it gives them.
    ///
    /// # Errors
    /// For a file that cannot be read or holds no tensors.
    pub fn open(path: &Path, device: &Device, dtype: DType) -> Result<Self> {
        Ok(Self::from_file(TensorFile::open(path)?, device, dtype))
    }

    /// The tensors of a file, by the names that it gives them.
    pub fn from_file(file: TensorFile, device: &Device, dtype: DType) -> Self {
        Self::new(file.path().display().to_string(), Held::File(file), device, dtype)
    }

    fn new(label: String, held: Held, device: &Device, dtype: DType) -> Self {
        Self {
            label,
            device: device.clone(),
            dtype,
            held,
            patches: BTreeMap::new(),
            used: RefCell::default(),
            faults: RefCell::default(),
            variables: None,
        }
    }

    /// Hands out variables from now on, so that what is built of them can be trained as a whole: see [`Source::variables`].
    #[must_use]
    pub fn trainable(mut self) -> Self {
        self.variables = Some(RefCell::default());
        self
    }

    /// The variables that were handed out, by name; none unless the source is [`Source::trainable`].
    pub fn variables(&self) -> BTreeMap<String, Var> {
        self.variables.as_ref().map(|variables| variables.borrow().clone()).unwrap_or_default()
    }

    /// Adds the product of `up` (rows, rank) and `down` (rank, columns), float32, to the tensor `name` when it is loaded:
    /// how LoRA is fused. The tensor has `rows` first; its other dimensions together make the columns.
    pub fn patch_low_rank(&mut self, name: impl Into<String>, up: Tensor, down: Tensor) {
        self.patches.entry(name.into()).or_default().push(Patch { up, down });
    }

    /// All names that it holds, sorted.
    pub fn names(&self) -> Vec<&str> {
        match &self.held {
            Held::Memory(tensors) => tensors.keys().map(String::as_str).collect(),
            Held::Checkpoint(tensors) => tensors.names().collect(),
            Held::File(file) => {
                let mut names: Vec<_> = file.tensors().iter().map(|info| info.name.as_str()).collect();
                names.sort_unstable();
                names
            }
            Held::Made(_) => Vec::new(),
        }
    }

    /// What messages call it.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The root, from which a model is built.
    pub fn weights(&self) -> Weights<'_> {
        Weights { source: self, prefix: String::new() }
    }

    /// Call it when the model is built: it fails if a tensor was missing, misshapen, or never asked for.
    /// Names that `ignored` accepts may be left over (position ids, a part that is loaded elsewhere).
    ///
    /// # Errors
    /// [`ModelError::Shape`] or [`ModelError::Keys`], naming the tensors.
    pub fn finish(&self, model: &'static str, ignored: impl Fn(&str) -> bool) -> Result<()> {
        let faults = self.faults.borrow();
        let used = self.used.borrow();
        let unexpected: Vec<String> = self
            .names()
            .into_iter()
            .filter(|name| !used.contains(*name) && !ignored(name))
            .map(str::to_owned)
            .collect();
        if let (true, Some((name, found, expected))) = (faults.missing.is_empty(), faults.misshapen.first()) {
            return Err(ModelError::Shape {
                name: format!("{name} of {} ({} misshapen in all)", self.label, faults.misshapen.len()),
                found: found.clone(),
                expected: expected.clone(),
            });
        }
        if faults.missing.is_empty() && unexpected.is_empty() {
            return Ok(());
        }
        Err(ModelError::Keys { model, missing: faults.missing.iter().cloned().collect(), unexpected })
    }

    fn contains(&self, name: &str) -> bool {
        match &self.held {
            Held::Memory(tensors) => tensors.contains_key(name),
            Held::Checkpoint(tensors) => tensors.name_in_file(name).is_some(),
            Held::File(file) => file.get(name).is_some(),
            Held::Made(_) => false,
        }
    }

    fn shape(&self, name: &str) -> Option<Vec<usize>> {
        match &self.held {
            Held::Memory(tensors) => tensors.get(name).map(|t| t.dims().to_vec()),
            Held::Checkpoint(tensors) => tensors.get(name).map(|info| info.shape),
            Held::File(file) => file.get(name).map(|info| info.shape.clone()),
            Held::Made(_) => None,
        }
    }

    fn get(&self, name: &str, shape: &[usize]) -> Result<Tensor> {
        let tensor = match &self.held {
            Held::Memory(tensors) => tensors.get(name).cloned(),
            Held::Checkpoint(tensors) => {
                tensors.get(name).map(|info| self.read(&info, &tensors.read(name)?)).transpose()?
            }
            Held::File(file) => file.get(name).map(|info| self.read(info, &file.read(name)?)).transpose()?,
            Held::Made(make) => Some(make(name, shape)?),
        };
        let Some(tensor) = tensor else {
            self.faults.borrow_mut().missing.insert(name.to_owned());
            return Ok(Tensor::zeros(shape, self.dtype, &self.device)?);
        };
        self.used.borrow_mut().insert(name.to_owned());
        if tensor.dims() != shape {
            let fault = (name.to_owned(), tensor.dims().to_vec(), shape.to_vec());
            self.faults.borrow_mut().misshapen.push(fault);
            return Ok(Tensor::zeros(shape, self.dtype, &self.device)?);
        }
        self.prepared(name, tensor)
    }

    fn read(&self, info: &TensorInfo, bytes: &[u8]) -> Result<Tensor> {
        let Ok(dtype) = DType::try_from(info.dtype) else {
            return Err(ModelError::Dtype {
                name: format!("{} of {}", info.name, self.label),
                found: format!("{:?}", info.dtype),
            });
        };
        Ok(Tensor::from_raw_buffer(bytes, dtype, &info.shape, &Device::Cpu)?)
    }

    /// Patched, checked and converted. Patches are added in float32, whatever the file's type is.
    fn prepared(&self, name: &str, tensor: Tensor) -> Result<Tensor> {
        let mut tensor = tensor;
        if let Some(patches) = self.patches.get(name) {
            tensor = tensor.to_dtype(DType::F32)?;
            for patch in patches {
                tensor = patch.add_to(&tensor)?;
            }
        }
        check_finite(&self.label, name, &tensor)?;
        let tensor = tensor.to_dtype(self.dtype)?.to_device(&self.device)?;
        let Some(variables) = &self.variables else { return Ok(tensor) };
        // A tied tensor is asked for twice, and is one variable.
        let mut variables = variables.borrow_mut();
        if let Some(known) = variables.get(name) {
            return Ok(known.as_tensor().clone());
        }
        let variable = Var::from_tensor(&tensor.detach())?;
        variables.insert(name.to_owned(), variable.clone());
        Ok(variable.into_inner())
    }
}

/// [`ModelError::Value`] for a tensor of a checkpoint that holds NaN or infinity.
pub fn check_finite(label: &str, name: &str, tensor: &Tensor) -> Result<()> {
    match stray(tensor)? {
        None => Ok(()),
        Some(value) => Err(ModelError::Value { name: format!("{name} of {label}"), value }),
    }
}

/// Something that is not finite in a tensor of floats, if there is: the sum of finite numbers times zero is zero, NaN and
/// infinities make it NaN. One pass, without a copy in float32.
pub(crate) fn stray(tensor: &Tensor) -> Result<Option<f32>> {
    if !tensor.dtype().is_float() || tensor.elem_count() == 0 {
        return Ok(None);
    }
    let sum = tensor.to_dtype(DType::F32)?.affine(0.0, 0.0)?.sum_all()?.to_scalar::<f32>()?;
    Ok((sum != 0.0).then_some(sum))
}

/// A place in a [`Source`]: a prefix of names.
#[derive(Clone)]
pub struct Weights<'a> {
    source: &'a Source,
    prefix: String,
}

impl Weights<'_> {
    /// The place below `part`: `pp("attn1")`, `pp(0)`.
    pub fn pp(&self, part: impl Display) -> Self {
        let prefix =
            if self.prefix.is_empty() { part.to_string() } else { format!("{}.{part}", self.prefix) };
        Self { source: self.source, prefix }
    }

    /// The tensor `name` below this place, in the source's element type and on its device. A missing or misshapen one
    /// comes as zeros and is reported by [`Source::finish`].
    ///
    /// # Errors
    /// [`ModelError::Value`] if it holds NaN or infinity, and failures of the device.
    pub fn get(&self, name: &str, shape: &[usize]) -> Result<Tensor> {
        self.source.get(&self.named(name), shape)
    }

    /// `tensor`, which [`Weights::get`] gave for `name`, as a parameter if the source is one of variables.
    pub(crate) fn parameter(&self, name: &str, tensor: &Tensor) -> Option<Parameter> {
        tensor.is_variable().then(|| Parameter { name: self.named(name), tensor: tensor.clone() })
    }

    /// Whether the source holds `name` below this place.
    pub fn has(&self, name: &str) -> bool {
        self.source.contains(&self.named(name))
    }

    /// The shape of `name` in the source, for a part whose size only the weights tell.
    pub fn shape(&self, name: &str) -> Option<Vec<usize>> {
        self.source.shape(&self.named(name))
    }

    /// What messages call the source.
    pub fn label(&self) -> &str {
        self.source.label()
    }

    /// The device that tensors are put on.
    pub fn device(&self) -> &Device {
        &self.source.device
    }

    /// The element type that tensors are converted to.
    pub fn dtype(&self) -> DType {
        self.source.dtype
    }

    fn named(&self, name: &str) -> String {
        if self.prefix.is_empty() { name.to_owned() } else { format!("{}.{name}", self.prefix) }
    }
}

/// Reads a JSON configuration that lies beside weights (`config.json`).
///
/// # Errors
/// [`ModelError::Read`] or [`ModelError::Config`], naming the file.
pub fn read_config<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    let bytes = std::fs::read(path).map_err(|source| ModelError::Read { path: path.to_owned(), source })?;
    serde_json::from_slice(&bytes)
        .map_err(|e| ModelError::Config { path: path.to_owned(), reason: e.to_string() })
}

#[cfg(test)]
mod tests;
