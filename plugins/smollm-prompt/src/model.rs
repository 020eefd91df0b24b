//! The checkpoint: a GGUF file, or a folder with `config.json`, safetensors and `tokenizer.json`.

use std::path::{Path, PathBuf};

use adeval_checkpoints::Hub;
use adeval_models::ModelError;
use adeval_models::decoder::gguf::{self, Gguf};
use adeval_models::decoder::{Decoder, DecoderConfig};
use adeval_models::tensors::{Source, read_config};
use adeval_sdk::prelude::*;
use candle_core::quantized::GgmlDType;
use candle_core::{DType, Device};

use crate::error::plugin_error;
use crate::words::Words;
use crate::{Form, ID, Parameters};

/// A decoder and its words.
pub struct Model {
    pub decoder: Decoder,
    pub words: Words,
    /// What messages and adapters call it.
    pub name: String,
}

impl Model {
    /// What `checkpoint` names, or the host's `weights`.
    pub fn load(parameters: &Parameters, weights: Option<&Path>) -> Result<Self> {
        let path = match (&parameters.checkpoint, weights) {
            (Some(name), _) => Hub::from_env().find(name).map_err(|e| plugin_error(e.into()))?,
            (None, Some(path)) => path.to_owned(),
            (None, None) => {
                let message = format!("{ID} has no weights of its own, and no checkpoint is named");
                return Err(PluginError::new(ErrorKind::MissingWeights, message).with_hint(
                    "set the parameter checkpoint to a GGUF file, a folder, or a hub id that `adeval models pull` fetched, such \
                     as HuggingFaceTB/SmolLM2-135M-Instruct",
                ));
            }
        };
        let model = if path.is_dir() {
            Self::folder(&path, parameters.form)
        } else {
            Self::gguf(&path, parameters.form)
        }?;
        let (words, rows) = (model.words.count(), model.decoder.config().vocab_size);
        if words > rows {
            let message =
                format!("{}: its tokenizer has {words} tokens, its embedding {rows}", path.display());
            return Err(PluginError::new(ErrorKind::BadWeights, message)
                .with_hint("take weights and tokenizer of one model"));
        }
        Ok(model)
    }

    fn gguf(path: &Path, form: Form) -> Result<Self> {
        let form = match form {
            Form::Stored => gguf::Form::Stored,
            Form::F32 => gguf::Form::Float,
            Form::Q8_0 => gguf::Form::Blocks(GgmlDType::Q8_0),
        };
        let gguf = Gguf::read(path, form, &Device::Cpu).map_err(plugin_error)?;
        let words = Words::of_gguf(&gguf)?;
        Ok(Self { decoder: gguf.decoder, words, name: path.display().to_string() })
    }

    fn folder(folder: &Path, form: Form) -> Result<Self> {
        if form == Form::Q8_0 {
            let message =
                format!("form is q8_0, which is for GGUF files, and {} is a folder", folder.display());
            return Err(PluginError::invalid_parameters(message));
        }
        let decoder = floats(folder).map_err(plugin_error)?;
        let words = Words::of_folder(folder, decoder.config().eos.clone())?;
        Ok(Self { decoder, words, name: folder.display().to_string() })
    }
}

fn floats(folder: &Path) -> adeval_models::Result<Decoder> {
    let path = folder.join("config.json");
    let config = DecoderConfig::from_json(&read_config(&path)?, &path)?;
    let mut tensors = Vec::new();
    for file in safetensors(folder)? {
        let held = candle_core::safetensors::load(&file, &Device::Cpu)
            .map_err(|e| ModelError::Weights { label: file.display().to_string(), reason: e.to_string() })?;
        tensors.extend(held);
    }
    let source = Source::from_tensors(folder.display().to_string(), tensors, &Device::Cpu, DType::F32);
    let root = source.weights();
    let tied = config.tie_word_embeddings;
    let decoder = Decoder::load(config, &root.pp("model"), &root)?;
    // Some files hold a tied head twice, and old ones the rotary frequencies.
    source.finish("the language model", |name| {
        name.ends_with("rotary_emb.inv_freq") || (tied && name == "lm_head.weight")
    })?;
    Ok(decoder)
}

/// The folder's weight files, in order.
fn safetensors(folder: &Path) -> adeval_models::Result<Vec<PathBuf>> {
    let unreadable = |source| ModelError::Read { path: folder.to_owned(), source };
    let entries = std::fs::read_dir(folder).map_err(unreadable)?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<std::io::Result<Vec<_>>>();
    let mut files: Vec<PathBuf> = paths.map_err(unreadable)?;
    files.retain(|path| path.extension().is_some_and(|end| end == "safetensors"));
    files.sort();
    if files.is_empty() {
        let reason = "there is no .safetensors file in it".to_owned();
        return Err(ModelError::Unfit { label: folder.display().to_string(), reason });
    }
    Ok(files)
}
