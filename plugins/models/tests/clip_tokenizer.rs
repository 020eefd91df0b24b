//! CLIP's tokenizer against transformers, and long prompts. Goldens: `python fixtures/scripts/goldens_sd_encoders.py`.

mod support;

use std::collections::BTreeMap;
use std::fs;

use adeval_models::clip::Activation;
use adeval_models::clip::prompt::{self, LongPrompt, PromptOptions};
use adeval_models::clip::text::{TextConfig, TextEncoder};
use adeval_models::clip::tokenizer::ClipTokenizer;
use adeval_models::tensors::Source;
use candle_core::{DType, Device, Tensor};
use serde::Deserialize;

use support::{Parity, goldens, recipe};

const PARITY: Parity = Parity::new("clip", "transformers 5.24.0");

#[derive(Deserialize)]
struct Facts {
    texts: Vec<String>,
    sd15: Rows,
    sd2: Rows,
}

#[derive(Deserialize)]
struct Rows {
    ids: Vec<Vec<u32>>,
    padded: Vec<Vec<u32>>,
    cut: Vec<String>,
}

fn facts() -> Facts {
    let text = fs::read(goldens().join("sd/clip_tokenizer.json")).expect("the golden's facts");
    serde_json::from_slice(&text).expect("facts of the known form")
}

fn tokenizer(layout: &str) -> ClipTokenizer {
    ClipTokenizer::from_dir(&goldens().join("sd/clip_tokenizer").join(layout)).expect("a tokenizer")
}

#[test]
fn ids_equal_those_of_transformers() {
    let facts = facts();
    for (layout, rows) in [("sd15", &facts.sd15), ("sd2", &facts.sd2), ("json", &facts.sd15)] {
        let tokenizer = tokenizer(layout);
        assert_eq!((tokenizer.room(), tokenizer.length()), (75, 77));
        let mut wrong = Vec::new();
        for (i, text) in facts.texts.iter().enumerate() {
            let ids = tokenizer.encode(text).expect("ids");
            if ids != rows.ids[i] || tokenizer.wrap(&ids) != rows.padded[i] {
                wrong.push(format!("{text:?}\n  found    {ids:?}\n  expected {:?}", rows.ids[i]));
            }
            let cut = tokenizer.decode(ids.get(75..).unwrap_or_default());
            assert_eq!(cut, rows.cut[i], "the end of {text:?}");
        }
        PARITY.number(&format!("tokenizer, {layout}"), "texts with other ids", wrong.len() as f64, 0.0);
        assert!(wrong.is_empty(), "{layout}: {}", wrong.join("\n"));
    }
}

#[test]
fn a_long_prompt_is_chunked_and_says_so() {
    let tokenizer = tokenizer("sd15");
    let long = "word ".repeat(76);
    let ids = tokenizer.encode(&long).expect("ids");
    let found = prompt::tokenize(&tokenizer, &["a cat", &long], LongPrompt::Chunk).expect("chunks");
    let expected: Vec<Vec<u32>> = ids.chunks(75).map(|part| tokenizer.wrap(part)).collect();
    assert!(expected.len() > 1);
    assert_eq!(found.chunks[1], expected);
    let [read, nothing @ ..] = &found.chunks[0][..] else { panic!("no chunk") };
    assert_eq!(*read, tokenizer.wrap(&tokenizer.encode("a cat").expect("ids")));
    assert_eq!(nothing.len(), expected.len() - 1);
    let empty = [vec![tokenizer.bos(), tokenizer.eos()], vec![tokenizer.pad(); 75]].concat();
    assert!(nothing.iter().all(|chunk| *chunk == empty));
    let [note] = &found.notes[..] else { panic!("{:?}", found.notes) };
    let says = format!("has {} tokens, more than the 75 that CLIP reads at once; it was read in", ids.len());
    assert!(note.contains(&says), "{note}");
}

#[test]
fn a_long_prompt_is_cut_and_says_what() {
    let tokenizer = tokenizer("sd15");
    let long = "a ".repeat(75) + "red car";
    let found = prompt::tokenize(&tokenizer, &[&long], LongPrompt::Truncate).expect("ids");
    assert_eq!(found.chunks, [[tokenizer.wrap(&tokenizer.encode(&long).expect("ids"))]]);
    assert!(found.notes[0].ends_with("this end was cut off: \"red car\""), "{:?}", found.notes);
    let fits = "a ".repeat(75);
    assert!(prompt::tokenize(&tokenizer, &[&fits], LongPrompt::Truncate).expect("ids").notes.is_empty());
}

