//! Components in this process, which count their calls and fail on request.

use crate::bench::{Identity, OpenComponent, Plugins};
use crate::products::Matting;
use adeval_sdk::endpoint::{
    background_generator, image_embedder, method, prompt_generator, reward_model, rl_optimizer,
};
use adeval_sdk::prelude::*;
use adeval_sdk::{Endpoint, Kind, Message, decode};
use image::{GrayImage, RgbImage};
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Refuses to cut anything out.
pub struct NoMatting;

impl Matting for NoMatting {
    fn alpha(&self, _: &RgbImage) -> std::result::Result<GrayImage, String> {
        Err("no network here".into())
    }
}

#[derive(Default)]
pub struct Toys {
    pub calls: Arc<AtomicUsize>,
    pub generated: Arc<AtomicUsize>,
    pub cancel: Arc<AtomicBool>,
    /// Asks the host to stop at this call.
    pub stop_at: Option<usize>,
    /// A whole background call fails as a crash does when it holds this product.
    pub crash_on: Option<String>,
}

#[derive(Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(default)]
struct Level {
    level: u8,
}

struct Words;
struct Flat(Level);
struct Bright;
struct Mean;
/// REINFORCE with the group's mean as a baseline; `level` samples a product, 2 at least.
struct Advantage(Level);
/// Learns nothing.
struct Idle;

macro_rules! component {
    ($toy:ident, $id:literal, $parameters:ty, $create:expr) => {
        impl Component for $toy {
            type Parameters = $parameters;
            fn info() -> ComponentInfo {
                ComponentInfo::new($id, "for tests")
            }
            fn create(parameters: $parameters, _: &Environment) -> Result<Self> {
                let create: fn($parameters) -> Self = $create;
                Ok(create(parameters))
            }
        }
    };
}
component!(Words, "words", Level, |_| Words);
component!(Flat, "flat", Level, Flat);
component!(Bright, "bright", Level, |_| Bright);
component!(Mean, "mean", Level, |_| Mean);
component!(Advantage, "advantage", Level, Advantage);
component!(Idle, "idle", Level, |_| Idle);

impl PromptGenerator for Words {
    fn generate(&self, request: &PromptRequest, _: &CallContext<'_>) -> Result<Vec<PromptSample>> {
        let sample = |k: u32| PromptSample {
            text: format!(
                "{} on table {}",
                request.product.title,
                rng::derive(request.seed, &[&k.to_string()]) % 97
            ),
            tokens: Vec::new(),
            log_probs: Vec::new(),
            finish: FinishReason::Stop,
        };
        Ok((0..request.samples).map(sample).collect())
    }
}

impl BackgroundGenerator for Flat {
    fn generate(&self, request: &BackgroundRequest, _: &CallContext<'_>) -> Result<Creative> {
        let shade = self.0.level.saturating_add((request.seed % 9) as u8);
        let mut canvas = RgbImage::from_pixel(request.width, request.height, image::Rgb([shade; 3]));
        let product = CutOut::of(&request.product)?;
        let placement = product.centered(request.size(), PAPER_SHARE);
        placement.paste(&product.resample(&placement)?, &mut canvas);
        Ok(Creative { image: canvas.into(), placement })
    }
}

fn policy_gradient(batch: &PreferenceBatch, scale: f64) -> LossAndGradient {
    let group = |group: &Vec<SampleEvidence>| {
        let mean = group.iter().map(|s| s.reward).sum::<f64>() / group.len() as f64;
        let one = |s: &SampleEvidence| SampleGradient {
            clean: vec![scale * (mean - s.reward); s.clean.current.len()],
            corrupted: Vec::new(),
        };
        group.iter().map(one).collect()
    };
    LossAndGradient { loss: 0.0, groups: batch.groups.iter().map(group).collect(), metrics: [].into() }
}

impl RlOptimizer for Advantage {
    fn needs(&self) -> OptimizerNeeds {
        OptimizerNeeds { samples_per_product: u32::from(self.0.level.max(2)), corruptions: Vec::new() }
    }
    fn loss(&self, batch: &PreferenceBatch, _: &CallContext<'_>) -> Result<LossAndGradient> {
        Ok(policy_gradient(batch, 1.0))
    }
}

impl RlOptimizer for Idle {
    fn needs(&self) -> OptimizerNeeds {
        OptimizerNeeds { samples_per_product: 2, corruptions: Vec::new() }
    }
    fn loss(&self, batch: &PreferenceBatch, _: &CallContext<'_>) -> Result<LossAndGradient> {
        Ok(policy_gradient(batch, 0.0))
    }
}

