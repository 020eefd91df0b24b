//! The CLIP text encoder (`CLIPTextModel`).

use candle_core::{DType, Device, Module, Tensor};
use candle_nn::{Embedding, LayerNorm};
use serde::Deserialize;

use super::encoder::{Activation, Size, Transformer};
use crate::layers::{embedding, layer_norm};
use crate::tensors::Source;
use crate::{ModelError, Result};

/// `config.json` of a text encoder; what it leaves out has the default of `transformers`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct TextConfig {
    /// Number of tokens in the vocabulary.
    pub vocab_size: usize,
    /// Width of the embeddings: 768 in Stable Diffusion 1.5.
    pub hidden_size: usize,
    /// Width inside the MLPs.
    pub intermediate_size: usize,
    /// Number of layers.
    pub num_hidden_layers: usize,
    /// Number of attention heads, a divisor of `hidden_size`.
    pub num_attention_heads: usize,
    /// The most tokens that it reads at once, begin and end included.
    pub max_position_embeddings: usize,
    /// The MLPs' activation.
    pub hidden_act: Activation,
    /// Epsilon of the layer norms.
    pub layer_norm_eps: f64,
    /// The end token. 2, which old configurations hold by mistake, stands for the highest id of each sequence.
    pub eos_token_id: u32,
    /// Whether a pipeline hides the padding from attention; absent from the published models, which see it.
    pub use_attention_mask: bool,
}

impl Default for TextConfig {
    fn default() -> Self {
        Self {
            vocab_size: 49408,
            hidden_size: 512,
            intermediate_size: 2048,
            num_hidden_layers: 12,
            num_attention_heads: 8,
            max_position_embeddings: 77,
            hidden_act: Activation::QuickGelu,
            layer_norm_eps: 1e-5,
            eos_token_id: 49407,
            use_attention_mask: false,
        }
    }
}

impl TextConfig {
    fn size(&self) -> Size {
        Size {
            hidden: self.hidden_size,
            intermediate: self.intermediate_size,
            layers: self.num_hidden_layers,
            heads: self.num_attention_heads,
            eps: self.layer_norm_eps,
            activation: self.hidden_act,
        }
    }

    /// The position of the end token in `ids`, by the rule of [`TextConfig::eos_token_id`]; 0 if there is none.
    fn end(&self, ids: &[u32]) -> usize {
        let first = |wanted: u32| ids.iter().position(|&id| id == wanted).unwrap_or(0);
        match self.eos_token_id {
            2 => ids.iter().max().map_or(0, |&highest| first(highest)),
            end => first(end),
        }
    }
}

/// What a text encoder makes of a batch.
pub struct TextOutput {
    /// The last layer's output after the final norm: (batch, tokens, hidden).
    pub last_hidden_state: Tensor,
    /// The embeddings and every layer's output, before the final norm.
    pub hidden_states: Vec<Tensor>,
    /// `last_hidden_state` at each sequence's end token: (batch, hidden).
    pub pooled: Tensor,
}

/// A text encoder with its weights.
pub struct TextEncoder {
    config: TextConfig,
    tokens: Embedding,
    positions: Embedding,
    transformer: Transformer,
    norm: LayerNorm,
    device: Device,
}

impl TextEncoder {
    /// Builds it from all tensors of `source`, named with the prefix `text_model.` or, as transformers 5 does, without.
    ///
    /// # Errors
    /// [`ModelError::Keys`], [`ModelError::Shape`] or [`ModelError::Value`] for a source that is no such encoder, and
    /// [`ModelError::Unfit`] for a configuration that describes none.
    pub fn load(source: &Source, config: &TextConfig) -> Result<Self> {
        let size = config.size();
        if let Some(reason) = size.fault() {
            return Err(ModelError::Unfit { label: source.label().to_owned(), reason });
        }
        let mut weights = source.weights();
        if weights.has("text_model.embeddings.token_embedding.weight") {
            weights = weights.pp("text_model");
        }
        let embeddings = weights.pp("embeddings");
        let (tokens, positions) = (config.vocab_size, config.max_position_embeddings);
        let encoder = Self {
            config: config.clone(),
            tokens: embedding(tokens, size.hidden, &embeddings.pp("token_embedding"))?,
            positions: embedding(positions, size.hidden, &embeddings.pp("position_embedding"))?,
            transformer: Transformer::load(&size, &weights.pp("encoder"))?,
            norm: layer_norm(size.hidden, size.eps, &weights.pp("final_layer_norm"))?,
            device: weights.device().clone(),
        };
        source.finish("a CLIP text encoder", |name| name.ends_with("embeddings.position_ids"))?;
        Ok(encoder)
    }

