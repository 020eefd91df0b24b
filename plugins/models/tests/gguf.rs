//! Decoders from GGUF files against transformers. Goldens: `python fixtures/scripts/goldens_llm_gguf.py`.

#[path = "support/llm.rs"]
mod llm;
mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use adeval_models::ModelError;
use adeval_models::decoder::gguf::{Form, Gguf};
use adeval_models::decoder::{Decoder, Pass};
use adeval_models::generation::Prompt;
use adeval_models::lora::{LoraAdapter, LoraConfig};
use adeval_models::training::{Example, Gradients, Memory, accumulate};
use candle_core::quantized::gguf_file::{self, Content, Value};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};
use serde::Deserialize;

use llm::{Model, bits};
use support::{Parity, golden, goldens};

const PARITY: Parity = Parity::new("gguf", "transformers 5.24.0, gguf 0.19.0");

#[derive(Deserialize)]
struct Facts {
    ids: Vec<u32>,
    cases: BTreeMap<String, Model>,
}

fn facts() -> Facts {
    llm::facts("gguf")
}

fn path(case: &str) -> PathBuf {
    goldens().join(format!("llm/gguf/{case}.gguf"))
}

fn read(path: &Path, form: Form) -> Decoder {
    Gguf::read(path, form, &Device::Cpu).expect("a GGUF file").decoder
}

fn logits(decoder: &Decoder, ids: &[u32]) -> Tensor {
    let embeds = decoder.embed(ids).and_then(|t| Ok(t.unsqueeze(0)?)).expect("embeddings");
    let hidden = decoder.forward(&embeds, &[0], None, Pass::Inference).expect("a pass");
    decoder.logits(&hidden.squeeze(0).expect("one row")).expect("logits")
}

#[test]
fn unpacked_files_give_what_transformers_gives() {
    let (facts, expected) = (facts(), golden("llm/gguf.safetensors"));
    assert_eq!(facts.cases.len(), 3);
    for (name, model) in &facts.cases {
        let decoder = read(&path(name), Form::Float);
        let theirs = model.config();
        assert_eq!(decoder.config().rope, theirs.rope, "{name}");
        assert_eq!(decoder.config().windows, theirs.windows, "{name}");
        assert_eq!(decoder.config().tie_word_embeddings, theirs.tie_word_embeddings, "{name}");
        assert_eq!(decoder.config().eos, [2], "{name}");
        let weight = decoder.weight("layers.1.self_attn.q_proj").expect("a layer").expect("weights");
        assert_eq!(bits(&weight), bits(&expected[&format!("{name}.query")]), "{name}: rows are put back");
        let found = logits(&decoder, &facts.ids);
        PARITY.relative(&format!("{name}, unpacked"), &found, &expected[&format!("{name}.logits")], 1e-5);
    }
}

/// In blocks the inputs of every product are rounded to eight bits, as in llama.cpp: half a step of 1/127 at most of the
/// largest of 32 values. The products average over that; two layers stay within three hundredths of the largest logit.
#[test]
fn blocks_stay_within_the_rounding_of_their_inputs() {
    let (facts, expected) = (facts(), golden("llm/gguf.safetensors"));
    for name in facts.cases.keys() {
        let decoder = read(&path(name), Form::Stored);
        let found = logits(&decoder, &facts.ids);
        PARITY.relative(&format!("{name}, in blocks"), &found, &expected[&format!("{name}.logits")], 3e-2);
        let floats = read(&path(name), Form::Float);
        assert!(
            decoder.bytes() * 3 < floats.bytes(),
            "{name}: {} and {} bytes",
            decoder.bytes(),
            floats.bytes()
        );
    }
    let name = "llama-q8_0";
    let found = logits(&read(&path(name), Form::Stored), &facts.ids);
    PARITY.relative("Q8_0 against the weights before", &found, &expected[&format!("{name}.float")], 3e-2);
}

/// K-quants take rows of 256 values: a file of a wider model, written here from the recipe.
#[test]
fn every_kind_of_blocks_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    let ids = facts().ids;
    let wide = wide_file(folder.path(), GgmlDType::F32);
    let exact = logits(&read(&wide, Form::Stored), &ids);
    let kinds = [
        (GgmlDType::Q8_0, 3e-2),
        (GgmlDType::Q6K, 8e-2),
        (GgmlDType::Q5K, 0.15),
        (GgmlDType::Q4K, 0.25),
        (GgmlDType::Q5_1, 0.15),
        (GgmlDType::Q4_0, 0.3),
        (GgmlDType::Q3K, 0.5),
        (GgmlDType::F16, 2e-3),
    ];
    for (kind, limit) in kinds {
        let stored = wide_file(folder.path(), kind);
        let found = logits(&read(&stored, Form::Stored), &ids);
        PARITY.relative(&format!("{kind:?} against float32"), &found, &exact, limit);
        let unpacked = logits(&read(&stored, Form::Float), &ids);
        PARITY.relative(&format!("{kind:?} in blocks and unpacked"), &found, &unpacked, 3e-2);
        if kind != GgmlDType::F16 {
            let converted = logits(&read(&wide, Form::Blocks(kind)), &ids);
            assert_eq!(bits(&converted), bits(&found), "{kind:?}: made when it is read");
        }
    }
}

