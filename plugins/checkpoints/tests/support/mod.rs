//! Small checkpoints that the tests write.
#![allow(dead_code, reason = "each test binary uses its own part")]

pub mod server;

use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

/// A file of the goldens of this area.
pub fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/goldens/sd").join(name)
}

/// Writes `text` to `path`, with its folders.
pub fn write(path: &Path, text: impl AsRef<[u8]>) {
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder that can be made");
    std::fs::write(path, text).expect("a file that can be written");
}

/// The bytes of a safetensors file of float32 tensors that hold 0.5 throughout.
pub fn safetensors(tensors: &[(&str, &[usize])]) -> Vec<u8> {
    let mut header = Map::new();
    let mut end = 0;
    for (name, shape) in tensors {
        let bytes = shape.iter().product::<usize>() * 4;
        header.insert(
            (*name).to_owned(),
            json!({ "dtype": "F32", "shape": shape, "data_offsets": [end, end + bytes] }),
        );
        end += bytes;
    }
    let mut file = raw(&Value::Object(header));
    file.extend(std::iter::repeat_n(0.5_f32.to_le_bytes(), end / 4).flatten());
    file
}

/// A header alone.
pub fn raw(header: &Value) -> Vec<u8> {
    let text = header.to_string();
    let mut file = (text.len() as u64).to_le_bytes().to_vec();
    file.extend(text.as_bytes());
    file
}

/// Writes [`safetensors`] to a file and gives its path.
pub fn weights(folder: &Path, name: &str, tensors: &[(&str, &[usize])]) -> PathBuf {
    let path = folder.join(name);
    write(&path, safetensors(tensors));
    path
}

/// A UNet in diffusers' names, as far as its kind can be told from them.
pub const UNET: &[(&str, &[usize])] = &[
    ("conv_in.weight", &[8, 4, 3, 3]),
    ("time_embedding.linear_1.weight", &[8, 8]),
    ("down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight", &[8, 768]),
    ("up_blocks.0.resnets.0.norm1.weight", &[8]),
];

/// A VAE in diffusers' names.
pub const VAE: &[(&str, &[usize])] = &[
    ("encoder.down_blocks.0.resnets.0.norm1.weight", &[8]),
    ("decoder.up_blocks.0.resnets.0.norm1.weight", &[8]),
];

/// A text encoder as transformers 5 saves it.
pub const TEXT: &[(&str, &[usize])] =
    &[("embeddings.token_embedding.weight", &[16, 8]), ("final_layer_norm.weight", &[8])];

/// A diffusers directory of these three.
pub fn pipeline(folder: &Path) {
    let index = json!({
        "_class_name": "StableDiffusionPipeline",
        "_diffusers_version": "0.6.0",
        "requires_safety_checker": true,
        "feature_extractor": [null, null],
        "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
        "scheduler": ["diffusers", "PNDMScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    });
    write(&folder.join("model_index.json"), index.to_string());
    write(&folder.join("scheduler/scheduler_config.json"), r#"{"prediction_type": "epsilon"}"#);
    write(&folder.join("tokenizer/vocab.json"), "{}");
    write(
        &folder.join("unet/config.json"),
        r#"{"_class_name": "UNet2DConditionModel", "in_channels": 4, "cross_attention_dim": 768}"#,
    );
    weights(folder, "unet/diffusion_pytorch_model.safetensors", UNET);
    write(&folder.join("vae/config.json"), r#"{"_class_name": "AutoencoderKL"}"#);
    weights(folder, "vae/diffusion_pytorch_model.safetensors", VAE);
    write(&folder.join("text_encoder/config.json"), r#"{"architectures": ["CLIPTextModel"]}"#);
    weights(folder, "text_encoder/model.safetensors", TEXT);
    write(
        &folder.join("README.md"),
        "---\nlicense: creativeml-openrail-m\ntags:\n- text-to-image\n---\n# A model\n",
    );
}
