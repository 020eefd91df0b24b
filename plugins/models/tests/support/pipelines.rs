//! Cases of the pipelines: models, pictures and settings of `fixtures/scripts/goldens_sd_pipelines.py`.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::collections::BTreeMap;
use std::path::Path;

use adeval_models::clip::text::{TextConfig, TextEncoder};
use adeval_models::clip::tokenizer::ClipTokenizer;
use adeval_models::schedulers::SchedulerConfig;
use adeval_models::stable_diffusion::config::{ControlNetConfig, UNetConfig};
use adeval_models::stable_diffusion::controlnet::{ControlNetModel, MultiControlNet};
use adeval_models::stable_diffusion::ip_adapter::IpAdapter;
use adeval_models::stable_diffusion::pipeline::{
    ControlSettings, Job, Pipeline, Settings, Start, Style, VaeStage,
};
use adeval_models::stable_diffusion::unet::UNet2DConditionModel;
use adeval_models::stable_diffusion::vae::{Vae, VaeConfig};
use adeval_models::tensors::Source;
use candle_core::{DType, Tensor};
use image::{GrayImage, Luma, Rgb, RgbImage};
use serde::Deserialize;
use serde_json::Value;

use crate::support::{self, goldens, recipe};

#[derive(Deserialize)]
pub struct Facts {
    pub models: BTreeMap<String, Model>,
    pub cases: BTreeMap<String, Case>,
    pub scheduler: Value,
    pub samplers: BTreeMap<String, Value>,
    pub loras: BTreeMap<String, LoraFile>,
    pub prompts: Vec<String>,
    pub negative: String,
    pub width: u32,
    pub height: u32,
}

#[derive(Deserialize)]
pub struct Model {
    pub config: Value,
    pub tensors: BTreeMap<String, Vec<usize>>,
}

#[derive(Deserialize)]
pub struct LoraFile {
    pub salt: String,
    pub shapes: BTreeMap<String, Vec<usize>>,
    pub alphas: BTreeMap<String, f32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    pub pipeline: String,
    #[serde(default)]
    pub start: Option<String>,
    #[serde(default = "unet")]
    pub unet: String,
    #[serde(default)]
    pub controls: Vec<f64>,
    #[serde(default)]
    pub spans: Vec<(f64, f64)>,
    #[serde(default)]
    pub guess: bool,
    #[serde(default = "sampler")]
    pub sampler: String,
    #[serde(default = "five")]
    pub steps: usize,
    #[serde(default = "guidance")]
    pub guidance: f64,
    #[serde(default = "one")]
    pub strength: f64,
    #[serde(default)]
    pub eta: f64,
    #[serde(default)]
    pub clip_skip: usize,
    #[serde(default)]
    pub style: bool,
    #[serde(default = "single")]
    pub batch: usize,
    /// LoRA files, and how strongly each acts.
    #[serde(default)]
    pub loras: Vec<(String, f64)>,
    /// The element type of the files that the weights were read from.
    #[serde(default)]
    pub file_dtype: Option<String>,
}

impl Case {
    /// Whether the models are the goldens' own, not changed by files.
    pub fn is_plain(&self) -> bool {
        self.loras.is_empty() && self.file_dtype.is_none()
    }
}

fn unet() -> String {
    "unet".to_owned()
}
fn sampler() -> String {
    "euler-ancestral".to_owned()
}
fn five() -> usize {
    5
}
fn guidance() -> f64 {
    7.5
}
fn one() -> f64 {
    1.0
}
fn single() -> usize {
    1
}

impl Facts {
    pub fn read() -> Self {
        let text = std::fs::read(goldens().join("sd/pipelines.json")).expect("the golden's facts");
        serde_json::from_slice(&text).expect("facts of the known form")
    }

    /// Tensors of one model; the recipe hashes their names with the model's.
    pub fn source(&self, name: &str) -> Source {
        Source::from_tensors(name, self.tensors(name), &support::device(), DType::F32)
    }

    /// The same as a list.
    pub fn tensors(&self, name: &str) -> Vec<(String, Tensor)> {
        let prefix = format!("{name}.");
        let tensors = self.models[name].tensors.iter().map(|(name, shape)| {
            let own = name.strip_prefix(&prefix).unwrap_or(name).to_owned();
            let hashed = if name.starts_with(&prefix) { name.clone() } else { format!("{prefix}{name}") };
            (own, recipe::weight(&hashed, shape))
        });
        tensors.collect()
    }

    /// The tensors of a LoRA file.
    pub fn lora(&self, name: &str) -> Vec<(String, Tensor)> {
        let file = &self.loras[name];
        let matrices = file
            .shapes
            .iter()
            .map(|(key, shape)| (key.clone(), recipe::weight(&format!("{}/{key}", file.salt), shape)));
        let alpha = |(key, alpha): (&String, &f32)| {
            (key.clone(), Tensor::new(*alpha, &candle_core::Device::Cpu).expect("a number"))
        };
        matrices.chain(file.alphas.iter().map(alpha)).collect()
    }

