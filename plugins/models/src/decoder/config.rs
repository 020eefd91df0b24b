//! `config.json` of LLaMA, Mistral and Qwen2, as transformers 4 and 5 write it, and as LLaVA keeps it below `text_config`.

use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::rope::{Rope, Scaling};
use crate::{ModelError, Result};

/// The three architectures, which share everything but biases, windows and defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// LLaMA 1 to 3 and Vicuna.
    Llama,
    /// Mistral 7B: a sliding window in every layer, where the configuration has one.
    Mistral,
    /// Qwen 2 and 2.5: biases on query, key and value.
    Qwen2,
}

/// What a decoder is built from. Fields have the names of transformers.
#[derive(Clone, Debug, PartialEq)]
pub struct DecoderConfig {
    /// Which family.
    pub architecture: Architecture,
    /// Tokens of the embedding and of the head.
    pub vocab_size: usize,
    /// Width of a hidden state.
    pub hidden_size: usize,
    /// Width of the feed-forward part.
    pub intermediate_size: usize,
    /// Layers.
    pub num_hidden_layers: usize,
    /// Query heads.
    pub num_attention_heads: usize,
    /// Key and value heads, each shared by as many query heads (Ainslie et al., "GQA", 2023).
    pub num_key_value_heads: usize,
    /// Width of a head, even.
    pub head_dim: usize,
    /// Added to the mean square before the root.
    pub rms_norm_eps: f64,
    /// Rotary positions.
    pub rope: Rope,
    /// The longest sequence that it was trained for, in tokens.
    pub max_position_embeddings: usize,
    /// Whether the head is the embedding.
    pub tie_word_embeddings: bool,
    /// Biases on query, key and value.
    pub qkv_bias: bool,
    /// A bias on the attention's output.
    pub output_bias: bool,
    /// Biases in the feed-forward part.
    pub mlp_bias: bool,
    /// By layer: how many tokens back a token sees, itself included; none sees all.
    pub windows: Vec<Option<usize>>,
    /// `eos_token_id`, one or several; empty where the file names none.
    pub eos: Vec<u32>,
}

/// The file's fields, all of which may be missing: transformers leaves out what is the class's default.
#[derive(Deserialize)]
struct Fields {
    model_type: Option<String>,
    vocab_size: Option<usize>,
    hidden_size: Option<usize>,
    intermediate_size: Option<usize>,
    num_hidden_layers: Option<usize>,
    num_attention_heads: Option<usize>,
    num_key_value_heads: Option<usize>,
    head_dim: Option<usize>,
    hidden_act: Option<String>,
    max_position_embeddings: Option<usize>,
    rms_norm_eps: Option<f64>,
    tie_word_embeddings: Option<bool>,
    attention_bias: Option<bool>,
    mlp_bias: Option<bool>,
    sliding_window: Option<usize>,
    use_sliding_window: Option<bool>,
    max_window_layers: Option<usize>,
    layer_types: Option<Vec<String>>,
    rope_theta: Option<f64>,
    rope_scaling: Option<Value>,
    rope_parameters: Option<Value>,
    eos_token_id: Option<Value>,
}

impl DecoderConfig {
    /// Reads the text model's fields: a whole `config.json`, or the object below LLaVA's `text_config`. `path` is what
    /// messages name.
    ///
    /// # Errors
    /// [`ModelError::Config`] for another architecture, a missing or impossible size, or a kind of rotary scaling that is not
    /// known; it names the field.
    pub fn from_json(value: &Value, path: &Path) -> Result<Self> {
        let fault = |reason: String| ModelError::Config { path: path.to_owned(), reason };
        let fields: Fields = serde_json::from_value(value.clone()).map_err(|e| fault(e.to_string()))?;
        let config = fields.config().map_err(fault)?;
        config.check().map_err(fault)?;
        Ok(config)
    }

    /// Query heads that share a key head.
    pub fn group(&self) -> usize {
        self.num_attention_heads / self.num_key_value_heads
    }

    /// The most tokens that it can read; none where its positions stretch with the sequence.
    pub fn longest(&self) -> Option<usize> {
        let stretches = matches!(self.rope.scaling, Scaling::Dynamic { .. });
        (!stretches).then_some(self.max_position_embeddings)
    }

    fn check(&self) -> std::result::Result<(), String> {
        let sizes = [
            ("vocab_size", self.vocab_size),
            ("hidden_size", self.hidden_size),
            ("intermediate_size", self.intermediate_size),
            ("num_hidden_layers", self.num_hidden_layers),
            ("num_attention_heads", self.num_attention_heads),
            ("num_key_value_heads", self.num_key_value_heads),
            ("head_dim", self.head_dim),
            ("max_position_embeddings", self.max_position_embeddings),
        ];
        if let Some((name, _)) = sizes.iter().find(|(_, size)| *size == 0) {
            return Err(format!("{name} is 0"));
        }
        let (heads, shared) = (self.num_attention_heads, self.num_key_value_heads);
        if !heads.is_multiple_of(shared) {
            return Err(format!("num_attention_heads {heads} cannot share num_key_value_heads {shared}"));
        }
        if !self.head_dim.is_multiple_of(2) {
            return Err(format!("head_dim {} is odd; rotary positions turn pairs", self.head_dim));
        }
        if self.windows.contains(&Some(0)) {
            return Err("sliding_window is 0".to_owned());
        }
        Ok(())
    }
}

