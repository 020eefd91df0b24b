//! The main call of a component, seen the same way for all five kinds: cases in, comparable replies out.

use super::material;
use super::rule::Finding;
use adeval_sdk::client::{BackgroundClient, EmbedderClient, OptimizerClient, PromptClient, RewardClient};
use adeval_sdk::{
    BackgroundRequest, CallContext, Determinism, EmbedRequest, Endpoint, Kind, LogProbs, OptimizerNeeds,
    PairRequest, PluginError, PreferenceBatch, Product, PromptRequest, Result, SampleEvidence, rng,
};
use rand::RngExt;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// One request, in terms that every kind can be made of.
#[derive(Debug, Clone)]
pub struct Case {
    /// What is advertised.
    pub product: Product,
    /// Size of creatives.
    pub size: (u32, u32),
    /// The prompt of a background generator.
    pub prompt: String,
    /// Seed of the request; creatives and log-probabilities that a request carries come from it, too.
    pub seed: u64,
}

impl Case {
    /// The `number`th case of a rule with this seed; creatives of `size`.
    pub fn new(seed: u64, number: usize, size: (u32, u32)) -> Self {
        let seed = rng::derive(seed, &["case", &number.to_string()]);
        Self { product: material::product(number), size, prompt: material::prompt(seed), seed }
    }
}

/// A reply in a form that can be compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Reply {
    /// Text, token ids: equal or not.
    Words(Vec<String>),
    /// Numbers on the scale of 1 (pixels are divided by 255).
    Numbers(Vec<f64>),
}

impl Reply {
    /// Whether it is the same result, as exactly as the component promises; the largest difference when it is not.
    pub fn same(&self, other: &Self, determinism: Determinism) -> Result<(), String> {
        match (self, other) {
            (Self::Numbers(a), Self::Numbers(b)) if a.len() == b.len() => {
                let tolerance = match determinism {
                    Determinism::Tolerance(tolerance) => tolerance,
                    _ => 0.0,
                };
                let far = |(a, b): (&f64, &f64)| (a - b).abs() - tolerance * a.abs().max(b.abs()).max(1e-3);
                let excess = a.iter().zip(b).map(far).fold(f64::NEG_INFINITY, f64::max);
                let differing = a.iter().zip(b).filter(|pair| far(*pair) > 0.0).count();
                if excess <= 0.0 || a.is_empty() {
                    return Ok(());
                }
                let largest = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
                Err(format!("{differing} of {} values differ, by up to {largest:.3e}", a.len()))
            }
            (Self::Words(a), Self::Words(b)) if a == b => Ok(()),
            (Self::Words(a), Self::Words(b)) => {
                let pair = a.iter().zip(b).find(|(a, b)| a != b);
                Err(match pair {
                    Some((a, b)) => format!("\"{}\" against \"{}\"", short(a), short(b)),
                    None => format!("{} texts against {}", a.len(), b.len()),
                })
            }
            _ => Err("the two replies have different shapes".into()),
        }
    }
}

fn short(text: &str) -> String {
    text.chars().take(60).collect()
}

/// Calls a component of any kind.
#[derive(Clone)]
pub struct Exercise {
    kind: Kind,
    endpoint: Arc<dyn Endpoint>,
    needs: Option<OptimizerNeeds>,
}

impl Exercise {
    /// A way to call this component.
    pub fn new(kind: Kind, endpoint: Arc<dyn Endpoint>) -> Result<Self> {
        let mut exercise = Self { kind, endpoint, needs: None };
        if kind == Kind::RlOptimizer {
            let client = OptimizerClient::new(Arc::clone(&exercise.endpoint));
            exercise.needs = Some(client.needs(&CallContext::detached())?);
        }
        Ok(exercise)
    }

    /// One case alone.
    pub fn one(&self, case: &Case) -> Result<Reply> {
        let mut replies = self.batch(std::slice::from_ref(case), &CallContext::detached())?;
        replies.pop().unwrap_or_else(|| Err(PluginError::violation("no reply came back")))
    }

