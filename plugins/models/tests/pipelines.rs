//! The pipelines against diffusers, from the prompt to the pixels. Goldens: `python fixtures/scripts/goldens_sd_pipelines.py`.

mod support;

use std::collections::{BTreeMap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use adeval_models::clip::text::{TextConfig, TextEncoder};
use adeval_models::clip::tokenizer::ClipTokenizer;
use adeval_models::schedulers::SchedulerConfig;
use adeval_models::stable_diffusion::config::{ControlNetConfig, UNetConfig};
use adeval_models::stable_diffusion::controlnet::{ControlNetModel, MultiControlNet};
use adeval_models::stable_diffusion::ip_adapter::IpAdapter;
use adeval_models::stable_diffusion::pipeline::{
    ControlSettings, Job, Pipeline, Progress, Settings, Start, Style, VaeStage,
};
use adeval_models::stable_diffusion::unet::UNet2DConditionModel;
use adeval_models::stable_diffusion::vae::{Vae, VaeConfig};
use adeval_models::tensors::Source;
use adeval_models::{ModelError, Result};
use candle_core::{DType, Device, Tensor};
use image::{GrayImage, Luma, Rgb, RgbImage};
use serde::Deserialize;
use serde_json::Value;
use support::{Parity, golden, goldens, recipe};

const PARITY: Parity = Parity::new("pipelines", "diffusers 0.42.1");

#[derive(Deserialize)]
struct Facts {
    models: BTreeMap<String, Model>,
    cases: BTreeMap<String, Case>,
    scheduler: Value,
    samplers: BTreeMap<String, Value>,
    prompts: Vec<String>,
    negative: String,
    width: u32,
    height: u32,
}

#[derive(Deserialize)]
struct Model {
    config: Value,
    tensors: BTreeMap<String, Vec<usize>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    pipeline: String,
    #[serde(default)]
    start: Option<String>,
    #[serde(default = "unet")]
    unet: String,
    #[serde(default)]
    controls: Vec<f64>,
    #[serde(default)]
    spans: Vec<(f64, f64)>,
    #[serde(default)]
    guess: bool,
    #[serde(default = "sampler")]
    sampler: String,
    #[serde(default = "five")]
    steps: usize,
    #[serde(default = "guidance")]
    guidance: f64,
    #[serde(default = "one")]
    strength: f64,
    #[serde(default)]
    eta: f64,
    #[serde(default)]
    clip_skip: usize,
    #[serde(default)]
    style: bool,
    #[serde(default = "single")]
    batch: usize,
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
    fn read() -> Self {
        let text = std::fs::read(goldens().join("sd/pipelines.json")).expect("the golden's facts");
        serde_json::from_slice(&text).expect("facts of the known form")
    }

    /// Tensors of one model; the recipe hashes their names with the model's.
    fn source(&self, name: &str) -> Source {
        let prefix = format!("{name}.");
        let tensors = self.models[name].tensors.iter().map(|(name, shape)| {
            let own = name.strip_prefix(&prefix).unwrap_or(name).to_owned();
            let hashed = if name.starts_with(&prefix) { name.clone() } else { format!("{prefix}{name}") };
            (own, recipe::weight(&hashed, shape))
        });
        Source::from_tensors(name, tensors, &Device::Cpu, DType::F32)
    }

    fn config<T: serde::de::DeserializeOwned>(&self, name: &str) -> T {
        serde_json::from_value(self.models[name].config.clone()).expect("a configuration")
    }

    fn vae(&self) -> Vae {
        Vae::load(&self.source("vae"), &self.config::<VaeConfig>("vae")).expect("the VAE")
    }

    fn unet(&self, name: &str) -> UNet2DConditionModel {
        let config =
            UNetConfig::parse(&self.models[name].config.to_string(), Path::new(name)).expect("a UNet");
        UNet2DConditionModel::load(config, &self.source(name)).expect("the UNet")
    }

    fn control(&self, name: &str) -> ControlNetModel {
        let text = self.models[name].config.to_string();
        let config = ControlNetConfig::parse(&text, Path::new(name)).expect("a ControlNet");
        ControlNetModel::load(config, &self.source(name)).expect("the ControlNet")
    }

    fn scheduler(&self, case: &Case) -> SchedulerConfig {
        let mut config = self.scheduler.clone();
        let own = self.samplers[&case.sampler].as_object().expect("an object").clone();
        let fields = config.as_object_mut().expect("an object");
        fields.extend(own);
        if case.eta > 0.0 {
            fields.insert("eta".to_owned(), case.eta.into());
        }
        SchedulerConfig::from_json(&config.to_string()).expect("a sampler")
    }

    fn pipeline(&self, case: &Case) -> Pipeline {
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
            device: Device::Cpu,
            dtype: DType::F32,
        }
    }

    fn settings(&self, case: &Case) -> Settings {
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

    fn job(&self, case: &Case, number: usize) -> Job {
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
    fn picture(&self, name: &str) -> RgbImage {
        let columns = self.width / 8;
        let values = recipe::uniform(name, (columns * self.height / 8 * 3) as usize);
        let byte =
            |x: u32, y: u32, c: u32| ((values[((y * columns + x) * 3 + c) as usize] + 1.0) * 128.0) as u8;
        RgbImage::from_fn(self.width, self.height, |x, y| Rgb([0, 1, 2].map(|c| byte(x / 8, y / 8, c))))
    }

    /// White outside of a box, in the greys next to the threshold.
    fn mask(&self) -> GrayImage {
        let inside = |x: u32, y: u32| (13..50).contains(&x) && (10..37).contains(&y);
        GrayImage::from_fn(self.width, self.height, |x, y| Luma([if inside(x, y) { 127 } else { 128 }]))
    }
}

/// Latents after the first and the last step, and the pictures.
fn run(facts: &Facts, case: &Case) -> Result<(Tensor, Tensor, Vec<RgbImage>)> {
    let jobs: Vec<Job> = (0..case.batch).map(|i| facts.job(case, i)).collect();
    let mut seen = Vec::new();
    let mut watch = |progress: &Progress| {
        seen.push(progress.latents.clone());
        Ok(())
    };
    let rendered = facts.pipeline(case).render(&jobs, &facts.settings(case), &mut watch)?;
    let (first, last) = (seen[0].clone(), seen[seen.len() - 1].clone());
    Ok((first, last, rendered.pictures))
}

#[test]
fn every_pipeline_gives_the_latents_and_the_pixels_of_diffusers() {
    let (facts, expected) = (Facts::read(), golden("sd/pipelines.safetensors"));
    let compare = |name: &String| compare(&facts, &expected, name);
    // All of them, so that one look tells whether it is a pipeline, a sampler or everything.
    let bad: Vec<&String> =
        facts.cases.keys().filter(|name| catch_unwind(AssertUnwindSafe(|| compare(name))).is_err()).collect();
    assert!(bad.is_empty(), "{} of {} cases differ: {bad:#?}", bad.len(), facts.cases.len());
}

fn compare(facts: &Facts, expected: &HashMap<String, Tensor>, name: &str) {
    let case = &facts.cases[name];
    let (first, last, pictures) = run(facts, case).expect("a run");
    PARITY.relative(&format!("{name}: first step"), &first, &expected[&format!("{name}/first")], 1e-5);
    let steps = format!("{name}: last of {} steps", case.steps);
    PARITY.relative(&steps, &last, &expected[&format!("{name}/last")], 1e-4);
    let pixels =
        expected[&format!("{name}/pixels")].flatten_all().and_then(|t| t.to_vec1::<u8>()).expect("bytes");
    let found: Vec<u8> = pictures.iter().flat_map(|p| p.as_raw().iter().copied()).collect();
    assert_eq!(found.len(), pixels.len(), "{name}");
    let differences = found.iter().zip(&pixels).map(|(a, b)| f64::from(a.abs_diff(*b)));
    let (sum, most) = differences.fold((0.0, 0.0_f64), |(sum, most), d| (sum + d, most.max(d)));
    PARITY.number(&format!("{name}: pixels"), "mean of 255", sum / found.len() as f64, 0.5);
    PARITY.number(&format!("{name}: pixels"), "max of 255", most, 3.0);
}

fn case<'a>(facts: &'a Facts, pipeline: &str) -> &'a Case {
    facts
        .cases
        .values()
        .find(|c| c.pipeline == pipeline && c.unet == "unet")
        .expect("a case of that pipeline")
}