fn encoder() -> TextEncoder {
    let config = TextConfig {
        vocab_size: 900,
        hidden_size: 16,
        intermediate_size: 32,
        num_hidden_layers: 2,
        num_attention_heads: 2,
        hidden_act: Activation::QuickGelu,
        ..TextConfig::default()
    };
    let mut shapes = BTreeMap::from([
        ("embeddings.token_embedding.weight".to_owned(), vec![900, 16]),
        ("embeddings.position_embedding.weight".to_owned(), vec![77, 16]),
    ]);
    let mut layer_norm = |name: String| {
        shapes.insert(format!("{name}.weight"), vec![16]);
        shapes.insert(format!("{name}.bias"), vec![16]);
    };
    layer_norm("final_layer_norm".to_owned());
    for layer in 0..2 {
        layer_norm(format!("encoder.layers.{layer}.layer_norm1"));
        layer_norm(format!("encoder.layers.{layer}.layer_norm2"));
    }
    for layer in 0..2 {
        for (name, outputs, inputs) in [
            ("self_attn.q_proj", 16, 16),
            ("self_attn.k_proj", 16, 16),
            ("self_attn.v_proj", 16, 16),
            ("self_attn.out_proj", 16, 16),
            ("mlp.fc1", 32, 16),
            ("mlp.fc2", 16, 32),
        ] {
            shapes.insert(format!("encoder.layers.{layer}.{name}.weight"), vec![outputs, inputs]);
            shapes.insert(format!("encoder.layers.{layer}.{name}.bias"), vec![outputs]);
        }
    }
    let source = Source::from_tensors("tiny", recipe::weights(&shapes), &Device::Cpu, DType::F32);
    TextEncoder::load(&source, &config).expect("the weights fit")
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().and_then(|t| t.to_vec1()).expect("values")
}

/// Each chunk is encoded on its own; only the prompt, not the negative one, skips layers.
#[test]
fn embeddings_of_chunks_are_joined_and_clip_skip_leaves_the_negative_alone() {
    let (tokenizer, encoder) = (tokenizer("sd15"), encoder());
    let long = "a red car on the street, ".repeat(12);
    let options = PromptOptions { long: LongPrompt::Chunk, clip_skip: 1 };
    let found = prompt::encode(&tokenizer, &encoder, &[&long], &["blurry"], options).expect("embeddings");
    let ids = prompt::tokenize(&tokenizer, &[&long, "blurry"], LongPrompt::Chunk).expect("ids");
    let chunks = ids.chunks[0].len();
    assert!(chunks > 1);
    assert_eq!(found.positive.dims(), [1, 77 * chunks, 16]);
    let negative = found.negative.expect("a negative prompt");
    assert_eq!(negative.dims(), found.positive.dims());
    for i in 0..chunks {
        let part = |t: &Tensor| values(&t.narrow(1, 77 * i, 77).expect("a chunk"));
        let alone = |prompt: usize, skip| {
            values(&encoder.embed(&[ids.chunks[prompt][i].clone()], None, skip).expect("embeddings"))
        };
        assert_eq!(part(&found.positive), alone(0, 1));
        assert_eq!(part(&negative), alone(1, 0));
    }
    assert_eq!(found.notes.len(), 1);
}

#[test]
fn prompts_and_negative_prompts_must_pair() {
    let (tokenizer, encoder) = (tokenizer("sd15"), encoder());
    let error = prompt::encode(&tokenizer, &encoder, &["a", "b"], &["c"], PromptOptions::default());
    assert!(error.err().expect("no pair").to_string().contains("2 prompts with 1 negative prompts"));
}

#[test]
fn missing_and_damaged_files_are_named() {
    let dir = tempfile::tempdir().expect("a folder");
    let message = || ClipTokenizer::from_dir(dir.path()).err().expect("no tokenizer").to_string();
    assert!(message().contains("vocab.json"), "{}", message());
    fs::write(dir.path().join("vocab.json"), r#"{"a": 0, "b": 1, "<|endoftext|>": 2}"#).expect("a file");
    assert!(message().contains("merges.txt"), "{}", message());
    fs::write(dir.path().join("merges.txt"), "#version: 0.2\na b\n").expect("a file");
    assert!(message().contains("no CLIP tokenizer"), "{}", message());
    fs::write(dir.path().join("merges.txt"), "#version: 0.2\n").expect("a file");
    assert!(message().contains("\"<|startoftext|>\" is not in the vocabulary"), "{}", message());
    fs::write(dir.path().join("tokenizer.json"), "{").expect("a file");
    assert!(message().contains("tokenizer.json: no CLIP tokenizer"), "{}", message());
}
