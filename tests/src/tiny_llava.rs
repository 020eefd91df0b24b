//! A LLaVA of a few hundred kilobytes with random weights, in the layout of transformers: what is said of its prompts is noise, what
//! is done with them is done as with a real one.

use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Writes it to a folder: configuration and tokenizer of the goldens, weights by a seed.
///
/// # Panics
/// When it cannot.
pub fn write(to: &Path, seed: u64) {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/goldens/llava/models/vicuna");
    fs::create_dir_all(to).expect("a folder can be made");
    let files = ["config.json", "processor_config.json", "tokenizer.json", "tokenizer_config.json"];
    for name in files.into_iter().chain(["chat_template.jinja"]) {
        fs::copy(from.join(name), to.join(name)).expect("a file can be copied");
    }
    let facts: Value =
        serde_json::from_slice(&fs::read(from.join("facts.json")).expect("facts")).expect("JSON");
    let shapes: BTreeMap<String, Vec<usize>> =
        serde_json::from_value(facts["shapes"].clone()).expect("shapes by name");
    let (mut header, mut data) = (Map::new(), Vec::new());
    let mut state = seed;
    for (name, shape) in shapes {
        let start = data.len();
        let (count, inner) = (shape.iter().product::<usize>(), shape.iter().skip(1).product::<usize>());
        for _ in 0..count {
            let value = match (shape.len(), name.ends_with("weight")) {
                (1, true) => 1.0 + uniform(&mut state) / 8.0,
                (1, false) => uniform(&mut state) / 8.0,
                _ => uniform(&mut state) * 1.7 / (inner as f32).sqrt(),
            };
            data.extend(value.to_le_bytes());
        }
        header.insert(name, json!({ "dtype": "F32", "shape": shape, "data_offsets": [start, data.len()] }));
    }
    let header = Value::Object(header).to_string();
    let file = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &data].concat();
    fs::write(to.join("model.safetensors"), file).expect("weights can be written");
}

/// In [-1, 1), by SplitMix64.
fn uniform(state: &mut u64) -> f32 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 40) as f32 / 8_388_608.0 - 1.0
}
