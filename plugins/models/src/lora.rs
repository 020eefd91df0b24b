//! LoRA: files of low-rank changes to the weights of a UNet and a text encoder, fused into them when they are loaded
//! ([`Lora`]); and the adapter of a [`Decoder`](crate::decoder::Decoder), which is trained ([`LoraAdapter`]).
//!
//! A layer's weight W becomes W + strength * (alpha / rank) * up * down, computed in float32 (Hu et al., "LoRA: Low-Rank
//! Adaptation of Large Language Models", 2021, section 4.1). Layers without alpha have alpha = rank.
//!
//! Layouts, told apart by the keys: kohya's (`lora_unet_down_blocks_0_...lora_down.weight`, also with the original names of
//! blocks), PEFT's (`unet....lora_A.weight`, `base_model.model....`), and those of diffusers (`....lora.down.weight`,
//! `....processor.to_q_lora.down.weight`, `....lora_linear_layer.down.weight`).

pub(crate) mod adapter;
mod files;
mod keys;
mod names;
mod peft;

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor};

use crate::tensors::{Source, check_finite};
use crate::{ModelError, Result};
pub use adapter::{LoraAdapter, LoraConfig};
use keys::{Component, Part};
use peft::PeftFacts;

/// One file's changes.
pub struct Lora {
    label: String,
    layers: BTreeMap<(Component, String), Layer>,
    peft: PeftFacts,
}

/// One layer's change, as the file holds it.
#[derive(Default)]
struct Layer {
    /// (key, tensor).
    down: Option<(String, Tensor)>,
    up: Option<(String, Tensor)>,
    alpha: Option<f64>,
}

impl Lora {
    /// Reads a safetensors file, and the `adapter_config.json` beside PEFT's `adapter_model.safetensors`.
    ///
    /// # Errors
    /// [`ModelError::Read`] or [`ModelError::Weights`] for an unreadable file, [`ModelError::Config`] for an unreadable
    /// configuration, and what [`Lora::from_tensors`] says.
    pub fn read(path: &Path) -> Result<Self> {
        let label = path.display().to_string();
        let bytes =
            std::fs::read(path).map_err(|source| ModelError::Read { path: path.to_owned(), source })?;
        let unreadable = |reason: String| ModelError::Weights { label: label.clone(), reason };
        let (_, header) =
            safetensors::SafeTensors::read_metadata(&bytes).map_err(|e| unreadable(e.to_string()))?;
        let tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu)
            .map_err(|e| unreadable(e.to_string()))?;
        let facts = header.metadata().iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect();
        let mut lora = Self::from_tensors(label, tensors, &facts)?;
        let beside = path.with_file_name("adapter_config.json");
        if path.file_name().is_some_and(|name| name == "adapter_model.safetensors") && beside.is_file() {
            lora.peft = PeftFacts::from_config(&beside)?;
        }
        Ok(lora)
    }

    /// Takes the tensors of a file; `metadata` are the texts of its header. `label` is what messages call it.
    ///
    /// # Errors
    /// [`ModelError::Unfit`], naming file and key, for a key of no known layout, for another method than LoRA (DoRA, LoHa,
    /// LoKr) and for a LoRA of Stable Diffusion XL; [`ModelError::Value`] for a tensor that is not finite.
    pub fn from_tensors(
        label: impl Into<String>,
        tensors: impl IntoIterator<Item = (String, Tensor)>,
        metadata: &BTreeMap<String, String>,
    ) -> Result<Self> {
        let label = label.into();
        let unfit = |reason: String| ModelError::Unfit { label: label.clone(), reason };
        if let Some(reason) = keys::refused_metadata(metadata) {
            return Err(unfit(reason));
        }
        let mut layers: BTreeMap<_, Layer> = BTreeMap::new();
        for (key, tensor) in tensors {
            let (component, module, part) = keys::parse(&key).map_err(&unfit)?;
            let tensor = tensor.to_device(&Device::Cpu)?.to_dtype(DType::F32)?;
            check_finite(&label, &key, &tensor)?;
            let layer = layers.entry((component, module)).or_default();
            match part {
                Part::Down => layer.down = Some((key, tensor)),
                Part::Up => layer.up = Some((key, tensor)),
                Part::Alpha => {
                    layer.alpha = Some(f64::from(scalar(&tensor).ok_or_else(|| {
                        unfit(format!("{key} has shape {:?}, expected one number", tensor.dims()))
                    })?))
                }
            }
        }
        if layers.is_empty() {
            return Err(unfit("it holds no LoRA layers".to_owned()));
        }
        let peft = PeftFacts::from_metadata(metadata).map_err(unfit)?;
        Ok(Self { label, layers, peft })
    }

    /// Adds its change, times `strength`, to the UNet that is loaded from `unet` afterwards; gives the number of layers.
    /// May be called for several files.
    ///
    /// # Errors
    /// [`ModelError::Unfit`], naming file and key, for a layer that the UNet does not have or has in another shape. Then
    /// some layers may have been added: drop the source.
    pub fn fuse_unet(&self, strength: f64, unet: &mut Source) -> Result<usize> {
        self.fuse(Component::Unet, strength, unet)
    }

    /// As [`Lora::fuse_unet`], for the text encoder.
    ///
    /// # Errors
    /// As [`Lora::fuse_unet`].
    pub fn fuse_text_encoder(&self, strength: f64, text_encoder: &mut Source) -> Result<usize> {
        self.fuse(Component::TextEncoder, strength, text_encoder)
    }

    fn fuse(&self, component: Component, strength: f64, source: &mut Source) -> Result<usize> {
        let names = names::by_module(component, &source.names());
        let mut count = 0;
        for ((of, module), layer) in &self.layers {
            if *of != component {
                continue;
            }
            let unfit = |reason: String| ModelError::Unfit { label: self.label.clone(), reason };
            let (down_key, down, up) = layer.pair(module).map_err(unfit)?;
            let Some(name) = names.get(module) else {
                let hint = keys::base_hint(module, down);
                return Err(unfit(format!("{down_key}: {} has no such layer{hint}", component.name())));
            };
            let shape = source.weights().shape(name).unwrap_or_default();
            fits(down, up, &shape).map_err(|reason| {
                let hint = keys::base_hint(module, down);
                unfit(format!("{down_key}: {reason} {name} of shape {shape:?}{hint}"))
            })?;
            let rank = down.dims()[0];
            let scale = match layer.alpha {
                Some(alpha) => alpha / rank as f64,
                None => self.peft.scale(component, name, rank),
            };
            let up = (up.reshape((shape[0], rank))? * (strength * scale))?;
            source.patch_low_rank(name.clone(), up, down.flatten_from(1)?);
            count += 1;
        }
        Ok(count)
    }
}

