//! LoRA fused into weights, against diffusers. Goldens: `python fixtures/scripts/goldens_sd_lora.py`.

mod support;

use std::collections::BTreeMap;
use std::fs;

use adeval_models::ModelError;
use adeval_models::lora::Lora;
use adeval_models::tensors::Source;
use candle_core::{DType, Device, Tensor};
use serde::Deserialize;

use support::recipe::{self, noise};
use support::{Parity, golden, goldens};

const PARITY: Parity = Parity::new("lora", "diffusers 0.42.1, peft 0.21.2");

type Shapes = BTreeMap<String, Vec<usize>>;

#[derive(Deserialize)]
struct Facts {
    shapes: Networks<Shapes>,
    cases: BTreeMap<String, Case>,
}

#[derive(Deserialize)]
struct Networks<T> {
    unet: T,
    text_encoder: T,
}

#[derive(Deserialize)]
struct Case {
    files: Vec<File>,
    changed: Networks<Vec<String>>,
    reference: String,
}

#[derive(Deserialize)]
struct File {
    salt: String,
    shapes: Shapes,
    alphas: BTreeMap<String, f32>,
    metadata: BTreeMap<String, String>,
    strength: f64,
}

impl File {
    fn tensors(&self) -> BTreeMap<String, Tensor> {
        let matrices = self.shapes.iter().map(|(key, shape)| {
            let values = recipe::weight(&format!("{}/{key}", self.salt), shape);
            (key.clone(), values)
        });
        let alphas = self.alphas.iter().map(|(key, alpha)| (key.clone(), number(*alpha)));
        matrices.chain(alphas).collect()
    }

    fn lora(&self) -> Lora {
        Lora::from_tensors("a.safetensors", self.tensors(), &self.metadata).expect("a LoRA")
    }
}

fn number(value: f32) -> Tensor {
    Tensor::new(value, &Device::Cpu).expect("a number")
}

fn facts() -> Facts {
    let text = fs::read(goldens().join("sd/lora.json")).expect("the golden's facts");
    serde_json::from_slice(&text).expect("facts of the known form")
}

fn source(shapes: &Shapes) -> Source {
    Source::from_tensors("tiny model", recipe::weights(shapes), &Device::Cpu, DType::F32)
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().and_then(|t| t.to_vec1()).expect("values")
}

/// The largest relative error of the changed weights; the others must be untouched.
fn worst(
    case: &str,
    component: &str,
    source: &Source,
    shapes: &Shapes,
    changed: &[String],
    expected: &std::collections::HashMap<String, Tensor>,
) -> f64 {
    let mut worst = 0.0_f64;
    for (name, shape) in shapes {
        let found = values(&source.weights().get(name, shape).expect("a weight"));
        if !changed.contains(name) {
            assert_eq!(found, values(&recipe::weight(name, shape)), "{case}: {name} is not to change");
            continue;
        }
        let expected = values(&expected[&format!("{case}.{component}.{name}")]);
        let scale = expected.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
        let error = found.iter().zip(&expected).fold(0.0_f32, |m, (a, b)| m.max((a - b).abs()));
        worst = worst.max(f64::from(error / scale));
    }
    worst
}

#[test]
fn fused_weights_equal_those_of_diffusers() {
    let (facts, expected) = (facts(), golden("sd/lora.safetensors"));
    assert_eq!(facts.cases.len(), 9);
    for (name, case) in &facts.cases {
        let (mut unet, mut text) = (source(&facts.shapes.unet), source(&facts.shapes.text_encoder));
        let mut layers = 0;
        for file in &case.files {
            let lora = file.lora();
            layers += lora.fuse_unet(file.strength, &mut unet).expect("it fits the UNet");
            layers += lora.fuse_text_encoder(file.strength, &mut text).expect("it fits the text encoder");
        }
        let pairs: usize = case.files.iter().map(|f| f.shapes.len() / 2).sum();
        assert_eq!(layers, pairs, "{name}");
        let of_unet = worst(name, "unet", &unet, &facts.shapes.unet, &case.changed.unet, &expected);
        let (shapes, changed) = (&facts.shapes.text_encoder, &case.changed.text_encoder);
        let of_text = worst(name, "text_encoder", &text, shapes, changed, &expected);
        let label = format!("LoRA, {name} (reference: {})", case.reference);
        PARITY.number(&label, "max relative", of_unet.max(of_text), 1e-6);
    }
}

