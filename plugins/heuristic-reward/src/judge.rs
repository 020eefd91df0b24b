//! The reward model: weights, score, CTR and preference; each image of a batch is measured once.

use crate::parts::Parts;
use crate::subject::{self, Subject};
use crate::view::View;
use adeval_sdk::prelude::*;
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Parameters of `heuristic-reward`: the weights of the parts, and how score differences become probabilities.
///
/// The default weights are a designer's judgement, fitted to nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Parameters {
    /// Weight of the contrast between subject and background.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub contrast: f64,
    /// Weight of the subject's saliency.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub saliency: f64,
    /// Weight of colour harmony.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub harmony: f64,
    /// Weight of calm: few edges outside the subject.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub calm: f64,
    /// Weight of exposure.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub exposure: f64,
    /// Score difference at which the better creative is preferred with probability 0.73.
    #[schemars(range(min = 0.001, max = 100.0))]
    pub temperature: f64,
    /// Change of the CTR's log-odds from the worst to the best score; a score of 0.5 is a CTR of 3%.
    #[schemars(range(min = 0.0, max = 20.0))]
    pub ctr_slope: f64,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            contrast: 0.25,
            saliency: 0.25,
            harmony: 0.15,
            calm: 0.2,
            exposure: 0.15,
            temperature: 0.1,
            ctr_slope: 3.0,
        }
    }
}

impl Parameters {
    fn weights(&self) -> [f64; 5] {
        [self.contrast, self.saliency, self.harmony, self.calm, self.exposure]
    }

    fn check(&self) -> Result<()> {
        let named = ["contrast", "saliency", "harmony", "calm", "exposure"];
        let rules = named.iter().zip(self.weights()).map(|(name, value)| (*name, value, 0.0, 100.0)).chain([
            ("temperature", self.temperature, 0.001, 100.0),
            ("ctr_slope", self.ctr_slope, 0.0, 20.0),
        ]);
        for (name, value, low, high) in rules {
            if !(low..=high).contains(&value) {
                return Err(PluginError::invalid_parameters(format!(
                    "heuristic-reward: {name} is {value}, it must be between {low} and {high}"
                )));
            }
        }
        if self.weights().iter().sum::<f64>() <= 0.0 {
            return Err(PluginError::invalid_parameters("heuristic-reward: all weights are 0")
                .with_hint("give at least one part a weight above 0"));
        }
        Ok(())
    }
}

/// The `heuristic-reward` component.
pub struct HeuristicReward {
    parameters: Parameters,
}

/// `1 / (1 + e^-x)`, such that `logistic(-x)` is exactly `1 - logistic(x)`.
fn logistic(x: f64) -> f64 {
    if x < 0.0 { 1.0 - logistic(-x) } else { 1.0 / (1.0 + (-x).exp()) }
}

/// Which image this is: shared bytes are the same image.
type Key = (usize, usize, u32);

fn key(image: &Image) -> Key {
    (image.bytes().as_ptr() as usize, image.bytes().len(), image.width())
}

/// One creative of one product, to be measured once however many requests name it.
type Jobs<'a> = HashMap<(Key, Key), (&'a Product, &'a Image)>;

impl HeuristicReward {
    fn value(&self, parts: &Parts) -> f64 {
        let values = [parts.contrast, parts.saliency, parts.harmony, parts.calm, parts.exposure];
        let weights = self.parameters.weights();
        let sum: f64 = values.iter().zip(weights).map(|(value, weight)| value * weight).sum();
        sum / weights.iter().sum::<f64>()
    }

    fn preference(&self, left: &Parts, right: &Parts) -> Preference {
        Preference { left: logistic((self.value(left) - self.value(right)) / self.parameters.temperature) }
    }

