//! Decoders against transformers. Goldens: `python fixtures/scripts/goldens_llm_decoder.py`.

#[path = "support/llm.rs"]
mod llm;
mod support;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use adeval_models::ModelError;
use adeval_models::decoder::{Decoder, DecoderConfig, KvCache, Pass};
use adeval_models::tensors::Source;
use candle_core::{DType, Device, Tensor};
use serde::Deserialize;
use serde_json::{Value, json};

use llm::{Model, bits, joined, load, padded};
use support::{Parity, golden, recipe};

const PARITY: Parity = Parity::new("decoder", "transformers 5.24.0");

#[derive(Deserialize)]
struct Facts {
    rows: Vec<Vec<u32>>,
    cases: BTreeMap<String, Model>,
    ropes: BTreeMap<String, Value>,
}

fn facts() -> Facts {
    llm::facts("decoder")
}

/// The golden of a case, row after row.
fn all(expected: &HashMap<String, Tensor>, name: &str) -> Tensor {
    let rows: Vec<&Tensor> = (0..3).map(|row| &expected[&format!("{name}.{row}")]).collect();
    Tensor::cat(&rows, 0).expect("rows of one width")
}

/// Logits of a batch with padding on the left.
fn logits(decoder: &Decoder, rows: &[Vec<u32>], pass: Pass) -> Tensor {
    let (embeds, starts) = padded(decoder, rows);
    let hidden = decoder.forward(&embeds, &starts, None, pass).expect("a pass");
    decoder.logits(&hidden).expect("logits")
}

#[test]
fn logits_equal_those_of_transformers() {
    let (facts, expected) = (facts(), golden("llm/decoder.safetensors"));
    assert!(facts.cases.len() >= 9, "every branch");
    for (name, case) in &facts.cases {
        let decoder = case.decoder(DType::F32);
        let found = joined(&logits(&decoder, &facts.rows, Pass::Inference), &facts.rows);
        PARITY.relative(name, &found, &all(&expected, name), 1e-5);
    }
}

#[test]
fn rotary_frequencies_are_those_of_transformers() {
    let (facts, expected) = (facts(), golden("llm/decoder.safetensors"));
    for (name, config) in &facts.ropes {
        let config = DecoderConfig::from_json(config, Path::new("config.json")).expect("a decoder");
        let compare = |case: &str, length| {
            let found = config.rope.frequencies(config.head_dim, length);
            let found = Tensor::from_vec(found, config.head_dim / 2, &Device::Cpu).expect("a vector");
            let expected = &expected[&format!("{name}.{case}")];
            // A rounding apart at most, in each frequency and not only in the largest.
            PARITY.relative(
                &format!("rotary, {name}, {case}"),
                &(&found / expected).expect("a quotient"),
                &found.ones_like().expect("ones"),
                2e-7,
            );
        };
        compare("frequencies", 1);
        if name == "dynamic" {
            compare("long", 5000);
        }
    }
}

#[test]
fn all_ways_to_run_give_the_same_bits() {
    let facts = facts();
    for (name, case) in &facts.cases {
        let decoder = case.decoder(DType::F32);
        let batch = logits(&decoder, &facts.rows, Pass::Inference);
        let training = logits(&decoder, &facts.rows, Pass::Training { dropout: None });
        assert_eq!(bits(&batch), bits(&training), "{name}: differentiable");
        if name.contains("dynamic") {
            // Its angles depend on the longest row of the batch.
            continue;
        }
        let alone = facts.rows.iter().map(|ids| {
            logits(&decoder, std::slice::from_ref(ids), Pass::Reference).squeeze(0).expect("one row")
        });
        let alone = Tensor::cat(&alone.collect::<Vec<_>>(), 0).expect("rows of one width");
        let batch = joined(&batch, &facts.rows);
        PARITY.relative(&format!("{name}, rows alone and in a batch"), &batch, &alone, 2e-6);
        if cfg!(target_arch = "x86_64") {
            assert_eq!(bits(&batch), bits(&alone), "{name}: alone");
        }
    }
}

