//! Training of all weights of a small model: what it takes, and the files.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use adeval_models::ModelError;
use adeval_models::tensors::check_finite;
use adeval_sdk::{ErrorKind, PluginError, Result};
use candle_core::{DType, Device, Tensor, Var};

use crate::plugin_error;

/// The most values of a model that is trained as a whole.
const MOST_VALUES: u64 = 50_000_000;

/// The weights in a save.
pub const WEIGHTS: &str = "model.safetensors";

/// What training so many values takes, in words; `held` says what is held of each, in `bytes`.
///
/// # Errors
/// `InvalidParameters` above a bound, and for weights in another type than float32.
pub fn plan(values: u64, dtype: DType, bytes: u64, held: &str) -> Result<String> {
    if dtype != DType::F32 {
        let message = "train is all, which needs precision f32: steps are smaller than the steps of f16";
        return Err(PluginError::invalid_parameters(message));
    }
    let memory = (values * bytes) as f64 / f64::from(1 << 30);
    let plan = format!("training all {values} values takes {memory:.2} GiB, {bytes} bytes a value");
    if values <= MOST_VALUES {
        return Ok(plan);
    }
    let message = format!("train is all: {plan} ({held}), and at most {MOST_VALUES} values are taken");
    Err(PluginError::invalid_parameters(message)
        .with_hint("set train to adapter, or take a smaller checkpoint"))
}

/// Refuses an adapter beside a training of all weights.
pub fn no_adapter(adapter: &Path) -> PluginError {
    let adapter = adapter.display();
    PluginError::invalid_parameters(format!(
        "train is all, and {adapter} is an adapter: train one or the other"
    ))
}

/// The checkpoint that a training of all weights began with.
pub struct Origin(PathBuf);

impl Origin {
    /// In this folder.
    pub fn new(folder: &Path) -> Self {
        Self(folder.to_owned())
    }

    /// Copies the files that say what the weights are, so that a save is a checkpoint.
    ///
    /// # Errors
    /// `Io`.
    pub fn describe(&self, directory: &Path) -> Result<()> {
        for (path, name) in described(&self.0)? {
            std::fs::copy(path, directory.join(name))?;
        }
        Ok(())
    }

    /// Whether a folder was saved by the training of the same checkpoint, and whole.
    ///
    /// # Errors
    /// `BadWeights`, naming a file that differs.
    pub fn check(&self, directory: &Path) -> Result<()> {
        for (path, name) in described(&self.0)? {
            let saved = directory.join(name);
            if std::fs::read(&saved).ok() != Some(std::fs::read(&path)?) {
                let message = format!("{} is not as {}", saved.display(), path.display());
                return Err(PluginError::new(ErrorKind::BadWeights, message)
                    .with_hint("the save is damaged, or of the training of another checkpoint"));
            }
        }
        Ok(())
    }
}

/// Copies of variables: a detached tensor would change with its variable.
///
/// # Errors
/// `OutOfMemory`.
pub fn copies(variables: &BTreeMap<String, Var>) -> Result<BTreeMap<String, Tensor>> {
    let copy = |(name, variable): (&String, &Var)| {
        let copy = variable.as_detached_tensor().copy();
        Ok((name.clone(), copy.map_err(|error| plugin_error(error.into()))?))
    };
    variables.iter().map(copy).collect()
}

/// Writes variables, safetensors, into a folder that is there.
///
/// # Errors
/// `Io`.
pub fn write(variables: &BTreeMap<String, Var>, file: &Path) -> Result<()> {
    let tensors: HashMap<String, Tensor> =
        variables.iter().map(|(name, variable)| (name.clone(), variable.as_detached_tensor())).collect();
    candle_core::safetensors::save(&tensors, file)
        .map_err(|error| PluginError::new(ErrorKind::Io, error.to_string()))
}

/// Reads what [`write()`] wrote.
///
/// # Errors
/// `MissingWeights`, `BadWeights`.
pub fn read(path: &Path) -> Result<BTreeMap<String, Tensor>> {
    let bytes = std::fs::read(path);
    let bytes = bytes.map_err(|source| plugin_error(ModelError::Read { path: path.to_owned(), source }))?;
    let tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu);
    let unreadable = |e: candle_core::Error| ModelError::Weights {
        label: path.display().to_string(),
        reason: e.to_string(),
    };
    Ok(tensors.map_err(|error| plugin_error(unreadable(error)))?.into_iter().collect())
}

/// Checks that tensors are those of variables: all of them, no others, of their shapes, finite.
///
/// # Errors
/// `BadWeights`, naming a tensor; `file` is what messages call them.
pub fn check(
    variables: &BTreeMap<String, Var>,
    tensors: &BTreeMap<String, Tensor>,
    file: &Path,
) -> Result<()> {
    let fault = |what: String| {
        let message = format!("{}: {what}", file.display());
        Err(PluginError::new(ErrorKind::BadWeights, message)
            .with_hint("the save is damaged, or of the training of another checkpoint"))
    };
    if let Some(name) = variables.keys().find(|name| !tensors.contains_key(*name)) {
        return fault(format!("{name} is missing"));
    }
    for (name, tensor) in tensors {
        let Some(variable) = variables.get(name) else {
            return fault(format!("{name} is no weight of this model"));
        };
        if variable.dims() != tensor.dims() {
            return fault(format!("{name} has shape {:?}, expected {:?}", tensor.dims(), variable.dims()));
        }
        check_finite(&file.display().to_string(), name, tensor).map_err(plugin_error)?;
    }
    Ok(())
}

/// Takes tensors that were checked.
///
/// # Errors
/// `OutOfMemory`.
pub fn set(variables: &BTreeMap<String, Var>, tensors: &BTreeMap<String, Tensor>) -> Result<()> {
    let set = |(name, variable): (&String, &Var)| {
        let tensor = tensors[name].to_dtype(variable.dtype())?.to_device(variable.device())?;
        variable.set(&tensor)
    };
    variables.iter().try_for_each(set).map_err(|error| plugin_error(error.into()))
}

/// The files of a checkpoint that say what its weights are, with their names.
fn described(folder: &Path) -> Result<Vec<(PathBuf, OsString)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if describes(&entry.path()) {
            found.push((entry.path(), entry.file_name()));
        }
    }
    Ok(found)
}

/// Whether a checkpoint's file says what its weights are.
fn describes(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let kinds = [".json", ".jinja", ".txt", ".model"];
    kinds.iter().any(|kind| name.ends_with(kind)) && !name.ends_with(".index.json") && path.is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_model_is_refused_with_what_it_would_take() {
        let error = plan(7_063_427_072, DType::F32, 28, "weights and moments").expect_err("too large");
        let message = error.to_string();
        assert!(message.contains("184.19 GiB") && message.contains("at most 50000000"), "{message}");
        assert!(plan(3_000_000, DType::F32, 28, "").is_ok_and(|plan| plan.contains("0.08 GiB")));
        assert!(plan(3, DType::F16, 28, "").is_err_and(|error| error.message.contains("precision f32")));
    }
}