    fn point(&self, parts: &Parts) -> PointScore {
        let score = self.value(parts);
        let base = (0.03f64 / 0.97).ln();
        let ctr = logistic(base + self.parameters.ctr_slope * (score - 0.5));
        let named = [
            ("contrast", parts.contrast),
            ("saliency", parts.saliency),
            ("harmony", parts.harmony),
            ("calm", parts.calm),
            ("exposure", parts.exposure),
            ("score", score),
            ("subject-found", f64::from(u8::from(parts.found))),
        ];
        PointScore { ctr, parts: named.map(|(name, value)| (name.to_owned(), value)).into() }
    }

    /// Measures every job, in parallel.
    fn measure(jobs: &Jobs<'_>, cx: &CallContext<'_>) -> HashMap<(Key, Key), Result<Parts>> {
        let mut products: HashMap<Key, &Product> = HashMap::new();
        for (&(product, _), &(value, _)) in jobs {
            products.entry(product).or_insert(value);
        }
        let templates: HashMap<Key, _> =
            products.into_par_iter().map(|(key, product)| (key, subject::template(product))).collect();
        jobs.par_iter()
            .map(|(&key, &(_, creative))| {
                let parts = cx.check().map(|()| {
                    let view = View::of(creative);
                    let template = templates.get(&key.0).and_then(Option::as_ref);
                    Parts::of(&view, &Subject::locate(&view, template))
                });
                (key, parts)
            })
            .collect()
    }
}

/// The result of a job; every job that is asked for was measured.
fn found(parts: &HashMap<(Key, Key), Result<Parts>>, product: &Product, creative: &Image) -> Result<Parts> {
    let missing = || Err(PluginError::violation("heuristic-reward lost a measurement"));
    parts.get(&(key(&product.image), key(creative))).cloned().unwrap_or_else(missing)
}

impl Component for HeuristicReward {
    type Parameters = Parameters;

    fn info() -> ComponentInfo {
        ComponentInfo::new(
            "heuristic-reward",
            "Contrast, saliency, colour harmony, calm and exposure; CTR not calibrated",
        )
    }

    fn create(parameters: Parameters, _: &Environment) -> Result<Self> {
        parameters.check()?;
        Ok(Self { parameters })
    }
}

impl RewardModel for HeuristicReward {
    fn compare(&self, pair: &PairRequest, cx: &CallContext<'_>) -> Result<Preference> {
        let jobs: Jobs<'_> = [&pair.left, &pair.right]
            .map(|image| ((key(&pair.product.image), key(image)), (&pair.product, image)))
            .into();
        let parts = Self::measure(&jobs, cx);
        let side = |image| found(&parts, &pair.product, image);
        Ok(self.preference(&side(&pair.left)?, &side(&pair.right)?))
    }

    fn score(&self, request: &ScoreRequest, cx: &CallContext<'_>) -> Result<PointScore> {
        let (product, creative) = (&request.product, &request.creative);
        let jobs: Jobs<'_> = [((key(&product.image), key(creative)), (product, creative))].into();
        Ok(self.point(&found(&Self::measure(&jobs, cx), product, creative)?))
    }

    fn compare_batch(&self, pairs: &[PairRequest], cx: &CallContext<'_>) -> Vec<Result<Preference>> {
        let sides = pairs.iter().flat_map(|p| [(&p.product, &p.left), (&p.product, &p.right)]);
        let jobs: Jobs<'_> = sides.map(|(p, c)| ((key(&p.image), key(c)), (p, c))).collect();
        let parts = Self::measure(&jobs, cx);
        let judge = |pair: &PairRequest| {
            let side = |image| found(&parts, &pair.product, image);
            Ok(self.preference(&side(&pair.left)?, &side(&pair.right)?))
        };
        pairs.iter().map(judge).collect()
    }

    fn score_batch(&self, requests: &[ScoreRequest], cx: &CallContext<'_>) -> Vec<Result<PointScore>> {
        let jobs: Jobs<'_> = requests
            .iter()
            .map(|r| ((key(&r.product.image), key(&r.creative)), (&r.product, &r.creative)))
            .collect();
        let parts = Self::measure(&jobs, cx);
        requests.iter().map(|r| Ok(self.point(&found(&parts, &r.product, &r.creative)?))).collect()
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
