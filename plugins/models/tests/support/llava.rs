//! The tiny LLaVAs of the goldens as folders, in every layout that they are published in.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::ops::Range;
use std::path::Path;

use adeval_models::llava::LlavaPrompt;
use adeval_models::llava::grid::Extent;
use candle_core::Tensor;
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{golden, goldens, recipe};

/// What was asked, and what the reference made of it.
#[derive(Deserialize)]
pub struct Asked {
    pub sizes: Vec<(u32, u32)>,
    pub text: String,
    pub prompt: String,
    pub ids: Vec<i64>,
    pub positions: Option<usize>,
}

impl Asked {
    /// The prompt that the reference made, a picture wherever `image` is repeated.
    pub fn prompt(&self, image: i64) -> LlavaPrompt {
        let mut pictures: Vec<Range<usize>> = Vec::new();
        for at in (0..self.ids.len()).filter(|&at| self.ids[at] == image) {
            match pictures.last_mut() {
                Some(range) if range.end == at => range.end += 1,
                _ => pictures.push(at..at + 1),
            }
        }
        let ids = self.ids.iter().map(|&id| u32::try_from(id).expect("an id")).collect();
        LlavaPrompt { ids, pictures, sizes: self.extents() }
    }

    pub fn extents(&self) -> Vec<Extent> {
        self.sizes.iter().map(|&(height, width)| Extent { height, width }).collect()
    }
}

#[derive(Deserialize)]
pub struct Facts {
    pub shapes: BTreeMap<String, Vec<usize>>,
    pub asked: Vec<Asked>,
}

/// How weights are named and cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `model.language_model.layers`, one file.
    Transformers5,
    /// `language_model.model.layers`, one file.
    Transformers4,
    /// As transformers 5, in two files and an index.
    Shards,
    /// The original code's names and its flat configuration.
    Original,
}

/// A branch of the goldens.
pub struct Branch {
    pub name: &'static str,
    /// The id of `<image>`, where it has one.
    pub image: Option<i64>,
    pub facts: Facts,
    pub golden: HashMap<String, Tensor>,
}

impl Branch {
    pub fn read(name: &'static str) -> Self {
        let folder = goldens().join("llava/models").join(name);
        let json = |file: &str| -> Value {
            serde_json::from_slice(&fs::read(folder.join(file)).expect("a file")).expect("JSON")
        };
        let facts = serde_json::from_value(json("facts.json")).expect("facts of the known form");
        let image = json("config.json")["image_token_index"].as_i64();
        Self { name, image, facts, golden: golden(&format!("llava/models/{name}/logits.safetensors")) }
    }

    pub fn written(&self, layout: Layout) -> TempDir {
        self.written_with(layout, |_| true)
    }

    /// With the tensors whose names, in the spelling of transformers 5, are `kept`.
    pub fn written_with(&self, layout: Layout, kept: impl Fn(&str) -> bool) -> TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        self.write(folder.path(), layout, kept, &[]);
        folder
    }

    /// Writes the checkpoint to `to`, with `heads` of two numbers each beside it.
    pub fn write(&self, to: &Path, layout: Layout, kept: impl Fn(&str) -> bool, heads: &[&str]) {
        copy(&goldens().join("llava/models").join(self.name), to);
        if layout == Layout::Original && self.name != "original" {
            original_config(to);
        }
        let mut shapes = self.facts.shapes.clone();
        shapes.retain(|name, _| kept(name));
        let hidden = self.facts.shapes["model.language_model.norm.weight"].clone();
        shapes.extend(heads.iter().map(|&name| (name.to_owned(), [&[2], hidden.as_slice()].concat())));
        let tensors: Vec<(String, Tensor)> = recipe::weights(&shapes)
            .into_iter()
            .map(|(name, tensor)| (spelled(&name, layout), tensor))
            .collect();
        save(to, tensors, layout);
    }
}

