//! Decoders from GGUF files, as llama.cpp writes them: the sizes from the file's facts, the matrices in its blocks.
//!
//! Of `llama` files (Mistral's are such, too) the rows of query and key lie in another order than transformers': rotary positions
//! turn neighbours there. The rows are put back when they are read; blocks never reach over rows, so that costs no digit.

mod facts;
mod tokenizer;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use candle_core::quantized::gguf_file::{Content, Value};
use candle_core::quantized::{GgmlDType, QStorage, QTensor};
use candle_core::{DType, Device, Tensor};

use super::norm::RmsNorm;
use super::projection::{Frozen, Projection};
use super::{Decoder, DecoderConfig, Layer, MODULES, layer};
use crate::tensors::Source;
use crate::{ModelError, Result};
use facts::{Facts, bias_name, gguf_name};

/// How the matrices are held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// In the file's blocks: least memory, and the fastest answers.
    #[default]
    Stored,
    /// Unpacked to float32: the same weights, and the fastest reading of long prompts.
    Float,
    /// In blocks of another kind, made from the file's.
    Blocks(GgmlDType),
}

/// A GGUF file that was read: the decoder, and what the file says of its tokenizer.
pub struct Gguf {
    /// The model.
    pub decoder: Decoder,
    /// The file's other facts, `tokenizer.ggml.tokens` and `tokenizer.chat_template` among them.
    pub facts: HashMap<String, Value>,
}

impl Gguf {
    /// Reads a file of architecture `llama` or `qwen2`.
    ///
    /// # Errors
    /// [`ModelError::Read`]; [`ModelError::Weights`] for a damaged file; [`ModelError::Config`] for another architecture or
    /// a missing fact; [`ModelError::Keys`] and [`ModelError::Shape`], naming tensors as the file does.
    pub fn read(path: &Path, form: Form, device: &Device) -> Result<Self> {
        let file = File::open(path).map_err(|source| ModelError::Read { path: path.to_owned(), source })?;
        let mut file = BufReader::new(file);
        let label = path.display().to_string();
        let damaged =
            |e: candle_core::Error| ModelError::Weights { label: label.clone(), reason: e.to_string() };
        let mut content = Content::read(&mut file).map_err(damaged)?;
        let shapes = content.tensor_infos.iter().map(|(name, info)| (name.as_str(), info.shape.dims()));
        let facts = Facts::new(&content.metadata, &shapes.collect())
            .map_err(|reason| ModelError::Config { path: path.to_owned(), reason })?;
        let config = DecoderConfig::from_json(&facts.config, path)?;
        let mut tensors = BTreeMap::new();
        for (name, info) in &content.tensor_infos {
            let tensor = info.read(&mut file, content.tensor_data_offset, device).map_err(damaged)?;
            tensors.insert(name.clone(), tensor);
        }
        let mut blocks = Blocks { label, tensors, device: device.clone(), form, turned: facts.turned };
        let decoder = blocks.decoder(config)?;
        content.metadata.retain(|key, _| !key.starts_with("general."));
        Ok(Self { decoder, facts: content.metadata })
    }
}

/// The file's tensors, which the decoder takes one by one.
struct Blocks {
    label: String,
    tensors: BTreeMap<String, QTensor>,
    device: Device,
    form: Form,
    /// Whether rows of query and key have llama.cpp's order.
    turned: bool,
}

impl Blocks {
    fn decoder(&mut self, mut config: DecoderConfig) -> Result<Decoder> {
        if let Some(factors) = self.tensors.remove("rope_freqs.weight") {
            config.rope.scaling =
                super::Scaling::Pairs { factors: factors.dequantize(&Device::Cpu)?.to_vec1()? };
        }
        self.check(&config)?;
        let (hidden, device) = (config.hidden_size, self.device.clone());
        // What is no matrix goes through a source, under transformers' names.
        let vectors = self.vectors(&config)?;
        let source = Source::from_tensors(self.label.clone(), vectors, &device, DType::F32);
        let root = source.weights();
        let embedding = self.take("token_embd.weight", None)?;
        let head = if config.tie_word_embeddings { None } else { Some(self.take("output.weight", None)?) };
        let mut layers = Vec::with_capacity(config.num_hidden_layers);
        for index in 0..config.num_hidden_layers {
            let place = root.pp("layers").pp(index);
            layers.push(Layer::load(&config, index, &place, |number, (inputs, outputs, bias)| {
                let frozen = self.take(&gguf_name(index, number), self.heads(&config, number))?;
                let place = place.pp(MODULES[number]);
                let bias = bias.then(|| place.get("bias", &[outputs])).transpose()?;
                Ok(Projection::of(frozen, bias, inputs, outputs))
            })?);
        }
        let norm = RmsNorm::load(hidden, config.rms_norm_eps, &root.pp("norm"))?;
        source.finish("the GGUF decoder", |_| false)?;
        let own = super::Own::default();
        Ok(Decoder { config, embedding, head, layers, norm, device, dtype: DType::F32, own })
    }