fn brightness(image: &Image) -> f64 {
    image.bytes().iter().map(|b| f64::from(*b)).sum::<f64>() / (255.0 * image.bytes().len() as f64)
}

impl RewardModel for Bright {
    fn compare(&self, pair: &PairRequest, _: &CallContext<'_>) -> Result<Preference> {
        Ok(Preference {
            left: 1.0 / (1.0 + (3.0 * (brightness(&pair.right) - brightness(&pair.left))).exp()),
        })
    }
    fn score(&self, request: &ScoreRequest, _: &CallContext<'_>) -> Result<PointScore> {
        Ok(PointScore { ctr: 0.1 * brightness(&request.creative) / 3.0, parts: [].into() })
    }
}

impl ImageEmbedder for Mean {
    fn describe(&self) -> EncoderInfo {
        EncoderInfo { name: "mean".into(), dimension: 2, preprocessing: "none".into() }
    }
    fn embed(&self, request: &EmbedRequest, _: &CallContext<'_>) -> Result<Embedding> {
        let vector = vec![brightness(&request.image) as f32, f32::from(request.image.bytes()[0])];
        Ok(Embedding { vector, spatial: Vec::new() })
    }
}

/// Counts, stops and crashes before it lets a call through.
struct Watched {
    inner: Box<dyn Endpoint>,
    calls: Arc<AtomicUsize>,
    generated: Arc<AtomicUsize>,
    cancel: Arc<AtomicBool>,
    stop_at: Option<usize>,
    crash_on: Option<String>,
}

impl Endpoint for Watched {
    fn call(&self, name: &str, message: Message, cx: &CallContext<'_>) -> Result<Message> {
        let number = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        if name == method::PROMPT_GENERATE || name == method::BACKGROUND_GENERATE {
            self.generated.fetch_add(1, Ordering::Relaxed);
        }
        if self.stop_at == Some(number) {
            self.cancel.store(true, Ordering::Relaxed);
        }
        if let (method::BACKGROUND_GENERATE, Some(product)) = (name, &self.crash_on) {
            let requests: Vec<BackgroundRequest> = decode(message.clone())?;
            if requests.iter().any(|r| r.product.id == *product) {
                return Err(PluginError::new(ErrorKind::Crashed, "the worker died of signal 6"));
            }
        }
        self.inner.call(name, message, cx)
    }
}

impl OpenComponent for Arc<Watched> {
    fn endpoint(&self) -> Arc<dyn Endpoint> {
        Arc::clone(self) as Arc<dyn Endpoint>
    }
    fn peak_memory_bytes(&self) -> Option<u64> {
        Some(1 << 20)
    }
}

impl Plugins for Toys {
    fn identify(&self, kind: Kind, component: &str, _: &Value) -> Result<Identity> {
        if !["words", "flat", "bright", "mean", "advantage", "idle", "broken"].contains(&component) {
            return Err(PluginError::invalid_request(format!("there is no {kind} \"{component}\"")));
        }
        Ok(Identity {
            library: "toys".into(),
            version: "1.0.0".into(),
            library_hash: "0".into(),
            license: "MIT".into(),
            determinism: Determinism::Bitwise,
            trainable: false,
        })
    }

    fn open(
        &self,
        _: Kind,
        component: &str,
        parameters: &Value,
        environment: &Environment,
        _: Option<&Path>,
        _: &CallContext<'_>,
    ) -> Result<Box<dyn OpenComponent>> {
        let level = serde_json::from_value(parameters.clone())
            .map_err(|e| PluginError::invalid_parameters(e.to_string()))?;
        let inner = match component {
            "words" => prompt_generator(Words::create(level, environment)?),
            "flat" => background_generator(Flat::create(level, environment)?),
            "bright" => reward_model(Bright::create(level, environment)?),
            "advantage" => rl_optimizer(Advantage::create(level, environment)?),
            "idle" => rl_optimizer(Idle::create(level, environment)?),
            "mean" => image_embedder(Mean::create(level, environment)?),
            _ => return Err(PluginError::new(ErrorKind::MissingWeights, "there are no weights")),
        };
        Ok(Box::new(Arc::new(Watched {
            inner,
            calls: Arc::clone(&self.calls),
            generated: Arc::clone(&self.generated),
            cancel: Arc::clone(&self.cancel),
            stop_at: self.stop_at,
            crash_on: self.crash_on.clone(),
        })))
    }
}