/// All files but the goldens themselves.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        let name = entry.file_name().expect("a name").to_owned();
        if entry.is_dir() {
            copy(&entry, &to.join(name));
        } else if name != "facts.json" && name != "logits.safetensors" {
            fs::copy(&entry, to.join(name)).expect("a file");
        }
    }
}

fn save(folder: &Path, tensors: Vec<(String, Tensor)>, layout: Layout) {
    let write = |name: &str, tensors: HashMap<String, Tensor>| {
        candle_core::safetensors::save(&tensors, folder.join(name)).expect("a file");
    };
    if layout != Layout::Shards {
        return write("model.safetensors", tensors.into_iter().collect());
    }
    let names = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
    let (mut map, mut parts) = (serde_json::Map::new(), [HashMap::new(), HashMap::new()]);
    for (number, (name, tensor)) in tensors.into_iter().enumerate() {
        map.insert(name.clone(), names[number % 2].into());
        parts[number % 2].insert(name, tensor);
    }
    for (name, part) in names.into_iter().zip(parts) {
        write(name, part);
    }
    fs::write(folder.join("model.safetensors.index.json"), json!({ "weight_map": map }).to_string())
        .expect("an index");
}

fn spelled(name: &str, layout: Layout) -> String {
    let inner = |name: &str| name.strip_prefix("model.").map(str::to_owned);
    match layout {
        Layout::Transformers5 | Layout::Shards => name.to_owned(),
        Layout::Transformers4 => match name.strip_prefix("model.language_model.") {
            Some(rest) => format!("language_model.model.{rest}"),
            None if name.starts_with("lm_head.") => format!("language_model.{name}"),
            None => inner(&name.replace("vision_tower.", "vision_tower.vision_model."))
                .unwrap_or_else(|| name.to_owned()),
        },
        Layout::Original => name
            .replace("model.language_model.", "model.")
            .replace("vision_tower.", "vision_tower.vision_tower.vision_model.")
            .replace("multi_modal_projector.linear_1", "mm_projector.0")
            .replace("multi_modal_projector.linear_2", "mm_projector.2"),
    }
}

/// What the original code would have written for a checkpoint of transformers, its tower's settings beside it.
fn original_config(folder: &Path) {
    let path = folder.join("config.json");
    let config: Value = serde_json::from_slice(&fs::read(&path).expect("a configuration")).expect("JSON");
    let mut flat = config["text_config"].clone();
    let class = flat["model_type"].as_str().unwrap_or_default().to_owned();
    let pairs: Vec<Value> = config["image_grid_pinpoints"]
        .as_array()
        .expect("pairs")
        .iter()
        .map(|pair| json!([pair[1], pair[0]]))
        .collect();
    for (key, value) in [
        ("architectures", json!(["LlavaForCausalLM"])),
        (
            "model_type",
            json!(if class == "qwen2" { "llava_qwen".to_owned() } else { format!("llava_{class}") }),
        ),
        ("mm_vision_tower", json!("tower")),
        ("mm_projector_type", json!("mlp2x_gelu")),
        ("mm_vision_select_layer", json!(-2)),
        ("mm_vision_select_feature", json!("patch")),
        ("mm_patch_merge_type", json!("spatial_unpad")),
        ("mm_use_im_patch_token", json!(false)),
        ("image_aspect_ratio", json!("anyres")),
        // As Python prints a list of tuples.
        (
            "image_grid_pinpoints",
            json!(
                json!(pairs)
                    .to_string()
                    .replace("[", "(")
                    .replace("]", ")")
                    .replacen('(', "[", 1)
                    .replace("))", ")]")
            ),
        ),
    ] {
        flat[key] = value;
    }
    fs::write(&path, flat.to_string()).expect("a file");
    fs::create_dir_all(folder.join("tower")).expect("a folder");
    fs::write(folder.join("tower/config.json"), config["vision_config"].to_string()).expect("a file");
    let tokenizer = folder.join("chat_template.jinja");
    fs::remove_file(tokenizer).expect("a template");
}
