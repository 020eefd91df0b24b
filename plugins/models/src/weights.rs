//! Reading a safetensors checkpoint against the list of tensors that a model needs.

use std::collections::BTreeMap;

use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use crate::{ModelError, Result};

/// A checkpoint whose names, shapes and element types have all been checked.
pub struct Checkpoint {
    tensors: BTreeMap<String, Vec<f32>>,
}

impl Checkpoint {
    /// Parses `bytes` and checks that it holds exactly the tensors of `expected`, a list of (name, shape).
    ///
    /// # Errors
    /// Names every missing and unexpected tensor, or the first one with a wrong shape, type or value.
    pub fn read(model: &'static str, bytes: &[u8], expected: &[(String, Vec<usize>)]) -> Result<Self> {
        let file = SafeTensors::deserialize(bytes)
            .map_err(|e| ModelError::NotSafetensors { reason: e.to_string() })?;
        check_names(model, &file, expected)?;
        let mut tensors = BTreeMap::new();
        for (name, shape) in expected {
            let view = file.tensor(name).map_err(|e| ModelError::NotSafetensors { reason: e.to_string() })?;
            tensors.insert(name.clone(), values(name, &view, shape)?);
        }
        Ok(Self { tensors })
    }

    /// Takes out the values of a tensor that the list passed to [`Checkpoint::read`] named.
    ///
    /// # Errors
    /// [`ModelError::Keys`] if it was not on that list, or was taken before.
    pub fn take(&mut self, model: &'static str, name: &str) -> Result<Vec<f32>> {
        self.tensors.remove(name).ok_or_else(|| ModelError::Keys {
            model,
            missing: vec![name.to_owned()],
            unexpected: Vec::new(),
        })
    }
}

fn check_names(model: &'static str, file: &SafeTensors, expected: &[(String, Vec<usize>)]) -> Result<()> {
    let mut unexpected: Vec<String> = file.names().into_iter().map(str::to_owned).collect();
    unexpected.sort();
    let mut missing = Vec::new();
    for (name, _) in expected {
        match unexpected.binary_search(name) {
            Ok(at) => drop(unexpected.remove(at)),
            Err(_) => missing.push(name.clone()),
        }
    }
    if missing.is_empty() && unexpected.is_empty() {
        return Ok(());
    }
    missing.sort();
    Err(ModelError::Keys { model, missing, unexpected })
}

fn values(name: &str, view: &TensorView, expected: &[usize]) -> Result<Vec<f32>> {
    if view.dtype() != Dtype::F32 {
        return Err(ModelError::Dtype { name: name.to_owned(), found: format!("{:?}", view.dtype()) });
    }
    if view.shape() != expected {
        let (found, expected) = (view.shape().to_vec(), expected.to_vec());
        return Err(ModelError::Shape { name: name.to_owned(), found, expected });
    }
    let (quads, _) = view.data().as_chunks::<4>();
    let values: Vec<f32> = quads.iter().map(|b| f32::from_le_bytes(*b)).collect();
    match values.iter().find(|v| !v.is_finite()) {
        Some(&value) => Err(ModelError::Value { name: name.to_owned(), value }),
        None => Ok(values),
    }
}