#[test]
fn a_text_encoder_with_the_old_prefix_takes_the_same() {
    let facts = facts();
    let file = &facts.cases["kohya"].files[0];
    let old: Shapes =
        facts.shapes.text_encoder.iter().map(|(n, s)| (format!("text_model.{n}"), s.clone())).collect();
    let mut text = source(&old);
    assert_eq!(file.lora().fuse_text_encoder(1.0, &mut text).expect("it fits"), 3);
}

#[test]
fn a_file_is_read_with_its_header_and_peft_s_configuration() {
    let facts = facts();
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("adapter_model.safetensors");
    let name = "encoder.layers.0.self_attn.q_proj";
    let key = |side: &str| format!("base_model.model.text_model.{name}.lora_{side}.weight");
    let tensors =
        std::collections::HashMap::from([(key("A"), noise("a", &[4, 32])), (key("B"), noise("b", &[32, 4]))]);
    candle_core::safetensors::save(&tensors, &path).expect("a file");
    let fused = || {
        let mut text = source(&facts.shapes.text_encoder);
        Lora::read(&path).expect("a LoRA").fuse_text_encoder(1.0, &mut text).expect("it fits");
        let weight = format!("{name}.weight");
        let found = text.weights().get(&weight, &[32, 32]).expect("a weight");
        values(&(found - recipe::weight(&weight, &[32, 32])).expect("a difference"))
    };
    let plain = fused();
    fs::write(dir.path().join("adapter_config.json"), r#"{"r": 4, "lora_alpha": 16, "peft_type": "LORA"}"#)
        .expect("a file");
    let scaled = fused();
    let ratio = scaled.iter().sum::<f32>() / plain.iter().sum::<f32>();
    assert!((ratio - 4.0).abs() < 1e-3, "alpha 16 at rank 4 scales by {ratio}");
    fs::write(dir.path().join("adapter_config.json"), r#"{"use_dora": true}"#).expect("a file");
    let error = Lora::read(&path).err().expect("DoRA").to_string();
    assert!(error.contains("adapter_config.json: use_dora"), "{error}");
    let bytes = fs::read(&path).expect("the file");
    fs::write(&path, &bytes[..bytes.len() - 4]).expect("a shorter file");
    let error = Lora::read(&path).err().expect("cut off").to_string();
    assert!(error.contains("adapter_model.safetensors cannot be loaded"), "{error}");
}

/// What is said of a file with one layer of these keys.
fn refused(keys: &[(&str, &[usize])]) -> String {
    let tensors: BTreeMap<_, _> = keys.iter().map(|(k, shape)| ((*k).to_owned(), noise(k, shape))).collect();
    let facts = facts();
    let fuse = |lora: Lora| {
        lora.fuse_unet(1.0, &mut source(&facts.shapes.unet))?;
        lora.fuse_text_encoder(1.0, &mut source(&facts.shapes.text_encoder))
    };
    let error =
        Lora::from_tensors("x.safetensors", tensors, &BTreeMap::new()).and_then(fuse).expect_err("refused");
    assert!(matches!(error, ModelError::Unfit { .. }), "{error}");
    let message = error.to_string();
    assert!(message.starts_with("x.safetensors: "), "{message}");
    message
}

#[test]
fn what_is_not_for_this_model_is_named() {
    const TO_Q: &str = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q";
    const TO_K: &str = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k";
    let layer = |module: &str, down: &[usize], up: &[usize]| {
        let (d, u) = (format!("{module}.lora_down.weight"), format!("{module}.lora_up.weight"));
        refused(&[(&d, down), (&u, up)])
    };
    let message = layer("lora_unet_down_blocks_7_resnets_0_conv1", &[2, 8, 3, 3], &[8, 2, 1, 1]);
    assert!(
        message.contains("down_blocks_7_resnets_0_conv1.lora_down.weight: the UNet has no such layer"),
        "{message}"
    );
    let message = layer("lora_te_text_model_encoder_layers_9_mlp_fc1", &[2, 32], &[64, 2]);
    assert!(message.contains("the text encoder has no such layer"), "{message}");
    let message = layer(TO_K, &[2, 2048], &[8, 2]);
    assert!(message.contains("width 2048: it is for Stable Diffusion XL"), "{message}");
    let message = layer(TO_K, &[2, 1024], &[8, 2]);
    assert!(message.contains("width 1024: it is for Stable Diffusion 2"), "{message}");
    let message = layer("lora_te2_text_model_encoder_layers_0_mlp_fc1", &[2, 32], &[64, 2]);
    assert!(message.contains("a second text encoder: it is for Stable Diffusion XL"), "{message}");
    let message = layer(TO_Q, &[2, 8], &[8, 3]);
    assert!(message.contains("shapes [2, 8] and [8, 3] do not share a rank"), "{message}");
    let message = layer(TO_Q, &[2, 9], &[8, 2]);
    assert!(message.contains("shapes [2, 9] and [8, 2] do not make"), "{message}");
    assert!(message.contains("attn1.to_q.weight of shape [8, 8]"), "{message}");
    let message = layer("lora_unet_conv_in", &[2, 4, 1, 1], &[8, 2, 1, 1]);
    assert!(message.contains("do not make conv_in.weight of shape [8, 4, 3, 3]"), "{message}");
}

#[test]
fn incomplete_and_foreign_files_are_named() {
    let message = refused(&[("lora_unet_conv_in.lora_down.weight", &[2, 4, 3, 3])]);
    assert!(message.contains("lora_unet_conv_in.lora_down.weight has no matching up"), "{message}");
    let message = refused(&[("unet.conv_in.lora_B.weight", &[8, 2, 1, 1])]);
    assert!(message.contains("unet.conv_in.lora_B.weight has no matching down"), "{message}");
    let message = refused(&[("lora_unet_conv_in.alpha", &[1])]);
    assert!(message.contains("the alpha of conv_in has no matrices"), "{message}");
    let message = refused(&[("lora_unet_conv_in.alpha", &[2])]);
    assert!(message.contains("has shape [2], expected one number"), "{message}");
    let message = refused(&[("lora_unet_conv_in.hada_w1_a", &[2, 2])]);
    assert!(message.contains("hada_w1_a is of another method than LoRA (LoHa)"), "{message}");
    let message = refused(&[("lora_unet_conv_in.dora_scale", &[2])]);
    assert!(message.contains("(DoRA)"), "{message}");
    let message = refused(&[("conv_in.weight", &[8, 4, 3, 3])]);
    assert!(message.contains("conv_in.weight is no key of a LoRA"), "{message}");
    assert!(refused(&[]).contains("it holds no LoRA layers"));
}

#[test]
fn headers_and_values_are_checked() {
    let tensors = |value: f32| BTreeMap::from([("lora_unet_conv_in.alpha".to_owned(), number(value))]);
    let error = |value, key: &str, text: &str| {
        let metadata = BTreeMap::from([(key.to_owned(), text.to_owned())]);
        Lora::from_tensors("x.safetensors", tensors(value), &metadata).err().expect("refused").to_string()
    };
    assert!(error(1.0, "ss_base_model_version", "sdxl_base_v1-0").contains("Stable Diffusion XL"));
    assert!(
        error(1.0, "modelspec.architecture", "stable-diffusion-xl-v1-base/lora")
            .contains("Stable Diffusion XL")
    );
    assert!(
        error(1.0, "lora_adapter_metadata", "{")
            .contains("lora_adapter_metadata in its header cannot be read")
    );
    assert!(error(1.0, "lora_adapter_metadata", r#"{"unet.use_dora": true}"#).contains("it is a DoRA"));
    assert!(error(f32::NAN, "any", "thing").contains("lora_unet_conv_in.alpha of x.safetensors holds NaN"));
}