#[test]
fn a_job_gives_the_same_alone_and_in_a_batch() {
    let facts = Facts::read();
    let case = &facts.cases["ControlNet inpaint, two of a batch"];
    let (_, both, _) = run(&facts, case).expect("a run");
    let second = facts.job(case, 1);
    let (alone, _) =
        facts.pipeline(case).latents(&[second], &facts.settings(case), &mut |_| Ok(())).expect("a run");
    PARITY.relative("a job alone and in a batch", &alone, &both.narrow(0, 1, 1).expect("the second"), 1e-5);
}

#[test]
fn a_vae_that_is_loaded_on_demand_gives_the_same() {
    let facts = Facts::read();
    let case = case(&facts, "StableDiffusionControlNetInpaint");
    let (kept, mut freed) = (facts.pipeline(case), facts.pipeline(case));
    let again = Facts::read();
    freed.vae = VaeStage::OnDemand(Box::new(move || Ok(again.vae())));
    let render = |pipeline: &Pipeline| {
        pipeline
            .render(&[facts.job(case, 0)], &facts.settings(case), &mut |_| Ok(()))
            .expect("a run")
            .pictures
    };
    assert_eq!(render(&kept), render(&freed));
}

#[test]
fn an_error_of_the_watcher_ends_the_run_at_that_step() {
    let facts = Facts::read();
    let case = case(&facts, "StableDiffusion");
    let mut steps = 0;
    let mut watch = |progress: &Progress| {
        steps = progress.done;
        if progress.done == 2 {
            Err(ModelError::Input { found: "enough".into(), expected: "no more" })
        } else {
            Ok(())
        }
    };
    let result = facts.pipeline(case).latents(&[facts.job(case, 0)], &facts.settings(case), &mut watch);
    assert!(result.is_err_and(|e| e.to_string().contains("enough")));
    assert_eq!(steps, 2);
}