    pub fn config<T: serde::de::DeserializeOwned>(&self, name: &str) -> T {
        serde_json::from_value(self.models[name].config.clone()).expect("a configuration")
    }

    pub fn vae(&self) -> Vae {
        Vae::load(&self.source("vae"), &self.config::<VaeConfig>("vae")).expect("the VAE")
    }

    pub fn unet(&self, name: &str) -> UNet2DConditionModel {
        let config =
            UNetConfig::parse(&self.models[name].config.to_string(), Path::new(name)).expect("a UNet");
        UNet2DConditionModel::load(config, &self.source(name)).expect("the UNet")
    }

    pub fn control(&self, name: &str) -> ControlNetModel {
        let text = self.models[name].config.to_string();
        let config = ControlNetConfig::parse(&text, Path::new(name)).expect("a ControlNet");
        ControlNetModel::load(config, &self.source(name)).expect("the ControlNet")
    }

    pub fn scheduler(&self, case: &Case) -> SchedulerConfig {
        let mut config = self.scheduler.clone();
        let own = self.samplers[&case.sampler].as_object().expect("an object").clone();
        let fields = config.as_object_mut().expect("an object");
        fields.extend(own);
        if case.eta > 0.0 {
            fields.insert("eta".to_owned(), case.eta.into());
        }
        SchedulerConfig::from_json(&config.to_string()).expect("a sampler")
    }

    pub fn pipeline(&self, case: &Case) -> Pipeline {
        let text: TextConfig = self.config("text");
        let unet = self.unet(&case.unet);
        let nets: Vec<_> =
            ["control", "control2"].iter().take(case.controls.len()).map(|n| self.control(n)).collect();
        let controls =
            (!nets.is_empty()).then(|| MultiControlNet::new(nets, unet.config()).expect("they fit"));
        let adapter =
            case.style.then(|| IpAdapter::load(unet.config(), &self.source("adapter")).expect("it fits"));
        Pipeline {
            tokenizer: ClipTokenizer::from_dir(&goldens().join("sd/clip_tokenizer/sd15"))
                .expect("a tokenizer"),
            text: TextEncoder::load(&self.source("text"), &text).expect("the text encoder"),
            vae: VaeStage::Kept(Box::new(self.vae())),
            unet,
            controls,
            adapter,
            scheduler: self.scheduler(case),
            device: support::device(),
            dtype: DType::F32,
        }
    }

    pub fn settings(&self, case: &Case) -> Settings {
        let control = |(i, &scale)| {
            let (start, end) = case.spans.get(i).copied().unwrap_or((0.0, 1.0));
            ControlSettings { scale, start, end, ..ControlSettings::default() }
        };
        Settings {
            width: self.width,
            height: self.height,
            steps: case.steps,
            guidance: case.guidance,
            strength: case.strength,
            controls: case.controls.iter().enumerate().map(control).collect(),
            guess_mode: case.guess,
            clip_skip: case.clip_skip,
            style_scale: 0.6,
            ..Settings::default()
        }
    }

    pub fn job(&self, case: &Case, number: usize) -> Job {
        let picture = || self.picture(&format!("start {number}"));
        Job {
            prompt: self.prompts[number].clone(),
            negative: self.negative.clone(),
            seed: 42 + number as u64,
            start: match case.start.as_deref() {
                None => Start::Noise,
                Some("picture") => Start::Picture(picture()),
                Some("inpaint") => Start::Inpaint { picture: picture(), mask: self.mask() },
                Some(other) => panic!("an unknown start {other}"),
            },
            controls: (0..case.controls.len())
                .map(|i| self.picture(&format!("control {i} {number}")))
                .collect(),
            style: case.style.then(|| {
                let embeds = recipe::noise("style", &[1, 1, 20]);
                Style { unconditional: embeds.zeros_like().expect("zeros"), embeds }
            }),
        }
    }

    /// Bytes of a smooth picture: the recipe's numbers on a coarse grid, each 8x8 pixels.
    pub fn picture(&self, name: &str) -> RgbImage {
        let columns = self.width / 8;
        let values = recipe::uniform(name, (columns * self.height / 8 * 3) as usize);
        let byte =
            |x: u32, y: u32, c: u32| ((values[((y * columns + x) * 3 + c) as usize] + 1.0) * 128.0) as u8;
        RgbImage::from_fn(self.width, self.height, |x, y| Rgb([0, 1, 2].map(|c| byte(x / 8, y / 8, c))))
    }

    /// White outside of a box, in the greys next to the threshold.
    pub fn mask(&self) -> GrayImage {
        let inside = |x: u32, y: u32| (13..50).contains(&x) && (10..37).contains(&y);
        GrayImage::from_fn(self.width, self.height, |x, y| Luma([if inside(x, y) { 127 } else { 128 }]))
    }
}