    /// Several cases in one call.
    pub fn batch(&self, cases: &[Case], cx: &CallContext<'_>) -> Result<Vec<Result<Reply>>> {
        let endpoint = Arc::clone(&self.endpoint);
        match self.kind {
            Kind::PromptGenerator => {
                let requests: Vec<_> = cases.iter().map(prompt_request).collect();
                let replies = PromptClient::new(endpoint).generate(&requests, cx)?;
                let words = |samples: Vec<adeval_sdk::PromptSample>| {
                    Reply::Words(samples.into_iter().map(|s| format!("{} {:?}", s.text, s.tokens)).collect())
                };
                Ok(replies.into_iter().map(|reply| reply.map(words)).collect())
            }
            Kind::BackgroundGenerator => {
                let requests: Vec<_> = cases.iter().map(background_request).collect();
                let replies = BackgroundClient::new(endpoint).generate(&requests, cx)?;
                let numbers = |creative: adeval_sdk::Creative| {
                    let p = creative.placement;
                    let place =
                        [f64::from(p.left), f64::from(p.top), f64::from(p.width), f64::from(p.height)];
                    let pixels = creative.image.bytes().iter().map(|&b| f64::from(b) / 255.0);
                    Reply::Numbers(place.into_iter().chain(pixels).collect())
                };
                Ok(replies.into_iter().map(|reply| reply.map(numbers)).collect())
            }
            Kind::RewardModel => {
                let pairs: Vec<_> = cases.iter().map(pair_request).collect();
                let replies = RewardClient::new(endpoint).compare(&pairs, cx)?;
                Ok(replies.into_iter().map(|reply| reply.map(|p| Reply::Numbers(vec![p.left]))).collect())
            }
            Kind::RlOptimizer => Ok(cases.iter().map(|case| self.loss(case, cx)).collect()),
            Kind::ImageEmbedder => {
                let request = |case: &Case| EmbedRequest {
                    image: material::creative(case.seed, case.size),
                    spatial: false,
                };
                let requests: Vec<_> = cases.iter().map(request).collect();
                let replies = EmbedderClient::new(endpoint).embed(&requests, cx)?;
                let numbers = |e: adeval_sdk::Embedding| {
                    Reply::Numbers(e.vector.iter().map(|&v| f64::from(v)).collect())
                };
                Ok(replies.into_iter().map(|reply| reply.map(numbers)).collect())
            }
        }
    }

    fn loss(&self, case: &Case, cx: &CallContext<'_>) -> Result<Reply> {
        let needs =
            self.needs.as_ref().ok_or_else(|| PluginError::violation("the optimizer has no needs"))?;
        let reply =
            OptimizerClient::new(Arc::clone(&self.endpoint)).loss(&preference_batch(case.seed, needs), cx)?;
        let gradients = reply.groups.iter().flatten();
        let values = gradients.flat_map(|g| g.clean.iter().chain(g.corrupted.iter().flatten()).copied());
        Ok(Reply::Numbers(std::iter::once(reply.loss).chain(values).collect()))
    }
}

/// Two samples of a product.
pub fn prompt_request(case: &Case) -> PromptRequest {
    PromptRequest { samples: 2, max_tokens: 64, ..PromptRequest::new(case.product.clone(), case.seed) }
}

/// A creative of the case's size; few steps, for the sake of diffusion models.
pub fn background_request(case: &Case) -> BackgroundRequest {
    BackgroundRequest {
        width: case.size.0,
        height: case.size.1,
        steps: Some(2),
        ..BackgroundRequest::new(case.product.clone(), case.prompt.clone(), case.seed)
    }
}

/// Two different creatives of the case's product.
pub fn pair_request(case: &Case) -> PairRequest {
    let creative = |side: &str| material::creative(rng::derive(case.seed, &[side]), case.size);
    PairRequest { product: case.product.clone(), left: creative("left"), right: creative("right") }
}

/// Three groups of samples with log-probabilities and rewards by seed.
pub fn preference_batch(seed: u64, needs: &OptimizerNeeds) -> PreferenceBatch {
    let mut random = rng::seeded(seed);
    let mut log_probs = |tokens: usize| {
        let mut values = || (0..tokens).map(|_| -random.random_range(0.05..3.0)).collect::<Vec<f64>>();
        LogProbs { current: values(), reference: values() }
    };
    let mut sample = |number: usize| {
        let tokens = 3 + number % 4;
        SampleEvidence {
            reward: 0.0,
            clean: log_probs(tokens),
            corrupted: needs.corruptions.iter().map(|_| log_probs(tokens)).collect(),
            sampled: Vec::new(),
        }
    };
    let count = needs.samples_per_product.max(1) as usize;
    let mut groups: Vec<Vec<SampleEvidence>> =
        (0..3).map(|group| (0..count).map(|s| sample(group + s)).collect()).collect();
    for sample in groups.iter_mut().flatten() {
        sample.reward = random.random_range(-1.0..1.0);
    }
    PreferenceBatch { groups }
}

/// Sizes that a generator may need, from the fastest.
const WORKING_SIZES: [(u32, u32); 3] = [(128, 128), (256, 256), (512, 512)];

/// The smallest size of creatives that the component serves.
pub fn working_size(exercise: &Exercise, seed: u64) -> Result<(u32, u32), Finding> {
    let mut last = None;
    for size in WORKING_SIZES {
        match exercise.one(&Case::new(seed, 0, size)) {
            Ok(_) => return Ok(size),
            Err(error) => last = Some(error),
        }
    }
    let error = last.map_or_else(String::new, |error| error.to_string());
    Err(Finding::Failed(format!("an ordinary request is not served: {error}")))
}