/// One layer of width 256, rows of query and key as llama.cpp orders them (any order is right for random weights).
fn wide_file(folder: &Path, kind: GgmlDType) -> PathBuf {
    let shapes = [
        ("token_embd.weight", vec![67, 256]),
        ("output.weight", vec![67, 256]),
        ("output_norm.weight", vec![256]),
        ("blk.0.attn_norm.weight", vec![256]),
        ("blk.0.ffn_norm.weight", vec![256]),
        ("blk.0.attn_q.weight", vec![256, 256]),
        ("blk.0.attn_k.weight", vec![128, 256]),
        ("blk.0.attn_v.weight", vec![128, 256]),
        ("blk.0.attn_output.weight", vec![256, 256]),
        ("blk.0.ffn_gate.weight", vec![512, 256]),
        ("blk.0.ffn_up.weight", vec![512, 256]),
        ("blk.0.ffn_down.weight", vec![256, 512]),
    ];
    let tensors: Vec<(&str, QTensor)> = shapes
        .iter()
        .map(|(name, shape)| {
            let kind = if shape.len() == 1 { GgmlDType::F32 } else { kind };
            (*name, QTensor::quantize(&support::recipe::weight(name, shape), kind).expect("blocks"))
        })
        .collect();
    let whole = |n: u32| Value::U32(n);
    let facts = [
        ("general.architecture", Value::String("llama".into())),
        ("llama.embedding_length", whole(256)),
        ("llama.block_count", whole(1)),
        ("llama.feed_forward_length", whole(512)),
        ("llama.attention.head_count", whole(4)),
        ("llama.attention.head_count_kv", whole(2)),
        ("llama.context_length", whole(64)),
        ("llama.attention.layer_norm_rms_epsilon", Value::F32(1e-5)),
    ];
    let path = folder.join(format!("{kind:?}.gguf"));
    let mut file = std::fs::File::create(&path).expect("a file");
    let facts: Vec<_> = facts.iter().map(|(key, value)| (*key, value)).collect();
    let tensors: Vec<_> = tensors.iter().map(|(name, tensor)| (*name, tensor)).collect();
    gguf_file::write(&mut file, &facts, &tensors).expect("a file");
    path
}

/// An adapter on frozen blocks gets the gradients that it gets on the same weights unpacked, within the rounding of inputs.
#[test]
fn adapters_train_on_blocks() {
    let facts = facts();
    let mut stored = read(&path("llama-q8_0"), Form::Stored);
    let mut floats = read(&path("llama-q8_0"), Form::Float);
    let config = LoraConfig { rank: 4, alpha: 8.0, ..LoraConfig::default() };
    let adapter = LoraAdapter::new(config, &stored, 1).expect("an adapter");
    for (name, variable) in adapter.variables() {
        variable.set(&support::recipe::weight(&name, variable.dims())).expect("values");
    }
    let example =
        Example { prompt: Prompt::text(facts.ids[..10].to_vec()), answer: facts.ids[10..].to_vec() };
    let derivatives = vec![vec![1.0; 7]];
    let mut gradients = [&mut stored, &mut floats].map(|decoder| {
        decoder.attach(&adapter).expect("it fits");
        let mut gradients = Gradients::default();
        let example = std::slice::from_ref(&example);
        accumulate(decoder, example, &derivatives, 1.0, None, Memory::Inputs, &mut gradients)
            .expect("gradients");
        gradients
    });
    let [of_blocks, of_floats] = &mut gradients;
    for (name, gradient) in of_floats.iter() {
        let found = of_blocks.get(name).expect("the same variables");
        PARITY.relative(&format!("gradients through Q8_0 blocks, {name}"), found, gradient, 0.1);
    }
    let before = logits(&stored, &facts.ids);
    stored.merge().expect("sums");
    PARITY.relative("merged into Q8_0 blocks", &logits(&stored, &facts.ids), &before, 3e-2);
    stored.unmerge();
    stored.detach();
    floats.detach();
    PARITY.relative("unmerged", &logits(&stored, &facts.ids), &logits(&floats, &facts.ids), 3e-2);
}

