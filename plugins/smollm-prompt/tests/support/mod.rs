//! A GGUF file with random weights, the alphabet of bytes for a vocabulary, and ChatML's tokens: its words mean nothing, all
//! else is as with a real one.

use std::path::Path;

use candle_core::quantized::gguf_file::{self, Value};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;

const HIDDEN: usize = 64;
const WIDE: usize = 96;
const LAYERS: usize = 2;
/// 256 bytes, one merge and three tokens of ChatML, rounded up.
const TOKENS: usize = 288;

/// Writes the file; its matrices are blocks of eight bits.
pub fn write(path: &Path) -> candle_core::Result<()> {
    let mut tensors = vec![
        ("token_embd.weight".to_owned(), matrix(1, TOKENS, HIDDEN)?),
        ("output_norm.weight".to_owned(), ones()?),
    ];
    for layer in 0..LAYERS {
        let mut add = |name: &str, tensor| tensors.push((format!("blk.{layer}.{name}.weight"), tensor));
        add("attn_norm", ones()?);
        add("ffn_norm", ones()?);
        let sizes = [
            ("attn_q", HIDDEN, HIDDEN),
            ("attn_k", HIDDEN / 2, HIDDEN),
            ("attn_v", HIDDEN / 2, HIDDEN),
            ("attn_output", HIDDEN, HIDDEN),
            ("ffn_gate", WIDE, HIDDEN),
            ("ffn_up", WIDE, HIDDEN),
            ("ffn_down", HIDDEN, WIDE),
        ];
        for (number, (name, outputs, inputs)) in sizes.into_iter().enumerate() {
            add(name, matrix(10 * layer as u32 + number as u32 + 2, outputs, inputs)?);
        }
    }
    let facts = facts();
    let facts: Vec<_> = facts.iter().map(|(key, value)| (*key, value)).collect();
    let tensors: Vec<_> = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
    gguf_file::write(&mut std::fs::File::create(path)?, &facts, &tensors)
}

fn facts() -> Vec<(&'static str, Value)> {
    let whole = |n: usize| Value::U32(n as u32);
    let mut tokens: Vec<String> = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"].map(str::to_owned).to_vec();
    let mut bytes: Vec<char> = ByteLevel::alphabet().into_iter().collect();
    bytes.sort_unstable();
    tokens.extend(bytes.iter().map(char::to_string));
    tokens.push("th".to_owned());
    let unused = tokens.len()..TOKENS;
    tokens.extend(unused.map(|n| format!("<|unused {n}|>")));
    let kind = |token: &String| Value::I32(if token.starts_with("<|") && token.len() > 4 { 3 } else { 1 });
    let kinds = tokens.iter().map(kind).collect();
    vec![
        ("general.architecture", Value::String("llama".into())),
        ("llama.embedding_length", whole(HIDDEN)),
        ("llama.block_count", whole(LAYERS)),
        ("llama.feed_forward_length", whole(WIDE)),
        ("llama.attention.head_count", whole(4)),
        ("llama.attention.head_count_kv", whole(2)),
        ("llama.context_length", whole(4096)),
        ("llama.attention.layer_norm_rms_epsilon", Value::F32(1e-5)),
        ("tokenizer.ggml.model", Value::String("gpt2".into())),
        ("tokenizer.ggml.pre", Value::String("smollm".into())),
        ("tokenizer.ggml.tokens", Value::Array(tokens.into_iter().map(Value::String).collect())),
        ("tokenizer.ggml.token_type", Value::Array(kinds)),
        ("tokenizer.ggml.merges", Value::Array(vec![Value::String("t h".into())])),
        ("tokenizer.ggml.eos_token_id", whole(2)),
    ]
}

fn ones() -> candle_core::Result<QTensor> {
    QTensor::quantize(&Tensor::ones(HIDDEN, candle_core::DType::F32, &Device::Cpu)?, GgmlDType::F32)
}

/// Numbers of a linear congruence, of the size that keeps rows at unit variance.
fn matrix(seed: u32, outputs: usize, inputs: usize) -> candle_core::Result<QTensor> {
    let mut state = seed.wrapping_mul(0x9e37_79b9) | 1;
    let scale = 3.0 / (inputs as f32).sqrt();
    let values = (0..outputs * inputs).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((state >> 8) as f32 / 8_388_608.0 - 1.0) * scale
    });
    let values = Tensor::from_vec(values.collect::<Vec<_>>(), (outputs, inputs), &Device::Cpu)?;
    QTensor::quantize(&values, GgmlDType::Q8_0)
}
