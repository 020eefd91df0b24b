//! Decoders of language models: LLaMA and Vicuna, Mistral, Qwen2, equal to transformers.
//!
//! A [`Decoder`] runs in one of three ways ([`Pass`]): fast, fast without its adapter, or differentiable. All three give the same
//! numbers, bit for bit, because the differentiable way computes with the same kernels and only notes how to go back; what it
//! goes back to is a [`LoRA`](crate::lora) adapter and the embeddings that came in, never the frozen weights.
//!
//! In float32 on x86 processors a row of a batch also has the same bits as alone, whatever padding is before it, and token by
//! token the same as all at once, as long as no unmerged adapter and no quantised weight is in the way. Rotary scaling of the kind
//! `dynamic` is the exception: beyond the trained length its angles depend on the longest row, as in transformers.

mod adapting;
mod attention;
mod cache;
mod config;
pub mod gguf;
pub(crate) mod gradient;
mod layer;
mod norm;
pub(crate) mod projection;
mod rope;

use candle_core::{DType, Device, Tensor};

use crate::tensors::{Parameter, Weights};
use crate::{ModelError, Result};
use attention::Sight;
pub use cache::KvCache;
pub use config::{Architecture, DecoderConfig};
pub use layer::MODULES;
pub(crate) use layer::{Layer, Step};
use norm::RmsNorm;
pub(crate) use projection::by_weight;
use projection::{Frozen, Projection};
use rope::Turn;
pub use rope::{Rope, Scaling};

/// How a decoder runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// Fast, with the adapter if there is one. It builds no graph: a gradient ends here.
    Inference,
    /// Fast, without the adapter: the model as it was before training.
    Reference,
    /// Differentiable, with the adapter.
    Training {
        /// The seed of the adapter's dropout; none leaves dropout out.
        dropout: Option<u64>,
    },
}

impl Pass {
    pub(crate) const fn is_training(self) -> bool {
        matches!(self, Self::Training { .. })
    }

    pub(crate) const fn adapts(self) -> bool {
        !matches!(self, Self::Reference)
    }

    pub(crate) const fn dropout(self) -> Option<u64> {
        match self {
            Self::Training { dropout } => dropout,
            Self::Inference | Self::Reference => None,
        }
    }
}

/// `LlamaForCausalLM`, `MistralForCausalLM` or `Qwen2ForCausalLM`.
pub struct Decoder {
    config: DecoderConfig,
    embedding: Frozen,
    /// None where the head is the embedding.
    head: Option<Frozen>,
    layers: Vec<Layer>,
    norm: RmsNorm,
    device: Device,
    dtype: DType,
    own: Own,
}

/// Embedding and head, where they are trained themselves.
#[derive(Default)]
struct Own {
    embedding: Option<Parameter>,
    head: Option<Parameter>,
}

impl Decoder {
    /// Reads `embed_tokens`, `layers` and `norm` below `model`, and `lm_head` below `head` unless it is tied. Call
    /// [`Source::finish`](crate::tensors::Source::finish) afterwards.
    ///
    /// On a processor load half-precision checkpoints as float32: a source of that type converts them.
    ///
    /// # Errors
    /// As [`Weights::get`].
    pub fn load(config: DecoderConfig, model: &Weights, head: &Weights) -> Result<Self> {
        let (vocabulary, hidden) = (config.vocab_size, config.hidden_size);
        let mut own = Own::default();
        let matrix = |place: Weights, own: &mut Option<Parameter>| {
            let weight = place.get("weight", &[vocabulary, hidden])?;
            *own = place.parameter("weight", &weight);
            Frozen::new(weight.detach())
        };
        let embedding = matrix(model.pp("embed_tokens"), &mut own.embedding)?;
        let tied = config.tie_word_embeddings;
        let head = if tied { None } else { Some(matrix(head.pp("lm_head"), &mut own.head)?) };
        let layers = (0..config.num_hidden_layers).map(|index| {
            let place = model.pp("layers").pp(index);
            Layer::load(&config, index, &place, |number, (inputs, outputs, bias)| {
                Projection::load(inputs, outputs, bias, &place.pp(MODULES[number]))
            })
        });
        let layers = layers.collect::<Result<_>>()?;
        let norm = RmsNorm::load(hidden, config.rms_norm_eps, &model.pp("norm"))?;
        let (device, dtype) = (model.device().clone(), model.dtype());
        Ok(Self { config, embedding, head, layers, norm, device, dtype, own })
    }

    /// What it was built from.
    pub fn config(&self) -> &DecoderConfig {
        &self.config
    }

    /// Where it runs.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The type of hidden states.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Bytes of the matrices, an adapter's not counted.
    pub fn bytes(&self) -> usize {
        let layers = self.layers.iter().flat_map(Layer::projections).map(|p| p.frozen().bytes());
        layers.sum::<usize>() + self.embedding.bytes() + self.head.as_ref().map_or(0, Frozen::bytes)
    }