#[test]
fn tokens_one_by_one_give_what_all_at_once_give() {
    let facts = facts();
    for (name, case) in &facts.cases {
        if name.contains("dynamic") {
            continue;
        }
        let decoder = case.decoder(DType::F32);
        let (embeds, starts) = padded(&decoder, &facts.rows);
        let whole = decoder.forward(&embeds, &starts, None, Pass::Inference).expect("a pass");
        let mut cache = KvCache::new(&decoder);
        let mut parts = Vec::new();
        // Fifteen tokens (more than the padding), then three, then one by one.
        for (from, count) in [(0, 15), (15, 3), (18, 1)] {
            let part = embeds.narrow(1, from, count).expect("tokens");
            parts.push(decoder.forward(&part, &starts, Some(&mut cache), Pass::Inference).expect("a pass"));
            assert_eq!(cache.len(), from + count);
        }
        let found = Tensor::cat(&parts, 1).expect("one sequence");
        let (found, whole) = (joined(&found, &facts.rows), joined(&whole, &facts.rows));
        PARITY.relative(&format!("{name}, token by token and at once"), &found, &whole, 2e-6);
        if cfg!(target_arch = "x86_64") {
            assert_eq!(bits(&found), bits(&whole), "{name}");
        }
    }
}

#[test]
fn a_cache_can_be_shared_and_cut() {
    let facts = facts();
    let decoder = facts.cases["mistral, window"].decoder(DType::F32);
    let (embeds, starts) = padded(&decoder, &facts.rows[..2]);
    let next = decoder.embed(&[5, 6, 7]).expect("embeddings").unsqueeze(1).expect("rows of one token");
    let forward = |cache: &mut KvCache, x: &Tensor, starts: &[usize]| {
        decoder.forward(x, starts, Some(cache), Pass::Inference).expect("a pass")
    };
    let mut cache = KvCache::new(&decoder);
    forward(&mut cache, &embeds, &starts);
    cache.select_rows(&[1, 0, 1]).expect("rows");
    let found = forward(&mut cache, &next, &[starts[1], starts[0], starts[1]]);
    for (row, of) in [1, 0, 1].into_iter().enumerate() {
        let whole = Tensor::cat(&[&embeds.get(of).expect("a row"), &next.get(row).expect("a token")], 0);
        let whole = whole.and_then(|t| t.unsqueeze(0)).expect("a row");
        let expected = decoder.forward(&whole, &starts[of..=of], None, Pass::Inference).expect("a pass");
        let expected = expected.narrow(1, embeds.dims()[1], 1).expect("the last token");
        PARITY.relative(
            &format!("a shared cache, row {row}"),
            &found.narrow(0, row, 1).expect("a row"),
            &expected,
            2e-6,
        );
    }
    cache.truncate(embeds.dims()[1]);
    let again = forward(&mut cache, &next, &[starts[1], starts[0], starts[1]]);
    assert_eq!(bits(&again), bits(&found), "the token was forgotten");
    let error = decoder.forward(&embeds, &starts, Some(&mut cache), Pass::Inference).expect_err("two rows");
    assert!(error.to_string().contains("2 rows with a cache of 3"), "{error}");
}

/// Other devices run on candle's operations; float64 takes the same way here, and leaves its rounding out of the comparison.
#[test]
fn candles_operations_give_the_same() {
    let (facts, expected) = (facts(), golden("llm/decoder.safetensors"));
    for (name, case) in &facts.cases {
        let decoder = case.decoder(DType::F64);
        let of = |pass| joined(&logits(&decoder, &facts.rows, pass), &facts.rows);
        let (fast, training) = (of(Pass::Inference), of(Pass::Training { dropout: None }));
        PARITY.relative(&format!("{name}, on candle's operations"), &fast, &all(&expected, name), 1e-5);
        assert_eq!(bits(&fast), bits(&training), "{name}: differentiable");
        if name.contains("dynamic") {
            continue;
        }
        let (embeds, starts) = padded(&decoder, &facts.rows);
        let mut cache = KvCache::new(&decoder);
        let parts = [(0, 15), (15, 4)].map(|(from, count)| {
            let part = embeds.narrow(1, from, count).expect("tokens");
            decoder.forward(&part, &starts, Some(&mut cache), Pass::Inference).expect("a pass")
        });
        let hidden = Tensor::cat(&parts, 1).expect("one sequence");
        let found = joined(&decoder.logits(&hidden).expect("logits"), &facts.rows);
        let case = format!("{name}, on candle's operations with a cache");
        PARITY.relative(&case, &found, &all(&expected, name), 1e-5);
    }
}