    /// Its configuration.
    pub const fn config(&self) -> &TextConfig {
        &self.config
    }

    /// Encodes sequences of equal length. `attention` is 1 where a token is to be seen and 0 where not (padding), of the
    /// shape of `ids`; every token sees itself and those before it only.
    ///
    /// # Errors
    /// [`ModelError::Input`] for sequences that are empty, too long or of different lengths, for an id outside the
    /// vocabulary and for an `attention` of another shape, and failures of the device.
    pub fn forward(&self, ids: &[Vec<u32>], attention: Option<&[Vec<u32>]>) -> Result<TextOutput> {
        let (batch, length) = self.check(ids, attention)?;
        let flat: Vec<u32> = ids.concat();
        let tokens = self.tokens.forward(&Tensor::from_vec(flat, (batch, length), &self.device)?)?;
        let positions = self.positions.forward(&Tensor::from_iter(0..length as u32, &self.device)?)?;
        let mask = causal_mask(length, attention, &self.device)?;
        let hidden_states = self.transformer.forward(tokens.broadcast_add(&positions)?, Some(&mask))?;
        let last = hidden_states.last().unwrap_or(&tokens);
        let last_hidden_state = self.norm.forward(last)?;
        let ends: Vec<u32> =
            ids.iter().enumerate().map(|(row, ids)| (row * length + self.config.end(ids)) as u32).collect();
        let ends = Tensor::from_vec(ends, batch, &self.device)?;
        let pooled = last_hidden_state.flatten_to(1)?.index_select(&ends, 0)?;
        Ok(TextOutput { last_hidden_state, hidden_states, pooled })
    }

    /// What the UNet is given: (batch, tokens, hidden). `clip_skip` leaves out that many of the last layers and applies
    /// the final norm to what remains, as diffusers does; 0 leaves out none.
    ///
    /// # Errors
    /// As [`TextEncoder::forward`]; [`ModelError::Input`] if `clip_skip` leaves no layer's output.
    pub fn embed(
        &self,
        ids: &[Vec<u32>],
        attention: Option<&[Vec<u32>]>,
        clip_skip: usize,
    ) -> Result<Tensor> {
        let output = self.forward(ids, attention)?;
        if clip_skip == 0 {
            return Ok(output.last_hidden_state);
        }
        let kept = output.hidden_states.len().checked_sub(clip_skip + 1);
        let Some(state) = kept.and_then(|i| output.hidden_states.get(i)) else {
            return Err(ModelError::Input {
                found: format!("a clip_skip of {clip_skip} for {} layers", self.config.num_hidden_layers),
                expected: "at most the number of layers",
            });
        };
        Ok(self.norm.forward(state)?)
    }

    fn check(&self, ids: &[Vec<u32>], attention: Option<&[Vec<u32>]>) -> Result<(usize, usize)> {
        let length = ids.first().map_or(0, Vec::len);
        let wrong = |found: String, expected| Err(ModelError::Input { found, expected });
        if length == 0 || length > self.config.max_position_embeddings {
            let most = self.config.max_position_embeddings;
            return wrong(
                format!("{length} tokens (this encoder reads at most {most})"),
                "1 to as many tokens",
            );
        }
        let lengths_differ =
            |rows: &[Vec<u32>]| rows.len() != ids.len() || rows.iter().any(|r| r.len() != length);
        if lengths_differ(ids) || attention.is_some_and(lengths_differ) {
            return wrong(
                "rows of different lengths".to_owned(),
                "ids and attention of one shape, (batch, tokens)",
            );
        }
        match ids.iter().flatten().find(|&&id| id as usize >= self.config.vocab_size) {
            Some(id) => wrong(
                format!("token {id}, with a vocabulary of {}", self.config.vocab_size),
                "the tokenizer that belongs to this text encoder",
            ),
            None => Ok((ids.len(), length)),
        }
    }
}

/// 0 where a token may look, the lowest float32 where not: (batch or 1, 1, length, length).
fn causal_mask(
    length: usize,
    attention: Option<&[Vec<u32>]>,
    device: &Device,
) -> candle_core::Result<Tensor> {
    let all_seen = [vec![1; length]];
    let rows = attention.unwrap_or(&all_seen);
    let mut mask = Vec::with_capacity(rows.len() * length * length);
    for seen in rows {
        for query in 0..length {
            mask.extend(seen.iter().enumerate().map(|(key, &seen)| {
                // Not infinity: a row without any token to see would become NaN.
                if key <= query && seen != 0 { 0.0 } else { f32::MIN }
            }));
        }
    }
    Tensor::from_vec(mask, (rows.len(), 1, length, length), device)?.to_dtype(DType::F32)
}