impl Layer {
    fn pair(&self, module: &str) -> std::result::Result<(&str, &Tensor, &Tensor), String> {
        match (&self.down, &self.up) {
            (Some((key, down)), Some((_, up))) => Ok((key, down, up)),
            (Some((key, _)), None) => {
                Err(format!("{key} has no matching up (or lora_B) matrix; the file is incomplete"))
            }
            (None, Some((key, _))) => {
                Err(format!("{key} has no matching down (or lora_A) matrix; the file is incomplete"))
            }
            (None, None) => Err(format!("the alpha of {module} has no matrices; the file is incomplete")),
        }
    }
}

/// down: (rank, inputs, kernel...), up: (outputs, rank, 1...), for a weight of (outputs, inputs, kernel...). A matrix stands
/// for a 1x1 kernel and the other way round.
fn fits(down: &Tensor, up: &Tensor, shape: &[usize]) -> std::result::Result<(), String> {
    let is_matrix = |dims: &[usize]| dims.len() == 2 || (dims.len() == 4 && dims[2..] == [1, 1]);
    let (d, u) = (down.dims(), up.dims());
    if d.len() < 2 || !is_matrix(u) || d[0] != u[1] {
        return Err(format!("its matrices of shapes {d:?} and {u:?} do not share a rank; they are for"));
    }
    let same_inputs = d[1..] == shape[1..] || (is_matrix(d) && is_matrix(shape) && d[1] == shape[1]);
    if u[0] != shape[0] || !same_inputs {
        return Err(format!("its matrices of shapes {d:?} and {u:?} do not make"));
    }
    Ok(())
}

fn scalar(tensor: &Tensor) -> Option<f32> {
    match &tensor.flatten_all().and_then(|t| t.to_vec1::<f32>()).ok()?[..] {
        [value] => Some(*value),
        _ => None,
    }
}