#[test]
fn half_precision_checkpoints_run_in_float32_and_in_their_own_type() {
    let (facts, expected) = (facts(), golden("llm/decoder.safetensors"));
    let name = "qwen2, tied";
    let case = &facts.cases[name];
    let expected = all(&expected, name);
    for (dtype, limit) in [(DType::F16, 5e-3), (DType::BF16, 4e-2)] {
        let halves = recipe::weights(&case.tensors)
            .into_iter()
            .map(|(name, tensor)| (name, tensor.to_dtype(dtype).expect("a conversion")));
        let halves: Vec<_> = halves.collect();
        for run in [DType::F32, dtype] {
            let source = Source::from_tensors("half", halves.clone(), &Device::Cpu, run);
            let decoder = load(&source, case.config());
            assert_eq!(decoder.dtype(), run);
            let of = |pass| joined(&logits(&decoder, &facts.rows, pass), &facts.rows);
            let found = of(Pass::Inference);
            PARITY.relative(
                &format!("{} weights in {}", dtype.as_str(), run.as_str()),
                &found,
                &expected,
                limit,
            );
            assert_eq!(bits(&found), bits(&of(Pass::Training { dropout: None })), "differentiable");
        }
    }
}

#[test]
fn configurations_of_transformers_4_and_of_llava_are_read() {
    let sizes = json!({"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2,
        "num_attention_heads": 8, "vocab_size": 50});
    let read = |more: Value| {
        let mut all = sizes.clone();
        let fields = all.as_object_mut().expect("an object");
        fields.extend(more.as_object().expect("an object").clone());
        DecoderConfig::from_json(&all, Path::new("m/config.json"))
    };
    let scaled = json!({"rope_theta": 5e5, "rope_scaling": {"type": "linear", "factor": 2.0}});
    let old = read(scaled).expect("transformers 4");
    let new = json!({"rope_parameters": {"rope_type": "linear", "rope_theta": 5e5, "factor": 2.0}});
    assert_eq!(old, read(new).expect("transformers 5"));
    assert_eq!((old.num_key_value_heads, old.head_dim, old.max_position_embeddings), (8, 8, 2048));
    let mistral = read(json!({"model_type": "mistral", "sliding_window": null})).expect("Mistral");
    assert_eq!((mistral.num_key_value_heads, &mistral.windows[..]), (8, &[None, None][..]));
    assert_eq!(read(json!({"eos_token_id": [2, 7]})).expect("two ends").eos, [2, 7]);
    let refused = |more: Value| read(more).expect_err("refused").to_string();
    assert!(refused(json!({"model_type": "gpt2"})).contains("m/config.json: model_type is gpt2"));
    assert!(refused(json!({"num_key_value_heads": 3})).contains("cannot share num_key_value_heads 3"));
    assert!(refused(json!({"rope_scaling": {"type": "yarn", "factor": 4.0}})).contains("yarn is not known"));
    assert!(refused(json!({"hidden_act": "gelu"})).contains("hidden_act is gelu"));
    assert!(refused(json!({"hidden_size": null})).contains("hidden_size is missing"));
    assert!(refused(json!({"vocab_size": 0})).contains("vocab_size is 0"));
}

#[test]
fn what_does_not_fit_is_named() {
    let facts = facts();
    let case = &facts.cases["vicuna"];
    let source = case.source(DType::F32);
    let wider = DecoderConfig { vocab_size: 70, ..case.config() };
    let root = source.weights();
    Decoder::load(wider, &root.pp("model"), &root).expect("zeros where tensors do not fit");
    let error = source.finish("the decoder", |_| false).expect_err("another vocabulary");
    assert!(matches!(error, ModelError::Shape { .. }), "{error}");
    assert!(error.to_string().contains("2 misshapen in all"), "embedding and head: {error}");
    let decoder = case.decoder(DType::F32);
    let error = decoder.embed(&[3, 67]).expect_err("no such token").to_string();
    assert!(error.contains("token 67, with a vocabulary of 67"), "{error}");
    let (embeds, _) = padded(&decoder, &facts.rows);
    let error = decoder.forward(&embeds, &[0], None, Pass::Inference).expect_err("three rows").to_string();
    assert!(error.contains("[3, 19, 48] with 1 starts"), "{error}");
    let mut cache = KvCache::new(&decoder);
    let training = Pass::Training { dropout: None };
    let error = decoder.forward(&embeds, &[0; 3], Some(&mut cache), training).expect_err("a cache");
    assert!(error.to_string().contains("a pass for training with a cache"), "{error}");
}
