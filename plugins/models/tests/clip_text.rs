//! The CLIP text encoder against transformers. Goldens: `python fixtures/scripts/goldens_sd_encoders.py`.

mod support;

use std::collections::BTreeMap;
use std::fs;

use adeval_models::ModelError;
use adeval_models::clip::text::{TextConfig, TextEncoder};
use adeval_models::tensors::Source;
use candle_core::{DType, Device};
use serde::Deserialize;

use support::{Parity, golden, goldens, recipe};

const PARITY: Parity = Parity::new("clip", "transformers 5.24.0");

#[derive(Deserialize)]
struct Facts {
    ids: Vec<Vec<u32>>,
    attention: Vec<Vec<u32>>,
    full: Vec<Vec<u32>>,
    configs: BTreeMap<String, TextConfig>,
    shapes: BTreeMap<String, Vec<usize>>,
}

fn facts() -> Facts {
    let text = fs::read(goldens().join("sd/clip_text.json")).expect("the golden's facts");
    serde_json::from_slice(&text).expect("facts of the known form")
}

fn source(facts: &Facts, prefix: &str) -> Source {
    let tensors = recipe::weights(&facts.shapes).into_iter().map(|(name, t)| (format!("{prefix}{name}"), t));
    Source::from_tensors("tiny text encoder", tensors, &Device::Cpu, DType::F32)
}

fn encoder(facts: &Facts, config: &TextConfig) -> TextEncoder {
    TextEncoder::load(&source(facts, ""), config).expect("the weights fit")
}

#[test]
fn states_equal_those_of_transformers() {
    let (facts, expected) = (facts(), golden("sd/clip_text.safetensors"));
    for (name, config) in &facts.configs {
        let encoder = encoder(&facts, config);
        let compare = |case: &str, found| {
            PARITY.relative(
                &format!("text encoder, {name}, {case}"),
                &found,
                &expected[&format!("{name}.{case}")],
                1e-5,
            );
        };
        let plain = encoder.forward(&facts.ids, None).expect("a forward pass");
        assert_eq!(plain.hidden_states.len(), config.num_hidden_layers + 1);
        compare("last", plain.last_hidden_state);
        compare("pooled", plain.pooled);
        for skip in 1..=2 {
            compare(&format!("skip{skip}"), encoder.embed(&facts.ids, None, skip).expect("a forward pass"));
        }
        let masked = encoder.embed(&facts.ids, Some(&facts.attention), 0).expect("a forward pass");
        compare("masked", masked.narrow(1, 0, 7).expect("seven tokens"));
        compare("full", encoder.embed(&facts.full, None, 0).expect("a forward pass"));
    }
}

#[test]
fn names_with_the_old_prefix_and_position_ids_are_taken() {
    let (facts, expected) = (facts(), golden("sd/clip_text.safetensors"));
    let ids = ("text_model.embeddings.position_ids".to_owned(), recipe::noise("ids", &[1, 77]));
    let tensors: Vec<_> = recipe::weights(&facts.shapes)
        .into_iter()
        .map(|(n, t)| (format!("text_model.{n}"), t))
        .chain([ids])
        .collect();
    let source = Source::from_tensors("prefixed", tensors, &Device::Cpu, DType::F32);
    let encoder = TextEncoder::load(&source, &facts.configs["gelu"]).expect("the weights fit");
    let found = encoder.embed(&facts.ids, None, 0).expect("a forward pass");
    PARITY.relative("text encoder, names of transformers 4", &found, &expected["gelu.last"], 1e-5);
}

#[test]
fn half_precision_stays_near() {
    let (facts, expected) = (facts(), golden("sd/clip_text.safetensors"));
    let tensors = recipe::weights(&facts.shapes);
    for (dtype, limit) in [(DType::F16, 5e-3), (DType::BF16, 4e-2)] {
        let source = Source::from_tensors("half", tensors.clone(), &Device::Cpu, dtype);
        let encoder = TextEncoder::load(&source, &facts.configs["quick_gelu"]).expect("the weights fit");
        let found = encoder.embed(&facts.ids, None, 0).expect("a forward pass");
        assert_eq!(found.dtype(), dtype);
        let case = format!("text encoder, {} against float32", dtype.as_str());
        PARITY.relative(&case, &found, &expected["quick_gelu.last"], limit);
    }
}

#[test]
fn what_cannot_be_encoded_is_named() {
    let facts = facts();
    let config = &facts.configs["gelu"];
    let encoder = encoder(&facts, config);
    let refused = |ids: &[Vec<u32>]| encoder.embed(ids, None, 0).expect_err("refused").to_string();
    assert!(refused(&[vec![0; 78]]).contains("78 tokens (this encoder reads at most 77)"));
    assert!(refused(&[vec![0, 300]]).contains("token 300, with a vocabulary of 300"));
    assert!(refused(&[vec![0; 3], vec![0; 4]]).contains("rows of different lengths"));
    assert!(refused(&[]).contains("0 tokens"));
    let message = encoder.embed(&facts.ids, None, 5).expect_err("four layers").to_string();
    assert!(message.contains("a clip_skip of 5 for 4 layers"), "{message}");
}

#[test]
fn another_encoder_is_refused() {
    let facts = facts();
    let wider = TextConfig { hidden_size: 64, ..facts.configs["gelu"].clone() };
    let error = TextEncoder::load(&source(&facts, ""), &wider).err().expect("another width");
    assert!(matches!(error, ModelError::Shape { .. }), "{error}");
    let deeper = TextConfig { num_hidden_layers: 5, ..facts.configs["gelu"].clone() };
    let error =
        TextEncoder::load(&source(&facts, "text_model."), &deeper).err().expect("another depth").to_string();
    assert!(error.contains("text_model.encoder.layers.4.layer_norm1.bias"), "{error}");
    let odd = TextConfig { num_attention_heads: 5, ..facts.configs["gelu"].clone() };
    let error = TextEncoder::load(&source(&facts, ""), &odd).err().expect("no such heads").to_string();
    assert!(error.contains("hidden_size 32 cannot be shared among num_attention_heads 5"), "{error}");
}