#[test]
fn what_is_no_decoder_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("odd.gguf");
    let refused = |path: &Path| Gguf::read(path, Form::Stored, &Device::Cpu).err().expect("refused");
    assert!(matches!(refused(&file), ModelError::Read { .. }));
    std::fs::write(&file, b"GGUF and nothing more").expect("a file");
    assert!(matches!(refused(&file), ModelError::Weights { .. }));
    let mut whole = std::fs::read(path("llama-q8_0")).expect("a file");
    whole.truncate(whole.len() - 100);
    std::fs::write(&file, &whole).expect("a file");
    assert!(refused(&file).to_string().contains("is the file complete?"));

    let rewrite = |architecture: &str, without: &str| {
        rewritten(&file, without, &[("general.architecture", Value::String(architecture.into()))]);
    };
    rewrite("gpt2", "nothing");
    assert!(refused(&file).to_string().contains("general.architecture is gpt2; llama and qwen2 can be read"));
    rewrite("llama", "blk.1.ffn_up");
    let message = refused(&file).to_string();
    assert!(message.contains("missing [blk.1.ffn_up.weight]"), "{message}");
    rewrite("llama", "llama.block_count");
    assert!(refused(&file).to_string().contains("llama.block_count is missing"));
    rewrite("llama", "token_embd");
    assert!(refused(&file).to_string().contains("token_embd.weight is missing"));
}

/// Copies a golden file, without what begins with `without`, and with other facts.
fn rewritten(to: &Path, without: &str, more: &[(&str, Value)]) {
    let mut source = std::fs::File::open(path("llama-q8_0")).expect("a file");
    let content = Content::read(&mut source).expect("a GGUF file");
    let names = content.tensor_infos.keys().filter(|name| !name.starts_with(without));
    let tensors: Vec<(String, QTensor)> = names
        .map(|name| (name.clone(), content.tensor(&mut source, name, &Device::Cpu).expect("blocks")))
        .collect();
    let mut facts = content.metadata;
    facts.extend(more.iter().map(|(key, value)| ((*key).to_owned(), value.clone())));
    facts.retain(|key, _| !key.starts_with(without));
    let facts: Vec<_> = facts.iter().map(|(key, value)| (key.as_str(), value)).collect();
    let tensors: Vec<_> = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
    let mut out = std::fs::File::create(to).expect("a file");
    gguf_file::write(&mut out, &facts, &tensors).expect("a file");
}

#[test]
fn the_files_tokenizer_splits_digits_and_keeps_control_tokens() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("words.gguf");
    let texts = |all: &[&str]| Value::Array(all.iter().map(|t| Value::String((*t).into())).collect());
    let kinds = Value::Array([3, 4, 1, 1, 1, 1, 1, 1, 1, 1].map(Value::I32).to_vec());
    let facts = |model: &str, pre: &str| {
        [
            ("tokenizer.ggml.model", Value::String(model.into())),
            ("tokenizer.ggml.pre", Value::String(pre.into())),
            (
                "tokenizer.ggml.tokens",
                texts(&["<|end|>", "<|go|>", "a", "b", "ab", "Ġ", "Ġa", "1", "2", "Ċ"]),
            ),
            ("tokenizer.ggml.token_type", kinds.clone()),
            ("tokenizer.ggml.merges", texts(&["a b", "Ġ a"])),
            ("tokenizer.ggml.bos_token_id", Value::U32(1)),
            ("tokenizer.chat_template", Value::String("{{ messages }}".into())),
        ]
    };
    let read = |model: &str, pre: &str| {
        rewritten(&file, "nothing", &facts(model, pre));
        Gguf::read(&file, Form::Stored, &Device::Cpu).expect("a GGUF file")
    };
    let gguf = read("gpt2", "smollm");
    assert_eq!((gguf.special("bos"), gguf.chat_template()), (Some("<|go|>"), Some("{{ messages }}")));
    let tokenizer = gguf.tokenizer().expect("a tokenizer");
    let ids = |text: &str| tokenizer.encode(text, false).expect("ids").get_ids().to_vec();
    assert_eq!(ids("ab ab12<|end|>\n"), [4, 5, 4, 7, 8, 0, 9]);
    assert_eq!(tokenizer.decode(&[4, 5, 4, 7, 8, 0, 9], true).expect("text"), "ab ab12\n");
    for pre in ["gpt-2", "qwen2", "llama-bpe"] {
        let tokenizer = read("gpt2", pre).tokenizer().expect("a tokenizer");
        assert_eq!(tokenizer.encode("ab ab1", false).expect("ids").get_ids(), [4, 5, 4, 7], "{pre}");
    }
    let refused = |gguf: Gguf| gguf.tokenizer().expect_err("refused").to_string();
    assert!(refused(read("llama", "default")).contains("tokenizer.ggml.model is llama"));
    assert!(refused(read("gpt2", "chatglm-bpe")).contains("tokenizer.ggml.pre is chatglm-bpe"));
    let bare = Gguf::read(&path("llama-q8_0"), Form::Stored, &Device::Cpu).expect("a GGUF file");
    assert!(refused(bare).contains("tokenizer.ggml.model is missing; take the tokenizer.json"));
}
