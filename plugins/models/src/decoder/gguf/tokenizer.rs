//! The tokenizer that a GGUF file carries: a byte-level BPE with its merges, as `tokenizer.json`.

use std::collections::HashMap;

use candle_core::quantized::gguf_file::Value;
use serde_json::{Map, json};
use tokenizers::Tokenizer;

use super::Gguf;
use crate::{ModelError, Result};

/// Kinds of tokens that are matched before the text is split: control, and of a user's own.
const SPECIAL: [u64; 2] = [3, 4];

/// How texts are split before their bytes are merged, by llama.cpp's name for it.
fn split(name: &str) -> Option<serde_json::Value> {
    let bytes = |use_regex: bool| json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": use_regex});
    let regex = |pattern: &str| {
        let split =
            json!({"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": false});
        json!({"type": "Sequence", "pretokenizers": [split, bytes(false)]})
    };
    match name {
        "gpt-2" | "gpt2" | "default" => Some(bytes(true)),
        "smollm" => {
            let digits = json!({"type": "Digits", "individual_digits": true});
            Some(json!({"type": "Sequence", "pretokenizers": [digits, bytes(true)]}))
        }
        "qwen2" => Some(regex(&LLAMA3.replace("{1,3}", ""))),
        "llama-bpe" | "llama3" => Some(regex(LLAMA3)),
        _ => None,
    }
}

/// LLaMA 3's; Qwen 2 has it with single digits.
const LLAMA3: &str = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\
     \\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

impl Gguf {
    /// The file's tokenizer.
    ///
    /// # Errors
    /// [`ModelError::Unfit`] for a file without one, a sentencepiece vocabulary, or a way to split texts that is not known: then
    /// take the `tokenizer.json` that was published with the model.
    pub fn tokenizer(&self) -> Result<Tokenizer> {
        let unfit = |reason: String| ModelError::Unfit {
            label: "the tokenizer of the GGUF file".to_owned(),
            reason: format!("{reason}; take the tokenizer.json that was published with the model"),
        };
        let json = json(&self.facts).map_err(unfit)?;
        Tokenizer::from_bytes(json.to_string()).map_err(|e| unfit(e.to_string()))
    }

    /// The file's chat template, Jinja, if it has one.
    pub fn chat_template(&self) -> Option<&str> {
        self.facts.get("tokenizer.chat_template")?.to_string().ok().map(String::as_str)
    }

    /// The text of a special token, by its kind: `bos`, `eos`, `unknown`, `padding`.
    pub fn special(&self, kind: &str) -> Option<&str> {
        let id = self.facts.get(&format!("tokenizer.ggml.{kind}_token_id"))?.to_u64().ok()?;
        let tokens = self.facts.get("tokenizer.ggml.tokens")?.to_vec().ok()?;
        tokens.get(usize::try_from(id).ok()?)?.to_string().ok().map(String::as_str)
    }
}

fn json(facts: &HashMap<String, Value>) -> std::result::Result<serde_json::Value, String> {
    let text = |key: &str| {
        let value = facts.get(key).and_then(|v| v.to_string().ok());
        value.ok_or_else(|| format!("{key} is missing"))
    };
    let list = |key: &str| {
        let value = facts.get(key).and_then(|v| v.to_vec().ok());
        value.ok_or_else(|| format!("{key} is missing"))
    };
    let model = text("tokenizer.ggml.model")?;
    if model != "gpt2" {
        return Err(format!("tokenizer.ggml.model is {model}; gpt2, which is byte-level BPE, can be read"));
    }
    let kind =
        facts.get("tokenizer.ggml.pre").and_then(|v| v.to_string().ok()).map_or("default", String::as_str);
    let splitter = split(kind).ok_or_else(|| format!("tokenizer.ggml.pre is {kind}, which is not known"))?;
    let tokens = list("tokenizer.ggml.tokens")?;
    let kinds = facts.get("tokenizer.ggml.token_type").and_then(|v| v.to_vec().ok());
    let (mut vocabulary, mut added) = (Map::new(), Vec::new());
    for (id, token) in tokens.iter().enumerate() {
        let token = token.to_string().map_err(|e| e.to_string())?;
        let kind = kinds.and_then(|kinds| kinds.get(id)).and_then(number);
        if kind.is_some_and(|kind| SPECIAL.contains(&kind)) {
            added.push(
                json!({"id": id, "content": token, "special": kind == Some(SPECIAL[0]), "single_word": false,
                "lstrip": false, "rstrip": false, "normalized": false}),
            );
        }
        vocabulary.insert(token.clone(), json!(id));
    }
    let merges = list("tokenizer.ggml.merges")?
        .iter()
        .map(|merge| merge.to_string().map(|m| json!(m)).map_err(|e| e.to_string()));
    let bytes =
        json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true});
    Ok(json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added, "normalizer": null,
        "pre_tokenizer": splitter, "post_processor": null, "decoder": bytes,
        "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "vocab": vocabulary,
            "merges": merges.collect::<std::result::Result<Vec<_>, String>>()?},
    }))
}

/// llama.cpp writes kinds as signed numbers.
fn number(value: &Value) -> Option<u64> {
    match value {
        Value::I32(v) => u64::try_from(*v).ok(),
        other => other.to_u64().ok(),
    }
}