    /// Compares names and shapes of the whole file with those of the decoder.
    fn check(&self, config: &DecoderConfig) -> Result<()> {
        let expected = facts::expected(config);
        let found: BTreeSet<&str> = self.tensors.keys().map(String::as_str).collect();
        let missing: Vec<String> =
            expected.keys().filter(|name| !found.contains(name.as_str())).cloned().collect();
        let unexpected: Vec<String> =
            found.into_iter().filter(|name| !expected.contains_key(*name)).map(str::to_owned).collect();
        if !missing.is_empty() || !unexpected.is_empty() {
            return Err(ModelError::Keys { model: "the GGUF decoder", missing, unexpected });
        }
        for (name, shape) in expected {
            let found = self.tensors[&name].shape().dims();
            if found != shape {
                let name = format!("{name} of {}", self.label);
                return Err(ModelError::Shape { name, found: found.to_vec(), expected: shape });
            }
        }
        Ok(())
    }

    /// Norms and biases in float32, under transformers' names.
    fn vectors(&mut self, config: &DecoderConfig) -> Result<Vec<(String, Tensor)>> {
        let mut names = vec![("output_norm.weight".to_owned(), "norm.weight".to_owned())];
        for index in 0..config.num_hidden_layers {
            for (theirs, ours) in [("attn_norm", "input_layernorm"), ("ffn_norm", "post_attention_layernorm")]
            {
                names.push((format!("blk.{index}.{theirs}.weight"), format!("layers.{index}.{ours}.weight")));
            }
            for (number, (_, _, bias)) in layer::sizes(config).into_iter().enumerate() {
                if bias {
                    let ours = format!("layers.{index}.{}.bias", MODULES[number]);
                    names.push((bias_name(index, number), ours));
                }
            }
        }
        let mut vectors = Vec::with_capacity(names.len());
        for (theirs, ours) in names {
            let Some(tensor) = self.tensors.remove(&theirs) else { continue };
            let tensor = tensor.dequantize(&self.device)?;
            let heads = theirs.ends_with(".bias").then(|| self.heads_of(config, &theirs)).flatten();
            let tensor = match heads {
                Some(heads) => {
                    let rows: Vec<u32> = in_halves(tensor.dims()[0], heads).map(|row| row as u32).collect();
                    tensor.index_select(&Tensor::new(rows, &self.device)?, 0)?
                }
                None => tensor,
            };
            vectors.push((ours, tensor));
        }
        Ok(vectors)
    }

    /// Heads whose rows have to be put back, none where they lie as in transformers.
    fn heads(&self, config: &DecoderConfig, number: usize) -> Option<usize> {
        let heads = match MODULES[number] {
            "self_attn.q_proj" => config.num_attention_heads,
            "self_attn.k_proj" => config.num_key_value_heads,
            _ => return None,
        };
        self.turned.then_some(heads)
    }

    fn heads_of(&self, config: &DecoderConfig, bias: &str) -> Option<usize> {
        let number =
            (0..MODULES.len()).find(|number| bias.ends_with(&bias_name(0, *number)["blk.0".len()..]))?;
        self.heads(config, number)
    }

    fn take(&mut self, name: &str, heads: Option<usize>) -> Result<Frozen> {
        let Some(tensor) = self.tensors.remove(name) else {
            return Err(ModelError::Keys {
                model: "the GGUF decoder",
                missing: vec![name.to_owned()],
                unexpected: Vec::new(),
            });
        };
        let tensor = match heads {
            Some(heads) => reordered(&tensor, heads, &self.device)?,
            None => tensor,
        };
        match self.form {
            Form::Stored => Frozen::quantised(tensor, DType::F32, &self.device),
            Form::Float => Frozen::new(tensor.dequantize(&self.device)?),
            Form::Blocks(kind) => {
                let floats = tensor.dequantize(&Device::Cpu)?;
                Frozen::quantised(
                    QTensor::quantize_onto(&floats, kind, &self.device)?,
                    DType::F32,
                    &self.device,
                )
            }
        }
    }
}

/// Rows of pairs (0, h/2, 1, h/2 + 1, ..) of each head, in the order in which transformers has them: first the first halves.
fn in_halves(rows: usize, heads: usize) -> impl Iterator<Item = usize> {
    let width = rows / heads.max(1);
    (0..heads).flat_map(move |head| {
        (0..width)
            .map(move |row| head * width + if row < width / 2 { 2 * row } else { 2 * (row - width / 2) + 1 })
    })
}

/// The same blocks with their rows in transformers' order.
fn reordered(tensor: &QTensor, heads: usize, device: &Device) -> Result<QTensor> {
    let (rows, _) = tensor.shape().dims2()?;
    let data = tensor.data()?;
    let size = data.len() / rows.max(1);
    let bytes: Vec<u8> =
        in_halves(rows, heads).flat_map(|row| &data[row * size..(row + 1) * size]).copied().collect();
    let storage = QStorage::from_data(bytes.into(), device, tensor.dtype())?;
    Ok(QTensor::new(storage, tensor.shape().clone())?)
}