#[test]
fn what_does_not_fit_is_refused_in_words() {
    let facts = Facts::read();
    let plain = case(&facts, "StableDiffusion");
    let refusal = |case: &Case, change: &dyn Fn(&mut Job, &mut Settings)| {
        let (mut job, mut settings) = (facts.job(case, 0), facts.settings(case));
        change(&mut job, &mut settings);
        let result = facts.pipeline(case).latents(&[job], &settings, &mut |_| Ok(()));
        result.expect_err("it does not fit").to_string()
    };
    let size = refusal(plain, &|_, s| s.width = 60);
    assert!(size.contains("60x48") && size.contains("64x48") && size.contains("multiples of 8"), "{size}");
    let control = refusal(plain, &|job, _| job.controls.push(RgbImage::new(64, 48)));
    assert!(control.contains("1 control pictures for 0 ControlNets"), "{control}");
    let strength = refusal(plain, &|_, s| s.strength = f64::NAN);
    assert!(strength.contains("strength of NaN"), "{strength}");
    let style = refusal(plain, &|job, _| {
        let embeds = recipe::noise("style", &[1, 1, 20]);
        job.style = Some(Style { unconditional: embeds.clone(), embeds });
    });
    assert!(style.contains("no IP-Adapter"), "{style}");
    let nine = facts.cases.values().find(|c| c.unet == "unet9").expect("an inpainting UNet");
    let mask = refusal(nine, &|job, _| job.start = Start::Noise);
    assert!(mask.contains("without a mask"), "{mask}");
    let picture = refusal(nine, &|job, _| {
        job.start = Start::Inpaint { picture: RgbImage::new(8, 8), mask: GrayImage::new(64, 48) };
    });
    assert!(picture.contains("8x8 for a result of 64x48"), "{picture}");
}
