//! Names and sizes of GGUF files in transformers' words.

use std::collections::{BTreeMap, HashMap};

use candle_core::quantized::gguf_file::Value;
use serde_json::{Map, json};

use super::super::{DecoderConfig, layer};

/// The linear layers of a layer, in the order of [`super::MODULES`].
const MATRICES: [&str; 7] = ["attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"];

/// What a file says of the model.
pub(super) struct Facts {
    /// A `config.json`.
    pub config: serde_json::Value,
    /// Whether rows of query and key have llama.cpp's order.
    pub turned: bool,
}

pub(super) fn gguf_name(layer: usize, number: usize) -> String {
    format!("blk.{layer}.{}.weight", MATRICES[number])
}

pub(super) fn bias_name(layer: usize, number: usize) -> String {
    format!("blk.{layer}.{}.bias", MATRICES[number])
}

/// Every tensor of a decoder, with its shape.
pub(super) fn expected(config: &DecoderConfig) -> BTreeMap<String, Vec<usize>> {
    let hidden = config.hidden_size;
    let matrix = vec![config.vocab_size, hidden];
    let mut all = BTreeMap::from([
        ("token_embd.weight".to_owned(), matrix.clone()),
        ("output_norm.weight".to_owned(), vec![hidden]),
    ]);
    if !config.tie_word_embeddings {
        all.insert("output.weight".to_owned(), matrix);
    }
    for index in 0..config.num_hidden_layers {
        all.insert(format!("blk.{index}.attn_norm.weight"), vec![hidden]);
        all.insert(format!("blk.{index}.ffn_norm.weight"), vec![hidden]);
        for (number, (inputs, outputs, bias)) in layer::sizes(config).into_iter().enumerate() {
            all.insert(gguf_name(index, number), vec![outputs, inputs]);
            if bias {
                all.insert(bias_name(index, number), vec![outputs]);
            }
        }
    }
    all
}

impl Facts {
    pub(super) fn new(
        metadata: &HashMap<String, Value>,
        shapes: &BTreeMap<&str, &[usize]>,
    ) -> Result<Self, String> {
        let text = |key: &str| metadata.get(key).and_then(|v| v.to_string().ok());
        let architecture = text("general.architecture").ok_or("general.architecture is missing")?;
        if !matches!(architecture.as_str(), "llama" | "qwen2") {
            return Err(format!("general.architecture is {architecture}; llama and qwen2 can be read"));
        }
        let key = |name: &str| format!("{architecture}.{name}");
        let whole = |name: &str| metadata.get(&key(name)).and_then(number).filter(|n| *n >= 1.0);
        let needed = |name: &str| whole(name).ok_or_else(|| format!("{} is missing", key(name)));
        let heads = needed("attention.head_count")?;
        let width = needed("embedding_length")?;
        let vocabulary = shapes.get("token_embd.weight").and_then(|shape| shape.first()).copied();
        let mut config = Map::new();
        let mut set = |name: &str, value: serde_json::Value| config.insert(name.to_owned(), value);
        set("model_type", json!(architecture));
        set("vocab_size", json!(vocabulary.ok_or("token_embd.weight is missing")?));
        set("hidden_size", json!(width as usize));
        set("intermediate_size", json!(needed("feed_forward_length")? as usize));
        set("num_hidden_layers", json!(needed("block_count")? as usize));
        set("num_attention_heads", json!(heads as usize));
        set("num_key_value_heads", json!(whole("attention.head_count_kv").unwrap_or(heads) as usize));
        set("head_dim", json!(whole("attention.key_length").unwrap_or((width / heads).floor()) as usize));
        set("max_position_embeddings", json!(needed("context_length")? as usize));
        let eps = metadata.get(&key("attention.layer_norm_rms_epsilon")).and_then(number);
        set(
            "rms_norm_eps",
            json!(eps.ok_or_else(|| format!("{} is missing", key("attention.layer_norm_rms_epsilon")))?),
        );
        set("rope_theta", json!(metadata.get(&key("rope.freq_base")).and_then(number).unwrap_or(10_000.0)));
        set("tie_word_embeddings", json!(!shapes.contains_key("output.weight")));
        set("attention_bias", json!(shapes.contains_key("blk.0.attn_q.bias")));
        if let Some(eos) = metadata.get("tokenizer.ggml.eos_token_id").and_then(number) {
            set("eos_token_id", json!(eos as u32));
        }
        match text(&key("rope.scaling.type")).map(String::as_str) {
            None | Some("none") => {}
            Some("linear") => {
                let factor = metadata.get(&key("rope.scaling.factor")).and_then(number);
                set("rope_scaling", json!({"rope_type": "linear", "factor": factor}));
            }
            Some(other) => {
                return Err(format!("{} is {other}; none and linear can be read", key("rope.scaling.type")));
            }
        }
        Ok(Self { config: config.into(), turned: architecture == "llama" })
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::F32(v) => Some(f64::from(*v)),
        Value::F64(v) => Some(*v),
        other => other.to_u64().ok().map(|v| v as f64),
    }
}