    /// Embeddings of tokens, `(tokens, hidden)`.
    ///
    /// # Errors
    /// [`ModelError::Input`] for a token that is not in the vocabulary, and failures of the device.
    pub fn embed(&self, ids: &[u32]) -> Result<Tensor> {
        if let Some(id) = ids.iter().find(|id| **id as usize >= self.config.vocab_size) {
            return Err(ModelError::Input {
                found: format!("token {id}, with a vocabulary of {}", self.config.vocab_size),
                expected: "the tokenizer that belongs to this decoder",
            });
        }
        Ok(self.embedding.rows(ids, &self.device)?.to_dtype(self.dtype)?)
    }

    /// Hidden states after the last norm, `(rows, tokens, hidden)`, of `embeds`, the same shape. `starts` says how many columns
    /// of padding each row begins with, counted from the cache's first column if there is one; what comes out of padding
    /// means nothing. The new tokens are appended to the cache.
    ///
    /// # Errors
    /// [`ModelError::Input`] for shapes that do not fit each other, a cache in a pass for training, and failures of the device.
    pub fn forward(
        &self,
        embeds: &Tensor,
        starts: &[usize],
        mut cache: Option<&mut KvCache>,
        pass: Pass,
    ) -> Result<Tensor> {
        let past = cache.as_ref().map_or(0, |cache| cache.len());
        self.check(starts, cache.as_deref(), pass)?;
        let step = self.step(embeds, starts, past, pass)?;
        let mut x = embeds.clone();
        for (index, layer) in self.layers.iter().enumerate() {
            x = layer.forward(&x, &step, cache.as_mut().and_then(|cache| cache.layer(index)))?;
        }
        self.norm.forward(&x, pass)
    }

    /// Scores of every token of the vocabulary, float32 `(.., vocabulary)`, for hidden states `(.., hidden)` of
    /// [`Decoder::forward`]. It builds no graph.
    ///
    /// # Errors
    /// Failures of the device.
    pub fn logits(&self, hidden: &Tensor) -> Result<Tensor> {
        Ok(self.head().forward(&hidden.detach())?.to_dtype(DType::F32)?)
    }

    /// The matrix behind [`Decoder::logits`].
    pub(crate) fn head(&self) -> &Frozen {
        self.head.as_ref().unwrap_or(&self.embedding)
    }

    /// The parameter behind [`Decoder::head`], if it is trained.
    pub(crate) fn head_parameter(&self) -> Option<&Parameter> {
        if self.head.is_some() { self.own.head.as_ref() } else { self.own.embedding.as_ref() }
    }

    /// The parameter behind [`Decoder::embed`], if it is trained.
    pub(crate) fn embedding_parameter(&self) -> Option<&Parameter> {
        self.own.embedding.as_ref()
    }

    /// The parameter of the last norm, if it is trained.
    pub(crate) fn norm_parameter(&self) -> Option<&Parameter> {
        self.norm.parameter()
    }

    pub(crate) fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// The norm behind the last layer.
    pub(crate) fn final_norm(&self, x: &Tensor, pass: Pass) -> Result<Tensor> {
        self.norm.forward(x, pass)
    }

    /// What the layers share in a pass over `embeds`.
    pub(crate) fn step(&self, embeds: &Tensor, starts: &[usize], past: usize, pass: Pass) -> Result<Step> {
        let config = &self.config;
        let fault = |found: String| {
            Err(ModelError::Input {
                found,
                expected: "(rows, tokens, hidden size) of the decoder's type, and the padding of each row",
            })
        };
        let [rows, queries, hidden] = *embeds.dims() else {
            return fault(format!("embeddings of shape {:?}", embeds.dims()));
        };
        if hidden != config.hidden_size
            || starts.len() != rows
            || embeds.dtype() != self.dtype
            || queries == 0
        {
            let dtype = embeds.dtype();
            return fault(format!("embeddings {dtype:?} {:?} with {} starts", embeds.dims(), starts.len()));
        }
        let positions = starts.iter().flat_map(|s| (past..past + queries).map(move |c| c.saturating_sub(*s)));
        let positions: Vec<usize> = positions.collect();
        let turn = Turn::new(&config.rope, config.head_dim, &positions, rows, (self.dtype, &self.device))?;
        let sight = Sight {
            starts: starts.to_vec(),
            past,
            queries,
            heads: config.num_attention_heads,
            kv_heads: config.num_key_value_heads,
            head: config.head_dim,
        };
        Ok(Step { turn, sight, pass })
    }

    fn check(&self, starts: &[usize], cache: Option<&KvCache>, pass: Pass) -> Result<()> {
        let fault = |found: String, expected| Err(ModelError::Input { found, expected });
        let Some(cache) = cache else { return Ok(()) };
        if pass.is_training() {
            return fault("a pass for training with a cache".to_owned(), "no cache: all tokens at once");
        }
        if cache.layer_count() != self.layers.len() {
            let found = format!("a cache of {} layers for {} layers", cache.layer_count(), self.layers.len());
            return fault(found, "the cache of this decoder");
        }
        match starts.iter().find(|start| !cache.is_empty() && **start > cache.len()) {
            Some(start) => fault(
                format!("padding of {start} columns with {} in the cache", cache.len()),
                "padding before the first token only",
            ),
            None => Ok(()),
        }
    }
}