impl Fields {
    fn config(self) -> std::result::Result<DecoderConfig, String> {
        let architecture = self.architecture()?;
        if let Some(act) = self.hidden_act.as_deref().filter(|a| *a != "silu" && *a != "swish") {
            return Err(format!("hidden_act is {act}; these decoders use silu"));
        }
        let size = |name: &str, value: Option<usize>| value.ok_or_else(|| format!("{name} is missing"));
        let hidden_size = size("hidden_size", self.hidden_size)?;
        let num_attention_heads = size("num_attention_heads", self.num_attention_heads)?;
        let num_hidden_layers = size("num_hidden_layers", self.num_hidden_layers)?;
        let head_dim = self.head_dim.unwrap_or(hidden_size / num_attention_heads.max(1));
        let default_heads = match architecture {
            Architecture::Mistral => 8,
            Architecture::Llama | Architecture::Qwen2 => num_attention_heads,
        };
        let max_position_embeddings = self.max_position_embeddings.unwrap_or(match architecture {
            Architecture::Llama => 2048,
            Architecture::Mistral => 4096 * 32,
            Architecture::Qwen2 => 32768,
        });
        let bias = self.attention_bias.unwrap_or(false) && architecture == Architecture::Llama;
        Ok(DecoderConfig {
            architecture,
            vocab_size: self.vocab_size.unwrap_or(match architecture {
                Architecture::Qwen2 => 151_936,
                Architecture::Llama | Architecture::Mistral => 32_000,
            }),
            hidden_size,
            intermediate_size: size("intermediate_size", self.intermediate_size)?,
            num_hidden_layers,
            num_attention_heads,
            num_key_value_heads: self.num_key_value_heads.unwrap_or(default_heads),
            head_dim,
            rms_norm_eps: self.rms_norm_eps.unwrap_or(1e-6),
            rope: self.rope(max_position_embeddings)?,
            max_position_embeddings,
            tie_word_embeddings: self.tie_word_embeddings.unwrap_or(false),
            qkv_bias: bias || architecture == Architecture::Qwen2,
            output_bias: bias,
            mlp_bias: self.mlp_bias.unwrap_or(false) && architecture == Architecture::Llama,
            windows: self.windows(architecture, num_hidden_layers)?,
            eos: self.eos()?,
        })
    }

    /// LLaVA's own names stand for their text model's; without a name it is LLaMA, as in LLaVA's `text_config`.
    fn architecture(&self) -> std::result::Result<Architecture, String> {
        match self.model_type.as_deref() {
            None | Some("llama" | "llava" | "llava_llama" | "vicuna") => Ok(Architecture::Llama),
            Some("mistral" | "llava_mistral") => Ok(Architecture::Mistral),
            Some("qwen2" | "llava_qwen" | "llava_qwen2") => Ok(Architecture::Qwen2),
            Some(other) => {
                Err(format!("model_type is {other}; decoders of llama, mistral and qwen2 can be built"))
            }
        }
    }

    fn windows(
        &self,
        architecture: Architecture,
        layers: usize,
    ) -> std::result::Result<Vec<Option<usize>>, String> {
        let window = match architecture {
            Architecture::Llama => return Ok(vec![None; layers]),
            // transformers writes null where there is none; a file without the field has the class's default.
            Architecture::Mistral => return Ok(vec![self.sliding_window; layers]),
            Architecture::Qwen2 => self.sliding_window.filter(|_| self.use_sliding_window == Some(true)),
        };
        let Some(kinds) = &self.layer_types else {
            let from = self.max_window_layers.unwrap_or(28);
            return Ok((0..layers).map(|i| window.filter(|_| i >= from)).collect());
        };
        if kinds.len() != layers {
            return Err(format!("layer_types has {} entries for {layers} layers", kinds.len()));
        }
        let of = |kind: &String| match kind.as_str() {
            "full_attention" => Ok(None),
            "sliding_attention" => Ok(window),
            other => Err(format!("layer_types has {other}; full_attention and sliding_attention are known")),
        };
        kinds.iter().map(of).collect()
    }

    /// transformers 5 keeps base and scaling together in `rope_parameters`, 4 apart.
    fn rope(&self, max_position_embeddings: usize) -> std::result::Result<Rope, String> {
        let both = self.rope_parameters.as_ref().filter(|v| !v.is_null());
        let scaling = both.or(self.rope_scaling.as_ref().filter(|v| !v.is_null()));
        let theta = both.and_then(|v| v.get("rope_theta")).and_then(Value::as_f64).or(self.rope_theta);
        let theta = theta.unwrap_or(10_000.0);
        if !(theta > 0.0 && theta.is_finite()) {
            return Err(format!("rope_theta is {theta}, it must be above 0"));
        }
        let scaling =
            scaling.map_or(Ok(Scaling::None), |v| Scaling::from_json(v, max_position_embeddings))?;
        Ok(Rope { theta, scaling })
    }

    fn eos(&self) -> std::result::Result<Vec<u32>, String> {
        let id = |v: &Value| {
            v.as_u64()
                .and_then(|id| u32::try_from(id).ok())
                .ok_or_else(|| format!("eos_token_id holds {v}, which is no token"))
        };
        match &self.eos_token_id {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Array(ids)) => ids.iter().map(id).collect(),
            Some(one) => Ok(vec![id(one)?]),
        }
    }
}
