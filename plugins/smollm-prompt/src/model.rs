//! The checkpoint: a GGUF file, or a folder with `config.json`, safetensors and `tokenizer.json`.

use std::path::Path;

use adeval_candle::{checkpoint, plugin_error};
use adeval_checkpoints::Layout;
use adeval_checkpoints::layout::Role;
use adeval_models::decoder::gguf::{self, Gguf};
use adeval_models::decoder::{Decoder, DecoderConfig};
use adeval_models::tensors::{Source, read_config};
use adeval_sdk::prelude::*;
use candle_core::quantized::GgmlDType;
use candle_core::{DType, Device};

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
    pub fn load(parameters: &Parameters, environment: &Environment) -> Result<Self> {
        let named = parameters.checkpoint.as_deref();
        let path = checkpoint::checkpoint(
            ID,
            "a language model, such as HuggingFaceTB/SmolLM2-135M-Instruct",
            named,
            environment,
        )?;
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
    let tensors = Layout::recognise(folder)?.component(Role::LanguageModel)?.open()?;
    let source = Source::from_checkpoint(tensors, &Device::Cpu, DType::F32);
    let root = source.weights();
    let tied = config.tie_word_embeddings;
    let decoder = Decoder::load(config, &root.pp("model"), &root)?;
    // Some files hold a tied head twice, and old ones the rotary frequencies.
    source.finish("the language model", |name| {
        name.ends_with("rotary_emb.inv_freq") || (tied && name == "lm_head.weight")
    })?;
    Ok(decoder)
}
